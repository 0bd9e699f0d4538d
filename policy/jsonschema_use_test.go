package policy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"quartermaster.dev/policy"
	"quartermaster.dev/policy/policytest"
)

// compileSchema reads the schema as an editor does.
func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	file, err := os.Open(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	tree, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", tree); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// yamlDocuments are the documents of a stream of YAML, as values of JSON.
func yamlDocuments(t *testing.T, data string) []any {
	t.Helper()
	var all []any
	dec := yaml.NewDecoder(strings.NewReader(data))
	for {
		var v any
		if err := dec.Decode(&v); err != nil {
			return all
		}
		if v != nil {
			all = append(all, v)
		}
	}
}

// TestSchemaTakesWhatIsGood validates every document without an error: those of
// the corpus, those of the reference, and those that use every field.
func TestSchemaTakesWhatIsGood(t *testing.T) {
	t.Parallel()
	s := compileSchema(t)
	take := func(where, data string) {
		for _, doc := range yamlDocuments(t, data) {
			if err := s.Validate(doc); err != nil {
				t.Errorf("%s: %v\n%s", where, err, data)
			}
		}
	}
	files, err := filepath.Glob("testdata/*/policy.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no policy in the corpus: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, cm := range policy.ReadManifest(file, "dev", data).ConfigMaps {
			cm.System = cm.Namespace == policytest.SystemNamespace
			if policy.Compile(cm).Broken() {
				continue
			}
			for key, data := range cm.Data {
				take(file+" "+key, data)
			}
		}
	}
	for _, e := range examples(t) {
		if doc := e.document(); !e.wrong && !strings.Contains(doc, "kind: ConfigMap") {
			take(readme, doc)
		}
	}
	for _, d := range documents {
		data, err := os.ReadFile(d.file)
		if err != nil {
			t.Fatal(err)
		}
		take(d.file, string(data))
	}
}

// betweenFields are values that are wrong only beside others, that are reserved,
// or too large for editors to tell, none of which the schema knows.
var betweenFields = map[string]bool{
	"match.projectIDs[0] 9223372036854775808": true, "match.rootNamespaceIDs[0] 9223372036854775808": true,
	"inject.secrets[0].key known_hosts": true, "inject.secrets[0].home /usr": true, "inject.secrets[0].home /home/": true,
	"inject.secrets[1].mountPath /": true, "inject.secrets[1].mountPath /usr/bin": true, "inject.secrets[1].mountPath /var": true,
	"inject.secrets[1].mountPath /etc/../root": true, "inject.secrets[2].subPath ../ca.crt": true, "inject.secrets[2].subPath ..data": true,
	"inject.secrets[1].items[0].path ../a": true, "inject.secrets[1].items[0].path ..a": true, "inject.secrets[1].items[0].path ..": true,
	"inject.secrets[1].items[0].path .": true, "inject.secrets[1].items[0].path a/../../b": true,
	"inject.secrets[1].defaultMode 440": true, "inject.secrets[1].defaultMode 600": true, "inject.secrets[1].defaultMode 01000": true,
	"inject.tolerations[0].operator Exists": true, "inject.tolerations[0].effect NoSchedule": true,
}

// TestSchemaRefusesWhatIsWrong has the rows of TestBrokenDocuments: whatever is
// wrong with a field alone must fail in an editor as well. Of what no YAML
// parser gives on, a key that stands twice, it cannot know.
func TestSchemaRefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := compileSchema(t)
	for _, d := range documents {
		for _, f := range documentFields(t, d.typ, readDocument(t, d.file)) {
			for _, r := range rows(t, &f) {
				doc := readDocument(t, d.file)
				r.apply(t, doc, &f)
				known := r.name == "out of range" && (betweenFields[f.path()+" "+r.value] || !hasPattern(f.id))
				if r.twice || r.name == "empty" || known {
					continue
				}
				var tree any
				if err := doc.Decode(&tree); err != nil {
					t.Fatal(err)
				}
				if s.Validate(tree) == nil {
					t.Errorf("%s %s: the schema takes %s: %s %s", d.kind, f.path(), r.name, r.key, r.value)
				}
			}
		}
	}
}

// hasPattern tells whether the schema says more of a field than its type, and
// more than which names are reserved.
func hasPattern(id string) bool {
	return constraints[id] != nil && id != "EnvVar.name" && id != "Subject.name" && id != "Match.runnerNames[]"
}
