package policy

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Env is the list of a container's environment variables: JSON as it came, not
// even a copy, and nil where it is absent or null. A job has hundreds of them
// and a decision asks for a few, so the list is searched instead of decoded.
// It holds secrets, and prints as nothing.
type Env []byte

// UnmarshalJSONFrom keeps the part of the input that holds the list. The
// decoder does not promise that it stays there, but it does where it was handed
// the whole input as bytes; TestEnvIsPartOfTheObject sees to that.
func (e *Env) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	value, err := dec.ReadValue()
	switch {
	case err != nil:
		return err
	case value.Kind() == 'n':
		*e = nil
		return nil
	case value.Kind() != '[':
		return &json.SemanticError{JSONPointer: dec.StackPointer(), JSONKind: value.Kind()}
	}
	*e = Env(value)
	return nil
}

// MarshalJSON hides the variables.
func (Env) MarshalJSON() ([]byte, error) { return []byte(`"hidden"`), nil }

// Format hides the variables, whatever the verb.
func (Env) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "hidden") }

// podEnvVar is a variable as it came: members are JSON, or nil where they are
// absent or null.
type podEnvVar struct {
	name             string
	value, valueFrom jsontext.Value
}

// find returns the variables that are asked for by their names, each the last
// of its name. It goes through the list once.
func (e Env) find(asked func(name []byte) bool) []podEnvVar {
	if len(e) == 0 {
		return nil
	}
	search := envSearch{asked: asked}
	if err := json.Unmarshal(e, &search, DecodeOptions()); err != nil {
		return nil // it was seen to be JSON when it was kept
	}
	return search.found
}

// has tells whether there is a variable of that name, which is of letters. Most
// lists need not be gone through: a name that is there stands there, unless its
// letters are escaped, which no encoder does without need.
func (e Env) has(name string) bool {
	if !bytes.Contains(e, []byte(name)) && !bytes.Contains(e, []byte(`\u00`)) {
		return false
	}
	return len(e.find(func(n []byte) bool { return string(n) == name })) > 0
}

// envSearch is what to find in an [Env], and what was found.
type envSearch struct {
	asked func(name []byte) bool
	found []podEnvVar
}

// UnmarshalJSONFrom goes through the list. What is no variable is passed over:
// no API server sends it.
func (s *envSearch) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != ']' {
		if err := s.next(dec); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

func (s *envSearch) next(dec *jsontext.Decoder) error {
	if dec.PeekKind() != '{' {
		return dec.SkipValue()
	}
	_, err := dec.ReadToken()
	if err != nil {
		return err
	}
	var name, value, valueFrom, other jsontext.Value
	for dec.PeekKind() != '}' {
		key, err := dec.ReadValue()
		if err != nil {
			return err
		}
		member := &other
		switch string(unquote(key)) {
		case "name":
			member = &name
		case "value":
			member = &value
		case "valueFrom":
			member = &valueFrom
		}
		if *member, err = dec.ReadValue(); err != nil {
			return err
		}
	}
	if name.Kind() == '"' {
		s.check(unquote(name), value, valueFrom)
	}
	_, err = dec.ReadToken()
	return err
}

// check keeps the variable if it is one that is asked for. Of two of a name the
// last counts, as for the kubelet.
func (s *envSearch) check(name []byte, value, valueFrom jsontext.Value) {
	if !s.asked(name) {
		return
	}
	found := podEnvVar{string(name), notNull(value), notNull(valueFrom)}
	if i := slices.IndexFunc(s.found, func(v podEnvVar) bool { return v.name == found.name }); i >= 0 {
		s.found[i] = found
	} else {
		s.found = append(s.found, found)
	}
}

func notNull(value jsontext.Value) jsontext.Value {
	if value.Kind() == 'n' {
		return nil
	}
	return value
}

// unquote is what a string in JSON stands for. Few hold an escape.
func unquote(quoted jsontext.Value) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	text, _ := jsontext.AppendUnquote(nil, quoted) // it was just read as a string
	return text
}
