// Package jsonscan reads a few values out of JSON that holds many.
//
// A decision reads some dozens of values of a pod that can be hundreds of
// kilobytes. So the JSON is first checked as a whole, by
// github.com/go-json-experiment/json ([Check]). In what is known to be valid,
// the end of a value is where its quotes and brackets say, and a [Scanner]
// passes over whatever nobody asks for without looking into it. It is little
// code and makes little garbage, which is what counts for a server that is
// asked once in a while and finds nothing in the processor's caches.
package jsonscan

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Value is a JSON value that is known to be valid: one that [Check] returned,
// or a part of one. One that is empty stands for null.
type Value []byte

// Check returns data as a Value if it is one, and else a
// [jsontext.SyntacticError]. It does not look for keys that stand twice in an
// object, which would take remembering them all.
func Check(data []byte) (Value, error) {
	options := jsontext.AllowDuplicateNames(true)
	if !jsontext.Value(data).IsValid(options) {
		if err := json.Unmarshal(data, new(jsontext.Value), options); err != nil { // says what is wrong
			return nil, err
		}
	}
	return data, nil
}

// Null tells whether the value is null.
func (v Value) Null() bool { return len(v) == 0 || string(v) == "null" }

// A Scanner goes through a [Value] from front to back. Each method reads the
// next value, and takes null for nothing: what the value would be stored in is
// left as it is. At the first value of another kind than is asked for the scan
// ends; see [Scanner.Err].
type Scanner struct {
	data Value
	at   int
	err  *json.SemanticError
	// texts holds the strings that were read: a few allocations instead of one each.
	texts strings.Builder
}

// textsSize is how much room for strings is made at a time.
const textsSize = 1 << 10

// Scan returns a Scanner that is about to read v.
func (v Value) Scan() *Scanner {
	if len(v) == 0 {
		v = Value("null")
	}
	s := &Scanner{data: v}
	s.space()
	return s
}

// Err is nil, or a [json.SemanticError] with the place and the kind of the
// first value that could not be read.
func (s *Scanner) Err() error {
	if s.err == nil {
		return nil
	}
	return s.err
}

// Kind is that of the next value: { [ " 0 t f n.
func (s *Scanner) Kind() jsontext.Kind {
	if c := s.data[s.at]; c != '-' && (c < '0' || c > '9') {
		return jsontext.Kind(c)
	}
	return '0'
}

// Object reads an object. It calls member for each key; if that does not read
// the value, it is passed over.
func (s *Scanner) Object(member func(key []byte)) {
	if !s.open('{') {
		return
	}
	for s.more('}') {
		key := s.unquoted()
		s.space()
		s.at++ // the colon
		s.space()
		start := s.at
		if member(key); s.err != nil {
			s.err.JSONPointer = jsontext.Pointer("").AppendToken(string(key)) + s.err.JSONPointer
			return
		}
		if s.at == start {
			s.Skip()
		}
	}
}

// List reads a list. It calls element for each value; if that does not read it,
// it is passed over.
func (s *Scanner) List(element func()) {
	if !s.open('[') {
		return
	}
	for i := 0; s.more(']'); i++ {
		start := s.at
		if element(); s.err != nil {
			s.err.JSONPointer = jsontext.Pointer("/"+strconv.Itoa(i)) + s.err.JSONPointer
			return
		}
		if s.at == start {
			s.Skip()
		}
	}
}

// Null passes over null, and tells whether it did.
func (s *Scanner) Null() bool {
	null := s.Kind() == 'n'
	if null {
		s.at = s.wordEnd(s.at)
	}
	return null
}

// Text reads a string.
func (s *Scanner) Text(into *string) {
	if text := s.Bytes(); text != nil {
		*into = s.Keep(text)
	}
}

// Texts reads an object whose values are strings.
func (s *Scanner) Texts(into *map[string]string) {
	if s.Null() {
		return
	}
	*into = map[string]string{}
	s.Object(func(key []byte) {
		var text string
		s.Text(&text)
		(*into)[s.Keep(key)] = text
	})
}

// Bytes reads a string and returns it without a copy, where it holds no escape:
// a part of what is scanned.
func (s *Scanner) Bytes() []byte {
	if !s.is('"') {
		return nil
	}
	return s.unquoted()
}

