package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"quartermaster.dev/policy"
)

const document = `apiVersion: quartermaster.dev/v1alpha1
kind: JobPolicy
match: {}
inject:
  secrets:
  - {name: dev-api-key, preset: scaleway}
`

func TestReadManifestSortsWhatItFinds(t *testing.T) {
	t.Parallel()
	const labelled = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\n  labels: {quartermaster.dev/policy: \"true\"}\ndata:\n  policy.yaml: |\n    a: 1\n"
	cm := func(namespace, name string) policy.ConfigMap {
		return policy.ConfigMap{Namespace: namespace, Name: name, Data: map[string]string{"policy.yaml": "a: 1\n"}}
	}
	tests := map[string]struct {
		file string
		want policy.Manifest
	}{
		"nothing":                    {"", policy.Manifest{}},
		"comments":                   {"# nothing\n---\n# here\n", policy.Manifest{}},
		"one ConfigMap":              {fmt.Sprintf(labelled, "a"), policy.Manifest{ConfigMaps: []policy.ConfigMap{cm("dev", "a")}}},
		"its own namespace":          {strings.Replace(fmt.Sprintf(labelled, "a"), "  name:", "  namespace: prod\n  name:", 1), policy.Manifest{ConfigMaps: []policy.ConfigMap{cm("prod", "a")}}},
		"a stream":                   {fmt.Sprintf(labelled, "a") + "--- # next\n" + fmt.Sprintf(labelled, "b") + "...\n---\n", policy.Manifest{ConfigMaps: []policy.ConfigMap{cm("dev", "a"), cm("dev", "b")}}},
		"a directive and a mark":     {"\ufeff# x\n%YAML 1.2\n---\n" + fmt.Sprintf(labelled, "a"), policy.Manifest{ConfigMaps: []policy.ConfigMap{cm("dev", "a")}}},
		"lines that end as Windows'": {strings.ReplaceAll("---\n"+fmt.Sprintf(labelled, "a"), "\n", "\r\n"), policy.Manifest{ConfigMaps: []policy.ConfigMap{cm("dev", "a")}}},
		"a list":                     {"apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(strings.TrimSpace(fmt.Sprintf(labelled, "a")), "\n", "\n  ") + "\n- {apiVersion: v1, kind: Secret}\n", policy.Manifest{ConfigMaps: []policy.ConfigMap{cm("dev", "a")}, Ignored: 1}},
		"a list as the API has it":   {`{"apiVersion": "v1", "kind": "ConfigMapList", "items": [{"metadata": {"name": "a", "labels": {"quartermaster.dev/policy": "true"}}, "data": {"policy.yaml": "a: 1\n"}}]}`, policy.Manifest{ConfigMaps: []policy.ConfigMap{cm("dev", "a")}}},
		"JSON values":                {"{\"kind\": \"Pod\"}{\"kind\":\"Pod\"}\n", policy.Manifest{Ignored: 2}},
		"binary data":                {strings.Replace(fmt.Sprintf(labelled, "a"), "\ndata:", "\nbinaryData: {z: AA==, b: AA==}\ndata:", 1), policy.Manifest{ConfigMaps: []policy.ConfigMap{{Namespace: "dev", Name: "a", Data: map[string]string{"policy.yaml": "a: 1\n"}, BinaryKeys: []string{"b", "z"}}}}},
		"none of ours":               {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {at: 2026-01-01}}\ndata: {a: b}\n---\nkind: Pod\n", policy.Manifest{Ignored: 2}},
		"a date as a label":          {strings.Replace(fmt.Sprintf(labelled, "a"), "labels: {", "labels: {at: 2026-01-01, ", 1), policy.Manifest{ConfigMaps: []policy.ConfigMap{cm("dev", "a")}}},
		"documents without ConfigMap": {
			"---\n" + document + "---\nkind: Pod\n---\n" + document,
			policy.Manifest{Bare: &policy.ConfigMap{Name: "dir/file.yaml", Data: map[string]string{policy.BareKey: document + "---\n" + document}}, Ignored: 1},
		},
		"a guardrail without ConfigMap": {
			"apiVersion: quartermaster.dev/v1alpha1\nkind: Guardrail\n",
			policy.Manifest{Bare: &policy.ConfigMap{Name: "dir/file.yaml", System: true, Data: map[string]string{policy.BareKey: "apiVersion: quartermaster.dev/v1alpha1\nkind: Guardrail\n"}}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := policy.ReadManifest("dir/file.yaml", "dev", []byte(tt.file))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("ReadManifest (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadManifestReportsWhatIsWrong(t *testing.T) {
	t.Parallel()
	indented := "    " + strings.TrimSpace(strings.ReplaceAll(document, "\n", "\n    ")) + "\n"
	unlabelled := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  policy.yaml: |\n" + indented
	labels := func(labels string) string {
		return strings.Replace(unlabelled, "name: a", "name: a\n  labels: "+labels, 1)
	}
	tests := map[string]struct{ file, want string }{
		"no label":         {unlabelled, `warning: dev/a: metadata.labels: lack quartermaster.dev/policy, so nothing reads the policies in this ConfigMap; add quartermaster.dev/policy: "true"`},
		"another label":    {labels(`{quartermaster.dev/policy: "yes"}`), `warning: dev/a: metadata.labels[quartermaster.dev/policy]: is "yes", so nothing reads this ConfigMap; write "true"`},
		"no quotes":        {labels(`{quartermaster.dev/policy: true}`), `error: dev/a: metadata.labels[quartermaster.dev/policy]: must be a string, not true or false; put it in quotes`},
		"no quotes, twice": {labels(`{quartermaster.dev/policy: true, stage: 1}`), "error: dev/a: metadata.labels[quartermaster.dev/policy]: must be a string, not true or false; put it in quotes\nerror: dev/a: metadata.labels[stage]: must be a string, not a number; put it in quotes"},
		"no block": {
			strings.Replace(labels(`{quartermaster.dev/policy: "true"}`), "policy.yaml: |", "policy.yaml:", 1),
			"error: dev/a: data[policy.yaml]: must be a string, not a mapping; write policy.yaml: | and the document below it, indented",
		},
		"data mistyped": {
			strings.Replace(labels(`{quartermaster.dev/policy: "true"}`), "\ndata:", "\nData:", 1),
			`error: dev/a: Data: unknown field of a ConfigMap; did you mean "data"?`,
		},
		"no name":        {strings.Replace(labels(`{quartermaster.dev/policy: "true"}`), "  name: a\n", "", 1), "error: a ConfigMap without a name: metadata.name: is missing; give it one"},
		"broken":         {"a: 1\n---\nkind: Pod\n---\na: 1\nb: [\n", "error: is no YAML: line 6: did not find expected node content; mend it there, or a line before"},
		"a key twice":    {"a: 1\n---\nkind: Pod\nkind: Pod\n", `error: is no YAML: unmarshal errors: line 4: mapping key "kind" already defined at line 3; mend it there, or a line before`},
		"a template":     {"---\na: {{ .Values.a }}\n", "error: is no YAML: line 1: a key is a mapping, and must be a string; a template has to be rendered first, as with `helm template . | quartermaster lint -`"},
		"ours in a list": {"apiVersion: v1\nkind: List\nitems:\n- " + strings.ReplaceAll(strings.TrimSpace(document), "\n", "\n  "), `error: a JobPolicy stands in a List, which no API server takes; put it into the data of a ConfigMap labelled quartermaster.dev/policy: "true"`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range policy.ReadManifest("file.yaml", "dev", []byte(tt.file)).Problems {
				got = append(got, p.Severity.String()+": "+p.String())
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// TestReadManifestKeepsDataToTheByte holds the reader against the one that
// kubectl uses: the hash in the stamp is that of the data.
func TestReadManifestKeepsDataToTheByte(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		"|\n    a: 1\n", "|-\n    a: 1\n", "|+\n    a: 1\n\n\n", ">\n    a: 1\n    b\n\n    c\n", ">-\n    a\n      b\n",
		"|2\n      indented: more\n", "\"a: 1\\n\\tb\\u00e9\"\n", "'a: ''1'''\n", "plain text\n   goes on\n",
		"|\n    a: 1  \n    \t\n    # not a comment\n", "|\n    ---\n    a: 1\n    ...\n", "|\r\n    a: 1\r\n    b: 2\r\n", "|\n\n    a: 1\n",
	} {
		for _, after := range []string{"", "  z: \"\"\n", "# a comment\n", "\n\n"} {
			file := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels: {quartermaster.dev/policy: \"true\"}\ndata:\n  policy.yaml: " + data + after
			var want corev1.ConfigMap
			if err := yaml.Unmarshal([]byte(file), &want); err != nil {
				t.Fatalf("%v:\n%s", err, file)
			}
			got := policy.ReadManifest("file.yaml", "dev", []byte(file))
			if len(got.ConfigMaps) != 1 {
				t.Errorf("no ConfigMap but %+v in\n%s", got, file)
				continue
			}
			if diff := cmp.Diff(want.Data, got.ConfigMaps[0].Data); diff != "" {
				t.Errorf("data (-kubectl +ours):\n%s\nof\n%s", diff, file)
			}
		}
	}
}

func TestSplitStreamKeepsTheLines(t *testing.T) {
	t.Parallel()
	for stream, want := range map[string][]string{
		"a: 1\n---\nb: 2\n":        {"a: 1\n", "\n---\nb: 2\n"},
		"a: 1\n...\n---x: 1\n":     {"a: 1\n...\n", "\n\n---x: 1\n"},
		"{\"a\": 1}\n{\"b\": 2}\n": {"{\"a\": 1}\n", "\n{\"b\": 2}\n"},
	} {
		if diff := cmp.Diff(want, policy.SplitStream([]byte(stream))); diff != "" {
			t.Errorf("SplitStream(%q) (-want +got):\n%s", stream, diff)
		}
	}
}

// FuzzReadManifest feeds what a user may have in a file.
func FuzzReadManifest(f *testing.F) {
	f.Add([]byte(document))
	f.Add([]byte("apiVersion: v1\nkind: ConfigMap\nmetadata: &m {name: a, labels: {quartermaster.dev/policy: \"true\"}}\ndata: {policy.yaml: \"a: 1\"}\nb: *m\n---\n- 1\n...\n%YAML 1.2\n"))
	f.Add([]byte("{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [{\"kind\": \"ConfigMap\"}, null, 1]}{}"))
	f.Add([]byte("apiVersion: v1\nkind: ConfigMapList\nitems: [{metadata: 1, data: [], binaryData: {a: 2001-01-01}}]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := policy.ReadManifest("file.yaml", "dev", data)
		if diff := cmp.Diff(m, policy.ReadManifest("file.yaml", "dev", data)); diff != "" {
			t.Errorf("read twice:\n%s", diff)
		}
		for _, cm := range m.ConfigMaps {
			policy.Compile(cm)
		}
	})
}
