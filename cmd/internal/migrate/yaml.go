package migrate

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// yamlDoc is a file of YAML, read, whose mappings can lose entries while every
// other byte stays.
type yamlDoc struct {
	text  string
	lines []string // with their line breaks
	root  *yaml.Node
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?(?:unmarshal errors: )?(?:line \d+: )?`)

// readYAML reads the one document of a file.
func readYAML(text string) (*yamlDoc, error) {
	d := &yamlDoc{text: text, lines: strings.SplitAfter(text, "\n")}
	dec := yaml.NewDecoder(bytes.NewReader([]byte(text)))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, &SyntaxError{Message: "is empty"}
	} else if err != nil {
		return nil, brokenYAML(err, d.lines)
	}
	if err := dec.Decode(&second); err == nil {
		return nil, &SyntaxError{Line: second.Line, Message: "a second document begins here", Hint: "keep the values in one"}
	} else if !errors.Is(err, io.EOF) {
		return nil, brokenYAML(err, d.lines)
	}
	d.root = doc.Content[0]
	if err := duplicate(d.root); err != nil {
		return nil, err
	}
	return d, nil
}

// brokenYAML makes a sentence of the parser's error, which holds nothing of the
// file but names. The parser's line is often that of what the error is in: the
// line behind the longest part of the file that is YAML is nearer.
func brokenYAML(err error, lines []string) error {
	message := strings.Join(strings.Fields(err.Error()), " ")
	good := len(lines) - 1
	for ; good > 0; good-- {
		var n yaml.Node
		if yaml.Unmarshal([]byte(strings.Join(lines[:good], "")), &n) == nil {
			break
		}
	}
	return &SyntaxError{Line: good + 1, Message: "is no YAML: " + yamlLine.ReplaceAllString(message, "")}
}

// duplicate finds a key that stands twice in one mapping, of which Helm would
// take the last.
func duplicate(n *yaml.Node) error {
	seen := map[string]int{}
	for i, c := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			if c.Kind == yaml.MappingNode || c.Kind == yaml.SequenceNode {
				return &SyntaxError{Line: c.Line, Message: "a key here is no string", Hint: "write the key as a plain word"}
			}
			if seen[c.Value] > 0 {
				return &SyntaxError{Line: c.Line, Message: "the key " + strconv.Quote(c.Value) + " stands here for the second time; the first is on line " + strconv.Itoa(seen[c.Value]),
					Hint: "take one of them out"}
			}
			seen[c.Value] = c.Line
		}
		if err := duplicate(c); err != nil {
			return err
		}
	}
	return nil
}

// entry is a key of a mapping and its value.
type entry struct{ key, value *yaml.Node }

// entries are those of a mapping, or none.
func entries(n *yaml.Node) []entry {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	var all []entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		all = append(all, entry{n.Content[i], n.Content[i+1]})
	}
	return all
}

// get is the entry at a path of keys, or an empty one.
func get(n *yaml.Node, path ...string) entry {
	var found entry
	for _, key := range path {
		found = entry{}
		for _, e := range entries(n) {
			if e.key.Value == key {
				found = e
			}
		}
		n = found.value
	}
	return found
}

// str is a scalar as text, or empty.
func (e entry) str() string {
	if e.value == nil || e.value.Kind != yaml.ScalarNode || e.value.ShortTag() == "!!null" {
		return ""
	}
	return e.value.Value
}

// isTrue tells whether the value says so.
func (e entry) isTrue() bool {
	return e.value != nil && e.value.ShortTag() == "!!bool" && e.str() == "true"
}

// isFalse tells whether the value says so.
func (e entry) isFalse() bool {
	return e.value != nil && e.value.ShortTag() == "!!bool" && e.str() == "false"
}

// offset is where a node begins.
func (d *yamlDoc) offset(n *yaml.Node) int {
	at := 0
	for _, line := range d.lines[:n.Line-1] {
		at += len(line)
	}
	line := d.lines[n.Line-1]
	for range n.Column - 1 {
		_, size := utf8.DecodeRuneInString(line)
		line, at = line[size:], at+size
	}
	return at
}

// blockLines are the lines of an entry of a block mapping, from its key to the
// last that belongs to its value. Comments behind it that are indented no
// further than the key belong to what follows.
func (d *yamlDoc) blockLines(e entry) lineSet {
	own, end := e.key.Column-1, e.key.Line
	if v := e.value; v.Style&yaml.FlowStyle != 0 && v.Line > 0 {
		end = 1 + strings.Count(d.text[:d.flowClose(d.offset(v))], "\n")
	}
	for i := end; i < len(d.lines); i++ {
		line := d.lines[i]
		in := indent(line)
		item := in == own && e.value.Kind == yaml.SequenceNode && strings.HasPrefix(strings.TrimSpace(line)+" ", "- ")
		if in < 0 || isComment(line) && in <= own {
			continue
		}
		if in <= own && !item {
			break
		}
		end = i + 1
	}
	lines := lineSet{}
	lines.addRange(e.key.Line, end)
	return lines
}

// commentsAbove are the comment lines directly above a line, as far indented.
func commentsAbove(lines []string, line int) lineSet {
	above := lineSet{}
	in := indent(lines[line-1])
	for i := line - 2; i >= 0 && isComment(lines[i]) && indent(lines[i]) == in; i-- {
		above[i+1] = true
	}
	return above
}

// flowEnd is the offset of the comma or bracket that ends an entry of a flow
// mapping which begins at an offset.
func (d *yamlDoc) flowEnd(at int) int {
	return d.scanFlow(at, func(c byte, depth int) bool { return depth < 0 || c == ',' && depth == 0 })
}

// flowClose is the offset of the bracket that closes the one at an offset.
func (d *yamlDoc) flowClose(at int) int {
	return d.scanFlow(at, func(c byte, depth int) bool { return depth == 0 && (c == '}' || c == ']') })
}

// scanFlow goes over a flow collection, and stops at a character that is part
// of its structure. The depth is that behind the character.
func (d *yamlDoc) scanFlow(at int, stop func(c byte, depth int) bool) int {
	depth, fresh, quoted := 0, true, false
	for ; at < len(d.text); at++ {
		c := d.text[at]
		if strings.IndexByte(" \t\r\n", c) >= 0 {
			continue
		}
		begins := fresh
		fresh = strings.IndexByte("{[,", c) >= 0 || c == ':' && (quoted || strings.IndexByte(" \t\r\n", d.text[min(at+1, len(d.text)-1)]) >= 0)
		quoted = false
		switch {
		case c == '#' && at > 0 && strings.IndexByte(" \t\n", d.text[at-1]) >= 0:
			at += strings.IndexByte(d.text[at:]+"\n", '\n')
			fresh = begins
			continue
		case begins && (c == '"' || c == '\''):
			at, quoted = closing(d.text, at), true
			continue
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if stop(c, depth) {
			return at
		}
	}
	return at
}

// closing is the offset of the quote that closes the one at an offset.
func closing(text string, at int) int {
	quote := text[at]
	for at++; at < len(text); at++ {
		switch {
		case quote == '"' && text[at] == '\\':
			at++
		case text[at] != quote:
		case quote == '\'' && strings.HasPrefix(text[at:], "''"):
			at++
		default:
			return at
		}
	}
	return at
}
