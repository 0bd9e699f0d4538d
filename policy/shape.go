package policy

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/resource"
)

// shaper holds a YAML tree against a Go type and copies it on the way.
type shaper struct {
	report *report
	nodes  int
}

func (s *shaper) value(n *yaml.Node, t reflect.Type, path string) any {
	if s.nodes++; s.nodes > maxNodes {
		if s.nodes == maxNodes+1 {
			s.report.errorf(path, "write it out", "the document's aliases repeat too much")
		}
		return nil
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if isNull(n) {
		s.report.errorf(path, "give it a value, or take it out", "has no value")
		return nil
	}
	if n.Style&yaml.TaggedStyle != 0 {
		s.report.errorf(path, "take out what begins with an exclamation mark, or put the value in quotes", "has a YAML tag, and tags are not read")
		return nil
	}
	if t == quantityType {
		return s.quantity(n, path)
	}
	switch t.Kind() {
	case reflect.Struct:
		return s.structure(n, t, path)
	case reflect.Map:
		return s.mapping(n, t, path)
	case reflect.Slice:
		return s.list(n, t, path)
	default:
		return s.scalar(n, t, path)
	}
}

// entries calls f for each key of a mapping, once a key.
func (s *shaper) entries(n *yaml.Node, path string, f func(key string, value *yaml.Node)) bool {
	if n.Kind != yaml.MappingNode {
		s.report.errorf(path, "write it as a mapping: {a: b}, or a line each, indented", "must be a mapping, not %s", nodeKind(n))
		return false
	}
	seen := map[string]bool{}
	if len(n.Content) > 2*maxEntries {
		s.report.errorf(path, "split it", "has more than %d entries", maxEntries)
		return false
	}
	for i := 0; i+1 < len(n.Content) && !s.report.full(); i += 2 {
		key := n.Content[i]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		switch {
		case key.ShortTag() == "!!merge":
			s.report.errorf(path, "write the fields out", "merge keys (<<) are not read")
		case key.Kind != yaml.ScalarNode:
			s.report.errorf(path, "write a word before the colon", "has a key that is no string")
		case seen[key.Value]:
			s.report.errorf(join(path, key.Value), "keep one of them", "is given twice")
		default:
			seen[key.Value] = true
			f(key.Value, n.Content[i+1])
		}
	}
	return true
}

func (s *shaper) structure(n *yaml.Node, t reflect.Type, path string) any {
	fields := jsonFields(t)
	tree := map[string]any{}
	s.entries(n, path, func(key string, value *yaml.Node) {
		field, ok := fields[key]
		if !ok && isNull(value) && strings.HasPrefix(path, "inject.env[") && nearest(key, slices.Sorted(maps.Keys(fields))) == "" {
			// In flow style a comma ends a value. What follows may be half a secret.
			s.report.errorf(path, "put a value that holds a comma in quotes", "has an unknown field without a value")
			return
		}
		if !ok {
			s.report.errorf(join(path, key), unknownHint(key, fields), "unknown field")
			return
		}
		if isNull(value) && field.required {
			s.report.errorf(join(path, key), valueHint(key), "has no value")
			return
		}
		tree[key] = s.value(value, field.typ, join(path, key))
	})
	return tree
}

func (s *shaper) mapping(n *yaml.Node, t reflect.Type, path string) any {
	tree := map[string]any{}
	s.entries(n, path, func(key string, value *yaml.Node) {
		tree[key] = s.value(value, t.Elem(), path+"["+key+"]")
	})
	return tree
}

func (s *shaper) list(n *yaml.Node, t reflect.Type, path string) any {
	if n.Kind != yaml.SequenceNode {
		s.report.errorf(path, "write it as a list: [a, b], or a line each with a dash", "must be a list, not %s", nodeKind(n))
		return nil
	}
	most := maxEntries
	if t.Elem().Kind() == reflect.Struct {
		most = maxItems
	}
	if len(n.Content) > most {
		s.report.errorf(path, "split it into policies of their own", "has more than %d items", most)
		return nil
	}
	tree := make([]any, 0, len(n.Content))
	for i, item := range n.Content {
		tree = append(tree, s.value(item, t.Elem(), fmt.Sprintf("%s[%d]", path, i)))
	}
	return tree
}

// decimal is how a number is written that is no mode.
var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)

