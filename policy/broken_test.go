package policy_test

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"quartermaster.dev/policy"
)

// row is one way to get a field wrong.
type row struct {
	name string
	// key replaces the field's, value its value; empty keeps them.
	key, value string
	twice      bool
}

// rows are the ways to get a field wrong. What is out of its range is in
// [outOfRange]; a field that is not there, and whose range its type does not
// tell, fails the test.
func rows(t *testing.T, f *field) []row {
	t.Helper()
	all := []row{{name: "another type", value: wrongType(f)}, {name: "no value", value: "null"}}
	if !f.value() {
		all = append(all,
			row{name: "a neighbour's spelling", key: neighbour(f.name)},
			row{name: "another case", key: otherCase(f.name)},
			row{name: "given twice", twice: true})
	}
	switch f.typ.Kind() {
	case reflect.String:
		all = append(all, row{name: "empty", value: `""`})
	case reflect.Slice:
		all = append(all, row{name: "empty", value: "[]"})
	case reflect.Map, reflect.Struct:
		if f.typ != quantity {
			all = append(all, row{name: "empty", value: "{}"})
		}
	case reflect.Int64:
		all = append(all, row{name: "out of range", value: "9223372036854775808"})
	case reflect.Int32:
		all = append(all, row{name: "out of range", value: "2147483648"})
	}
	values, ok := outOfRange[f.id]
	if !ok && f.scalar() && f.typ.Kind() != reflect.Bool {
		t.Errorf("outOfRange has no row for %s: add what it may not be, or an empty one", f.id)
	}
	for _, value := range values {
		all = append(all, row{name: "out of range", value: value})
	}
	return all
}

// wrongType is a value of another type than the field's, the likeliest one.
func wrongType(f *field) string {
	switch {
	case f.typ == quantity:
		return "lots"
	case f.typ.Kind() == reflect.String:
		return "7"
	case f.typ.Kind() == reflect.Slice, f.typ.Kind() == reflect.Map, f.typ.Kind() == reflect.Struct:
		return "dev"
	default:
		return `"1"`
	}
}

// neighbour is how GitLab Runner's config.toml would spell a field: words
// joined by underscores; a single word in the other number.
func neighbour(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 && !unicode.IsUpper(rune(name[i-1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	switch spelled := b.String(); {
	case spelled != name:
		return spelled
	case strings.HasSuffix(name, "s"):
		return strings.TrimSuffix(name, "s")
	default:
		return name + "s"
	}
}

// otherCase is the name in lower case, or with a capital.
func otherCase(name string) string {
	if lower := strings.ToLower(name); lower != name {
		return lower
	}
	return strings.ToUpper(name[:1]) + name[1:]
}

// apply gets the field of a document wrong.
func (r *row) apply(t *testing.T, doc *yaml.Node, f *field) (written string) {
	t.Helper()
	parent, i := at(doc, f.steps)
	if r.value != "" {
		var value yaml.Node
		if err := yaml.Unmarshal([]byte(r.value), &value); err != nil {
			t.Fatal(err)
		}
		parent.Content[i] = value.Content[0]
	}
	if parent.Kind == yaml.SequenceNode {
		return "[" + r.value + "]"
	}
	if r.key != "" {
		parent.Content[i-1].Value = r.key
	}
	key := parent.Content[i-1].Value
	switch {
	case r.twice:
		parent.Content = append(parent.Content, parent.Content[i-1], parent.Content[i])
		return key + " and " + key
	case r.value == "":
		return key
	}
	return key + ": " + r.value
}

// problemsOf compiles a document of the system namespace.
func problemsOf(t *testing.T, doc *yaml.Node) []policy.Problem {
	t.Helper()
	data, err := yaml.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	s := policy.Compile(policy.ConfigMap{Namespace: "quartermaster", Name: "cluster", System: true, Data: map[string]string{"policy.yaml": string(data)}})
	return s.Problems
}

const brokenFile = "schematest/broken.txt"

// TestBrokenDocuments gets each field of each document wrong in every way
// there is, and holds what is said about it against schematest/broken.txt,
// which people read: -update rewrites it. Whatever is said must name the field
// and the way out.
func TestBrokenDocuments(t *testing.T) {
	t.Parallel()
	var got bytes.Buffer
	for _, d := range documents {
		good := problemsOf(t, readDocument(t, d.file))
		if policy.HasErrors(good) {
			t.Fatalf("%s: %v", d.file, good)
		}
		for _, f := range documentFields(t, d.typ, readDocument(t, d.file)) {
			fmt.Fprintf(&got, "%s %s\n", d.kind, f.path())
			for _, r := range rows(t, &f) {
				doc := readDocument(t, d.file)
				fmt.Fprintf(&got, "  %s: %s\n", r.name, r.apply(t, doc, &f))
				describeBroken(t, &got, &f, &r, without(problemsOf(t, doc), good))
			}
		}
	}
	if *update {
		if err := os.WriteFile(brokenFile, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(brokenFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("%s (-) is not what is said (+); -update rewrites it:\n%s", brokenFile, diff)
	}
}

// without are the problems that were not there before.
func without(problems, before []policy.Problem) []policy.Problem {
	return slices.DeleteFunc(problems, func(p policy.Problem) bool {
		return slices.ContainsFunc(before, func(b policy.Problem) bool {
			b.Document = p.Document
			return b == p
		})
	})
}

// describeBroken writes what is said about a row, and fails the test where
// that does not help.
func describeBroken(t *testing.T, b *bytes.Buffer, f *field, r *row, problems []policy.Problem) {
	t.Helper()
	if len(problems) == 0 {
		if r.name != "empty" || f.required {
			t.Errorf("%s: %s: nothing is said", f.path(), r.name)
		}
		b.WriteString("    fine\n")
	}
	named := r.name == "empty" && f.scalar() // an empty string may be missed under another name
	for _, p := range problems {
		document := p.Document
		p.Document = ""
		fmt.Fprintf(b, "    %s: %s\n", p.Severity, p)
		named = named || strings.Contains(p.Path+p.Hint, f.name)
		if p.Severity != policy.Note && p.Hint == "" || document == "" {
			t.Errorf("%s: %s: no way out of %q", f.path(), r.name, p)
		}
	}
	if !named && len(problems) > 0 {
		t.Errorf("%s: %s: no problem names the field: %q", f.path(), r.name, problems)
	}
}
