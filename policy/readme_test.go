package policy_test

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"quartermaster.dev/policy"
)

const readme = "README.md"

// fieldSections are where the reference describes the fields of each type.
var fieldSections = map[reflect.Type]string{
	reflect.TypeFor[policy.JobPolicy]():                "JobPolicy",
	reflect.TypeFor[policy.Inject]():                   "JobPolicy",
	reflect.TypeFor[policy.Match]():                    "match",
	reflect.TypeFor[policy.Subject]():                  "match",
	reflect.TypeFor[metav1.LabelSelector]():            "match",
	reflect.TypeFor[metav1.LabelSelectorRequirement](): "match",
	reflect.TypeFor[policy.SecretMount]():              "inject.secrets",
	reflect.TypeFor[policy.KeyToPath]():                "inject.secrets",
	reflect.TypeFor[policy.EnvVar]():                   "inject.env",
	reflect.TypeFor[policy.EnvVarSource]():             "inject.env",
	reflect.TypeFor[policy.SecretKeySelector]():        "inject.env",
	reflect.TypeFor[corev1.Toleration]():               "inject.tolerations",
	reflect.TypeFor[policy.Resources]():                "inject.resources",
	reflect.TypeFor[policy.ResourceRequirements]():     "inject.resources",
	reflect.TypeFor[policy.Guardrail]():                "Guardrail",
	reflect.TypeFor[policy.Allow]():                    "Guardrail",
}

// readReadme is the reference, and its sections by their titles.
func readReadme(t *testing.T) (text string, sections map[string]string) {
	t.Helper()
	data, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	sections = map[string]string{}
	for _, part := range regexp.MustCompile(`(?m)^## `).Split(string(data), -1)[1:] {
		title, body, _ := strings.Cut(part, "\n")
		sections[title] = body
	}
	return string(data), sections
}

// TestReferenceHasEveryField wants a row of a table for each field of the
// documents, in the section of its type.
func TestReferenceHasEveryField(t *testing.T) {
	t.Parallel()
	_, sections := readReadme(t)
	titles := map[string]string{}
	for typ, title := range fieldSections {
		titles[typ.Name()] = title
	}
	for _, d := range documents {
		for _, f := range typeFields(d.typ, map[reflect.Type]bool{}) {
			typ, _, _ := strings.Cut(f.id, ".")
			if f.value() {
				continue
			}
			title, ok := titles[typ]
			if !ok {
				t.Errorf("fieldSections names no section for the fields of %s", typ)
			} else if !strings.Contains(sections[title], "\n| `"+f.name+"` |") {
				t.Errorf("section %q of %s has no row for %s", title, readme, f.id)
			}
		}
	}
}

// TestReferenceHasEveryKind wants a row for each kind of pod, and no other.
func TestReferenceHasEveryKind(t *testing.T) {
	t.Parallel()
	_, sections := readReadme(t)
	var want []string
	for _, kind := range policy.Kinds() {
		want = append(want, string(kind))
	}
	var got []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllStringSubmatch(sections["Kinds of pod"], -1) {
		got = append(got, m[1])
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kinds of pod (-code +%s):\n%s", readme, diff)
	}
}

// example is a block of the reference in YAML, and what is said about it.
type example struct {
	text  string
	wrong bool
	said  string
}

// examples are all blocks in YAML.
func examples(t *testing.T) []example {
	t.Helper()
	text, _ := readReadme(t)
	var all []example
	blocks := regexp.MustCompile("(?ms)^```(yaml|yaml wrong)\n(.*?)^```\n(?:```text\n(.*?)^```\n)?").FindAllStringSubmatch(text, -1)
	for _, m := range blocks {
		e := example{text: m[2], wrong: m[1] == "yaml wrong", said: m[3]}
		if e.wrong != (e.said != "") {
			t.Errorf("what is wrong goes with what is said, and what is right without:\n%s", e.text)
		}
		all = append(all, e)
	}
	if len(all) == 0 || len(all) != strings.Count(text, "```yaml") {
		t.Fatalf("found %d of %d examples", len(all), strings.Count(text, "```yaml"))
	}
	return all
}

// document is the example as a whole document: match or inject can stand alone.
func (e *example) document() string {
	if strings.Contains(e.text, "apiVersion:") {
		return e.text
	}
	doc := "apiVersion: quartermaster.dev/v1alpha1\nkind: JobPolicy\n" + e.text
	if !strings.Contains(e.text, "match:") {
		doc += "match: {}\n"
	}
	if !strings.Contains(e.text, "inject:") {
		doc += "inject: {nodeSelector: {a: b}}\n"
	}
	return doc
}

// TestReferenceExamples compiles each example, and wants no problem or the ones
// that are shown.
func TestReferenceExamples(t *testing.T) {
	t.Parallel()
	for _, e := range examples(t) {
		m := policy.ReadManifest("x", "dev", []byte(e.document()))
		cms := m.ConfigMaps
		if m.Bare != nil {
			cms = append(cms, *m.Bare)
		}
		if len(cms) != 1 || len(m.Problems) > 0 {
			t.Errorf("no document: %v\n%s", m.Problems, e.text)
			continue
		}
		cms[0].System = strings.Contains(e.text, "\n  namespaces:") || strings.Contains(e.text, "kind: Guardrail")
		var got strings.Builder
		for _, p := range policy.Compile(cms[0]).Problems {
			if p.Document = ""; p.Severity != policy.Note {
				fmt.Fprintln(&got, p)
			}
		}
		if diff := cmp.Diff(e.said, got.String()); diff != "" {
			t.Errorf("%s\nwhat is shown (-) is not what is said (+):\n%s", e.text, diff)
		}
	}
}