var quantityType = reflect.TypeFor[resource.Quantity]()

func (s *shaper) quantity(n *yaml.Node, path string) any {
	if n.Kind == yaml.ScalarNode {
		if _, err := resource.ParseQuantity(n.Value); err == nil {
			return n.Value
		}
	}
	s.report.errorf(path, "write a number with a unit, as 100m of cpu or 128Mi of memory", "is no quantity")
	return nil
}

func (s *shaper) scalar(n *yaml.Node, t reflect.Type, path string) any {
	v := reflect.New(t)
	switch tag := n.ShortTag(); t.Kind() {
	case reflect.String:
		if n.Kind == yaml.ScalarNode && (tag == "!!str" || tag == "!!timestamp") {
			return n.Value
		}
		hint := "put it in quotes"
		if n.Kind != yaml.ScalarNode {
			hint = "write a single value"
		}
		s.report.errorf(path, hint, "must be a string, not %s", nodeKind(n))
	case reflect.Bool:
		if tag == "!!bool" && n.Decode(v.Interface()) == nil {
			return v.Elem().Interface()
		}
		s.report.errorf(path, "write true or false", "must be true or false, not %s", nodeKind(n))
	default:
		// Of the numbers only a file's mode is written in octal. An ID with a
		// leading zero is a slip, and would be another ID.
		if tag == "!!int" && t.Kind() == reflect.Int64 && !decimal.MatchString(n.Value) {
			s.report.errorf(path, "write it in decimal digits alone", "is a number in another notation")
			return nil
		}
		if tag == "!!int" && n.Decode(v.Interface()) == nil {
			return v.Elem().Interface()
		}
		if tag == "!!int" {
			s.report.errorf(path, fmt.Sprintf("the largest is %d", int64(1)<<(t.Bits()-1)-1), "is a number out of range")
			return nil
		}
		s.report.errorf(path, "write it in digits, without quotes", "must be a whole number, not %s", nodeKind(n))
	}
	return nil
}

// jsonField is a field of a document.
type jsonField struct {
	typ reflect.Type
	// required fields are those that JSON never omits.
	required bool
}

// fieldsOf are the jsonFields of each type that there was: finding them out
// took a third of the time of compiling.
var fieldsOf sync.Map

// jsonFields are a struct's fields by their JSON names, those of embedded
// structs included.
func jsonFields(t reflect.Type) map[string]jsonField {
	if fields, ok := fieldsOf.Load(t); ok {
		return fields.(map[string]jsonField)
	}
	fields := map[string]jsonField{}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.IsExported() && name != "" && name != "-" {
			fields[name] = jsonField{f.Type, !strings.Contains(options, "omitempty")}
		}
	}
	fieldsOf.Store(t, fields)
	return fields
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// nodeKind is what a node is, in words, and never its value: it may be a secret.
func nodeKind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!str", "!!timestamp":
		return "a string"
	case "!!int":
		return "a number"
	case "!!float":
		return "a number with a fraction or exponent"
	case "!!bool":
		return "true or false"
	default:
		return "a value with a tag"
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// valueHint says what to write for a required field that has no value.
func valueHint(key string) string {
	switch key {
	case "match":
		return matchHint
	case "inject":
		return injectHint
	default:
		return "give it a value"
	}
}

// unknownHint names the known field that is nearest to key, or all of them.
func unknownHint(key string, fields map[string]jsonField) string {
	names := slices.Sorted(maps.Keys(fields))
	if best := nearest(key, names); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "known here: " + strings.Join(names, ", ")
}
