package policy_test

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/resource"

	"quartermaster.dev/policy"
)

// documents are the kinds of document, their Go types, and for each a document
// that uses every field.
var documents = []struct {
	kind string
	typ  reflect.Type
	file string
}{
	{policy.KindJobPolicy, reflect.TypeFor[policy.JobPolicy](), "schematest/jobpolicy.yaml"},
	{policy.KindGuardrail, reflect.TypeFor[policy.Guardrail](), "schematest/guardrail.yaml"},
}

// field is a field of a document's Go types, or with [] at the end of its id
// the values of a list or mapping.
type field struct {
	id       string // "SecretMount.mountPath"
	name     string // "mountPath", or for a value that of the list or mapping
	typ      reflect.Type
	required bool
	// steps lead to it in the document: keys and indices.
	steps []any
}

// scalar tells whether the field holds neither a mapping nor a list.
func (f *field) scalar() bool {
	k := f.typ.Kind()
	return f.typ == quantity || k != reflect.Struct && k != reflect.Map && k != reflect.Slice
}

// value tells whether the field is a value of a list or mapping.
func (f *field) value() bool { return strings.HasSuffix(f.id, "[]") }

var quantity = reflect.TypeFor[resource.Quantity]()

// typeFields are all fields below a type, each type once.
func typeFields(t reflect.Type, seen map[reflect.Type]bool) []field {
	var fields []field
	if t = bare(t); t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		return typeFields(t.Elem(), seen)
	}
	if t.Kind() != reflect.Struct || t == quantity || seen[t] {
		return nil
	}
	seen[t] = true
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		id, inner := t.Name()+"."+name, bare(f.Type)
		fields = append(fields, field{id: id, name: name, typ: inner, required: !strings.Contains(options, "omitempty")})
		for inner.Kind() == reflect.Slice || inner.Kind() == reflect.Map {
			id, inner = id+"[]", bare(inner.Elem())
			if inner.Kind() != reflect.Struct || inner == quantity {
				fields = append(fields, field{id: id, name: name, typ: inner})
			}
		}
		fields = append(fields, typeFields(f.Type, seen)...)
	}
	return fields
}

func bare(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// findFields is for each field where the document has it first.
func findFields(t reflect.Type, id string, n *yaml.Node, steps []any, found map[string][]any) {
	t = bare(t)
	visit := func(id string, t reflect.Type, n *yaml.Node, step any) {
		at := append(slices.Clone(steps), step)
		if _, ok := found[id]; !ok {
			found[id] = at
		}
		findFields(t, id, n, at, found)
	}
	switch {
	case t == quantity:
	case t.Kind() == reflect.Struct:
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if i := keyIndex(n, name); i >= 0 {
				visit(t.Name()+"."+name, f.Type, n.Content[i+1], name)
			}
		}
	case t.Kind() == reflect.Map:
		visit(id+"[]", t.Elem(), n.Content[1], n.Content[0].Value)
	case t.Kind() == reflect.Slice:
		for i := range n.Content {
			visit(id+"[]", t.Elem(), n.Content[i], i)
		}
	}
}

// keyIndex is where a key stands in a mapping's content, or -1.
func keyIndex(mapping *yaml.Node, key string) int {
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return i
		}
	}
	return -1
}

// at is the parent of what steps lead to, and its index in the parent's content.
func at(root *yaml.Node, steps []any) (parent *yaml.Node, index int) {
	n := root
	for _, step := range steps {
		parent = n
		switch step := step.(type) {
		case int:
			index = step
		case string:
			index = keyIndex(n, step) + 1
		}
		n = parent.Content[index]
	}
	return parent, index
}

// readDocument reads a YAML document.
func readDocument(t *testing.T, file string) *yaml.Node {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Content[0]
}

// documentFields are the fields of a document's types and where the document
// that uses every field has them. One that it lacks fails the test.
func documentFields(t *testing.T, typ reflect.Type, doc *yaml.Node) []field {
	t.Helper()
	found := map[string][]any{}
	findFields(typ, "", doc, nil, found)
	fields := typeFields(typ, map[reflect.Type]bool{})
	for i := range fields {
		f := &fields[i]
		if f.steps = found[f.id]; f.steps == nil {
			t.Errorf("the document that uses every field has no %s", f.id)
		}
	}
	return slices.DeleteFunc(fields, func(f field) bool { return f.steps == nil })
}

// path is where the field is, in the words of a [policy.Problem].
func (f *field) path() string {
	var b strings.Builder
	for _, step := range f.steps {
		switch step := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", step)
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(step)
		}
	}
	return b.String()
}
