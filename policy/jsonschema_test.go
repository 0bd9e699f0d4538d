package policy_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"quartermaster.dev/policy"
)

// schemaFile is the JSON Schema for editors, written from the documents' Go
// types, their comments and [constraints].
const schemaFile = "../manifests/schema/quartermaster.dev_v1alpha1.json"

// schema is a JSON Schema, or part of one.
type schema = map[string]any

// TestSchema holds the schema against the types; -update writes it.
func TestSchema(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(newSchema(t)); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.MkdirAll(filepath.Dir(schemaFile), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(schemaFile, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), b.String()); diff != "" {
		t.Errorf("%s (-) is not what the types say (+); -update rewrites it:\n%s", schemaFile, diff)
	}
}

// newSchema is the schema of all documents. Draft 7 is what editors know best.
func newSchema(t *testing.T) schema {
	t.Helper()
	g := &schemaWriter{comments: comments(t), definitions: schema{}}
	for _, d := range documents {
		g.define(d.typ)
	}
	for id := range constraints {
		if !g.used[id] {
			t.Errorf("constraints has an entry for %s, which is no field", id)
		}
	}
	isGuardrail := schema{"required": []string{"kind"}, "properties": schema{"kind": schema{"const": policy.KindGuardrail}}}
	return schema{
		"$schema":     "http://json-schema.org/draft-07/schema#",
		"title":       policy.APIVersion,
		"description": "A document of Quartermaster: " + policy.KindJobPolicy + " or " + policy.KindGuardrail + ".",
		"if":          isGuardrail,
		"then":        schema{"$ref": "#/definitions/" + policy.KindGuardrail},
		"else":        schema{"$ref": "#/definitions/" + policy.KindJobPolicy},
		"definitions": g.definitions,
	}
}

type schemaWriter struct {
	comments    map[string]string
	definitions schema
	used        map[string]bool
}

// define adds the definition of a struct and of those in it.
func (g *schemaWriter) define(t reflect.Type) {
	if _, done := g.definitions[t.Name()]; done {
		return
	}
	properties := schema{}
	definition := schema{"type": "object", "additionalProperties": false, "properties": properties}
	g.definitions[t.Name()] = definition
	var required []string
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !strings.Contains(options, "omitempty") {
			required = append(required, name)
		}
		s := g.value(f.Type, t.Name()+"."+name)
		if comment := g.comments[t.Name()+"."+f.Name]; comment != "" {
			if rest, ok := strings.CutPrefix(comment, f.Name); ok {
				comment = name + rest // as it is written in a document
			}
			s["description"] = comment
		}
		properties[name] = s
	}
	if required != nil {
		definition["required"] = required
	}
	if comment := g.comments[t.Name()]; comment != "" {
		definition["description"] = comment
	}
}

// value is the schema of a field, or with [] at the end of id of its values.
func (g *schemaWriter) value(t reflect.Type, id string) schema {
	s := schema{}
	switch t = bare(t); {
	case t == quantity:
		s["type"], s["pattern"] = []string{"string", "number"}, `^[+-]?[0-9.]+([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?$`
	case t.Kind() == reflect.Struct:
		g.define(t)
		// What stands beside a $ref is not read in draft 7.
		s["allOf"] = []schema{{"$ref": "#/definitions/" + t.Name()}}
	case t.Kind() == reflect.Slice:
		s["type"], s["items"] = "array", g.value(t.Elem(), id+"[]")
	case t.Kind() == reflect.Map:
		s["type"], s["additionalProperties"] = "object", g.value(t.Elem(), id+"[]")
	case t.Kind() == reflect.Bool:
		s["type"] = "boolean"
	case t.Kind() == reflect.String:
		s["type"] = "string"
	default:
		s["type"] = "integer"
	}
	for key, value := range constraints[id] {
		s[key] = value
	}
	if constraints[id] != nil {
		if g.used == nil {
			g.used = map[string]bool{}
		}
		g.used[id] = true
	}
	return s
}

var links = regexp.MustCompile(`\[([A-Za-z.]+)\]`)

// comments are those of the documents' types and fields, each on one line and
// without what only Go knows.
func comments(t *testing.T) map[string]string {
	t.Helper()
	values := strings.NewReplacer(
		"[APIVersion]", policy.APIVersion, "[KindJobPolicy]", policy.KindJobPolicy, "[KindGuardrail]", policy.KindGuardrail,
		"[ModeEnforce]", policy.ModeEnforce, "[ModeAudit]", policy.ModeAudit, "[LabelPolicy]", policy.LabelPolicy,
		"the names in [Presets]", strings.Join(policy.Presets(), ", "))
	found := map[string]string{}
	add := func(id, text string) {
		found[id] = links.ReplaceAllString(values.Replace(strings.Join(strings.Fields(text), " ")), "$1")
	}
	file, err := parser.ParseFile(token.NewFileSet(), "document.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range file.Decls {
		types, ok := decl.(*ast.GenDecl)
		if !ok || types.Tok != token.TYPE {
			continue
		}
		spec := types.Specs[0].(*ast.TypeSpec)
		add(spec.Name.Name, types.Doc.Text())
		for _, f := range spec.Type.(*ast.StructType).Fields.List {
			add(spec.Name.Name+"."+f.Names[0].Name, f.Doc.Text())
		}
	}
	for typ, docs := range map[reflect.Type]map[string]string{
		reflect.TypeFor[corev1.Toleration]():               corev1.Toleration{}.SwaggerDoc(),
		reflect.TypeFor[metav1.LabelSelector]():            metav1.LabelSelector{}.SwaggerDoc(),
		reflect.TypeFor[metav1.LabelSelectorRequirement](): metav1.LabelSelectorRequirement{}.SwaggerDoc(),
	} {
		for f := range typ.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			add(typ.Name()+"."+f.Name, docs[name])
		}
	}
	return found
}