// Bool reads true or false.
func (s *Scanner) Bool(into *bool) {
	if s.Kind() == 't' {
		*into = true
		s.Skip()
	} else if s.is('f') {
		*into = false
		s.Skip()
	}
}

// Int reads an integer of so many bits.
func (s *Scanner) Int(bits int) int64 {
	if !s.is('0') {
		return 0
	}
	start := s.at
	n, err := strconv.ParseInt(string(s.Value()), 10, bits)
	if err != nil {
		s.fail(start)
	}
	return n
}

// Parse reads a value by parse, and fails where that does.
func (s *Scanner) Parse(parse func([]byte) error) {
	start := s.at
	if parse(s.Value()) != nil {
		s.fail(start)
	}
}

// Value reads a value and returns it as it is: a part of what is scanned.
func (s *Scanner) Value() Value {
	start := s.at
	s.Skip()
	return s.data[start:s.at]
}

// ListValue is [Scanner.Value] for a list.
func (s *Scanner) ListValue() Value {
	if !s.is('[') {
		return nil
	}
	return s.Value()
}

// Skip passes over a value.
func (s *Scanner) Skip() {
	at, depth := s.at, 0
	for {
		switch s.data[at] {
		case '"':
			at = s.stringEnd(at)
		case '{', '[':
			depth++
			at++
		case '}', ']':
			depth--
			at++
		case ',', ':', ' ', '\t', '\r', '\n':
			at++
			continue
		default:
			at = s.wordEnd(at)
		}
		if depth == 0 {
			s.at = at
			return
		}
	}
}

// Try reads the next value by read. Where that fails, Try returns the error and
// passes over the value, and the scan goes on.
func (s *Scanner) Try(read func(*Scanner)) error {
	start := s.at
	read(s)
	err := s.Err()
	if err != nil {
		s.at, s.err = start, nil
		s.Skip()
	}
	return err
}

// is tells whether the next value is of a kind. It passes over null, and fails
// at anything else.
func (s *Scanner) is(kind jsontext.Kind) bool {
	if s.Kind() == kind {
		return true
	}
	if !s.Null() {
		s.fail(s.at)
	}
	return false
}

// fail ends the scan at a value that starts at start.
func (s *Scanner) fail(start int) {
	s.at = start
	s.err = &json.SemanticError{JSONKind: s.Kind()}
}

// open passes over the bracket that an object or list begins with.
func (s *Scanner) open(bracket jsontext.Kind) bool {
	if !s.is(bracket) {
		return false
	}
	s.at++
	return true
}

// more goes to the next member or element. At the end it passes over the
// bracket and returns false.
func (s *Scanner) more(bracket byte) bool {
	s.space()
	switch s.data[s.at] {
	case bracket:
		s.at++
		return false
	case ',':
		s.at++
		s.space()
	}
	return true
}

func (s *Scanner) space() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// unquoted reads a string. What it returns is part of what is scanned, but for
// the few strings that hold an escape.
func (s *Scanner) unquoted() []byte {
	start := s.at
	s.at = s.stringEnd(start)
	quoted := s.data[start:s.at]
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	text, _ := jsontext.AppendUnquote(nil, quoted) // it is known to be valid
	return text
}

// stringEnd is where the string that starts at at ends.
func (s *Scanner) stringEnd(at int) int {
	for at++; s.data[at] != '"'; at++ {
		if s.data[at] == '\\' {
			at++
		}
	}
	return at + 1
}

// wordEnd is where the number, true, false or null that starts at at ends.
func (s *Scanner) wordEnd(at int) int {
	for at < len(s.data) {
		switch s.data[at] {
		case ',', '}', ']', ' ', '\t', '\r', '\n':
			return at
		}
		at++
	}
	return at
}

// Keep returns a copy of text, such as a key.
func (s *Scanner) Keep(text []byte) string {
	if s.texts.Cap()-s.texts.Len() < len(text) {
		s.texts = strings.Builder{} // what was kept before keeps the old one
		s.texts.Grow(max(textsSize, len(text)))
	}
	start := s.texts.Len()
	s.texts.Write(text)
	return s.texts.String()[start:]
}
