package migrate

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// SyntaxError is about a file that cannot be read.
type SyntaxError struct {
	// Line of the file, or 0.
	Line int
	// Message says what is wrong, Hint what to do.
	Message, Hint string
}

// Error is the message.
func (e *SyntaxError) Error() string { return e.Message }

type tomlKind int

const (
	tomlTable tomlKind = iota
	tomlList           // of tables
	tomlValue
)

// tomlNode is a table, a list of tables or a value of a TOML document.
type tomlNode struct {
	key      string
	kind     tomlKind
	value    any // string, bool, []any or the text of anything else
	children []*tomlNode
	// line is where it begins, and own are the lines that are its alone: its
	// headers or its statement.
	line int
	own  lineSet
	// inline is part of a statement that holds more than itself.
	inline bool
}

// child is a member by name, in the case that GitLab Runner does not heed.
func (n *tomlNode) child(key string) *tomlNode {
	if n == nil {
		return nil
	}
	for _, c := range n.children {
		if strings.EqualFold(c.key, key) {
			return c
		}
	}
	return nil
}

// at is a member of a member.
func (n *tomlNode) at(path ...string) *tomlNode {
	for _, key := range path {
		n = n.child(key)
	}
	return n
}

// text is a string or a plain value as text, or empty.
func (n *tomlNode) text() string {
	if n == nil || n.kind != tomlValue {
		return ""
	}
	switch v := n.value.(type) {
	case string:
		return v
	case []any:
		return ""
	default:
		return fmt.Sprint(v)
	}
}

// lines are all lines that would go with the node.
func (n *tomlNode) lines() lineSet {
	lines := lineSet{}
	lines.add(n.own)
	for _, c := range n.children {
		lines.add(c.lines())
	}
	return lines
}

// tomlDoc is a TOML text, read.
type tomlDoc struct {
	text string
	root *tomlNode
	// blind are the lines that a template decides about.
	blind lineSet
}

// readTOML reads a text that may be a Helm template.
func readTOML(text string) (*tomlDoc, error) {
	m, err := mask(text)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := toml.Unmarshal([]byte(m.text), &tree); err != nil {
		broken := &SyntaxError{Message: "is no TOML: " + strings.TrimPrefix(err.Error(), "toml: ")}
		var decodeError *toml.DecodeError
		if errors.As(err, &decodeError) {
			broken.Line, _ = decodeError.Position()
		}
		if len(m.actions) > 0 {
			broken.Hint = "templates are read where they stand in a string, alone on a line or in place of a value"
		}
		return nil, broken
	}
	b := &tomlBuilder{doc: m, root: &tomlNode{own: lineSet{}}}
	b.current = b.root
	b.parser.Reset([]byte(m.text))
	for b.parser.NextExpression() {
		b.add(b.parser.Expression())
	}
	return &tomlDoc{text: text, root: b.root, blind: m.blind}, b.parser.Error()
}

// tomlBuilder builds the tree of a document, one expression after the other.
type tomlBuilder struct {
	doc           *masked
	parser        unstable.Parser
	root, current *tomlNode
}

func (b *tomlBuilder) add(e *unstable.Node) {
	keys, at := b.keys(e)
	parents, last := keys[:len(keys)-1], keys[len(keys)-1]
	switch e.Kind {
	case unstable.Table:
		b.current = b.table(descend(b.root, parents), last, at)
		b.current.own[at] = true
	case unstable.ArrayTable:
		list := descend(b.root, parents)
		parent := list
		if list = parent.exact(last); list == nil {
			list = &tomlNode{key: last, kind: tomlList, line: at, own: lineSet{}}
			parent.children = append(parent.children, list)
		}
		b.current = &tomlNode{key: last, line: at, own: lineSet{at: true}}
		list.children = append(list.children, b.current)
	case unstable.KeyValue:
		own := lineSet{}
		shape := b.parser.Shape(e.Raw)
		own.addRange(shape.Start.Line, shape.End.Line)
		parent := descend(b.current, parents)
		n := b.value(last, e.Value(), at)
		n.own = own
		parent.children = append(parent.children, n)
	}
}

// keys are the parts of an expression's dotted key, and its line.
func (b *tomlBuilder) keys(e *unstable.Node) (keys []string, line int) {
	it := e.Key()
	for it.Next() {
		if line == 0 {
			line = b.parser.Shape(it.Node().Raw).Start.Line
		}
		keys = append(keys, b.doc.restore(string(it.Node().Data)))
	}
	return keys, line
}

func (n *tomlNode) exact(key string) *tomlNode {
	for _, c := range n.children {
		if c.key == key {
			return c
		}
	}
	return nil
}

func (b *tomlBuilder) table(parent *tomlNode, key string, line int) *tomlNode {
	if there := parent.exact(key); there != nil {
		return there
	}
	n := &tomlNode{key: key, line: line, own: lineSet{}}
	parent.children = append(parent.children, n)
	return n
}

// descend is the table at a path, made where it is not there. Of a list it is
// the last table.
func descend(n *tomlNode, path []string) *tomlNode {
	for _, key := range path {
		next := n.exact(key)
		if next == nil {
			next = &tomlNode{key: key, own: lineSet{}}
			n.children = append(n.children, next)
		}
		if next.kind == tomlList && len(next.children) > 0 {
			next = next.children[len(next.children)-1]
		}
		n = next
	}
	return n
}

// value makes a node of a value. Inline tables, and lists of them, become what
// they would be if they were written out.
func (b *tomlBuilder) value(key string, v *unstable.Node, line int) *tomlNode {
	n := &tomlNode{key: key, kind: tomlValue, line: line, own: lineSet{}}
	switch v.Kind {
	case unstable.InlineTable:
		n.kind = tomlTable
		for it := v.Children(); it.Next(); {
			keys, at := b.keys(it.Node())
			parent := descend(n, keys[:len(keys)-1])
			c := b.value(keys[len(keys)-1], it.Node().Value(), at)
			c.inline = true
			parent.children = append(parent.children, c)
		}
	case unstable.Array:
		b.array(n, v)
	case unstable.Bool:
		n.value = string(v.Data) == "true"
	default:
		n.value = b.doc.restore(string(v.Data))
	}
	return n
}

func (b *tomlBuilder) array(n *tomlNode, v *unstable.Node) {
	values := []any{}
	for it := v.Children(); it.Next(); {
		c := b.value(n.key, it.Node(), n.line)
		c.inline = true
		if c.kind == tomlTable {
			n.kind = tomlList
			n.children = append(n.children, c)
			continue
		}
		values = append(values, c.value)
	}
	n.value = values
}
