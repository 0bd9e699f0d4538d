package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Manifest is what a file of manifests says about policies, read as kubectl
// and the API server would: a ConfigMap has the data, to the byte, that the API
// server would store.
type Manifest struct {
	// ConfigMaps that carry [LabelPolicy]: applied, they are in force.
	ConfigMaps []ConfigMap
	// Unlabelled ConfigMaps hold documents of ours without the label, so that
	// nothing reads them.
	Unlabelled []ConfigMap
	// Bare holds the documents that stand in the file without a ConfigMap, or
	// is nil. It has no namespace, the file's name, and the one key [BareKey];
	// it is of the system namespace if one of its documents can only be there.
	Bare *ConfigMap
	// Problems of the manifests themselves; those of the documents in them are
	// for [Compile] to find.
	Problems []Problem
	// Ignored is the number of manifests that are none of ours.
	Ignored int
}

// BareKey is the key under which documents without a ConfigMap are kept.
const BareKey = "policy.yaml"

// ReadManifest reads a file: a stream of YAML documents or of JSON values, each
// a ConfigMap, a List, a document of ours that stands alone, or anything else.
// A ConfigMap that names no namespace is in the one given. Which is the system
// namespace is for the caller to know.
func ReadManifest(file, namespace string, data []byte) Manifest {
	m := &manifestReader{namespace: namespace}
	for _, c := range split(string(data)) {
		tree, err := c.parse()
		switch {
		case err != nil:
			m.Problems = append(m.Problems, c.broken(err))
		case tree != nil:
			m.object(tree, c)
		}
	}
	if len(m.bare) > 0 {
		m.Bare = &ConfigMap{Name: file, System: m.system, Data: map[string]string{BareKey: strings.Join(m.bare, "---\n")}}
	}
	return m.Manifest
}

type manifestReader struct {
	Manifest
	namespace string
	bare      []string
	system    bool
}

// chunk is one document of a stream.
type chunk struct {
	text string
	// line is how many lines of the file stand before it.
	line int
	json bool
}

// split cuts a stream into its documents, so that a broken one does not hide
// the others. A line that begins with --- or ... is a marker wherever it
// stands: YAML allows it in no scalar.
func split(data string) []chunk {
	data = strings.TrimPrefix(data, "\ufeff")
	if chunks, err := splitJSON(data); err == nil {
		return chunks
	}
	chunks := []chunk{{}}
	line := 0
	for text := range strings.Lines(data) {
		if isMarker(text, "---") {
			chunks = append(chunks, chunk{line: line})
		}
		chunks[len(chunks)-1].text += text
		line++
		if isMarker(text, "...") {
			chunks = append(chunks, chunk{line: line})
		}
	}
	return chunks
}

// inPlace is the chunk below as many empty lines as there are before it in the
// file, which makes a parser count lines as the file does.
func (c *chunk) inPlace() string { return strings.Repeat("\n", c.line) + c.text }

// SplitStream cuts a stream of YAML documents or JSON values into one text for
// each, as [ReadManifest] does. A parser that is given one counts its lines as
// those of the stream.
func SplitStream(data []byte) []string {
	var texts []string
	for _, c := range split(string(data)) {
		texts = append(texts, c.inPlace())
	}
	return texts
}

func isMarker(line, marker string) bool {
	rest, ok := strings.CutPrefix(line, marker)
	return ok && (rest == "" || strings.ContainsAny(rest[:1], " \t\r\n"))
}

// splitJSON cuts a stream of JSON objects, which need nothing between them.
func splitJSON(data string) ([]chunk, error) {
	dec := json.NewDecoder(strings.NewReader(data))
	var chunks []chunk
	for {
		var value map[string]json.RawMessage
		start := dec.InputOffset()
		err := dec.Decode(&value)
		if errors.Is(err, io.EOF) && len(chunks) > 0 {
			return chunks, nil
		}
		if err != nil {
			return nil, err
		}
		chunks = append(chunks, chunk{
			text: data[start:dec.InputOffset()] + "\n", line: strings.Count(data[:start], "\n"), json: true,
		})
	}
}

// parse gives the object that the chunk holds, or nil where it holds none.
func (c *chunk) parse() (map[string]any, error) {
	var tree map[string]any
	if c.json {
		err := json.Unmarshal([]byte(c.text), &tree)
		return tree, err
	}
	if c.onlyDirectives() {
		return nil, nil
	}
	var doc yaml.Node
	err := yaml.NewDecoder(strings.NewReader(c.inPlace())).Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	datesAreStrings(&doc)
	if len(doc.Content) > 0 && doc.Content[0].Kind != yaml.MappingNode {
		return nil, nil
	}
	err = doc.Decode(&tree)
	return tree, err
}

// onlyDirectives tells of what may stand before the first marker: comments and
// %YAML, which the parser wants no end of stream after.
func (c *chunk) onlyDirectives() bool {
	for line := range strings.Lines(c.text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '%' && line[0] != '#' {
			return false
		}
	}
	return true
}

// datesAreStrings makes strings of what looks like a date, as kubectl does.
func datesAreStrings(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!timestamp" {
		n.Tag = "!!str"
	}
	for _, child := range n.Content {
		datesAreStrings(child)
	}
}

func (c *chunk) broken(err error) Problem {
	message := strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "yaml: ")), " ")
	if strings.HasPrefix(message, "invalid map key") {
		message = "a key is a mapping, and must be a string"
	}
	if !strings.Contains(message, "line ") {
		message = fmt.Sprintf("line %d: %s", c.line+1, message)
	}
	p := Problem{Severity: Error, Message: "is no YAML: " + message, Hint: "mend it there, or a line before"}
	if strings.Contains(c.text, "{{") {
		p.Hint = "a template has to be rendered first, as with `helm template . | quartermaster lint -`"
	}
	return p
}

// object sorts one object.
func (m *manifestReader) object(tree map[string]any, c chunk) {
	apiVersion, kind := text(tree["apiVersion"]), text(tree["kind"])
	switch {
	case apiVersion == "v1" && kind == "ConfigMap":
		m.configMap(tree)
	case apiVersion == "v1" && (kind == "List" || kind == "ConfigMapList"):
		items, _ := tree["items"].([]any)
		for _, item := range items {
			m.item(item, kind == "ConfigMapList")
		}
	case isOurs(apiVersion) || apiVersion == "" && (kind == KindJobPolicy || kind == KindGuardrail):
		m.bare = append(m.bare, strings.TrimPrefix(c.text, "---\n"))
		match, _ := tree["match"].(map[string]any)
		m.system = m.system || kind == KindGuardrail || match["namespaces"] != nil
	default:
		m.Ignored++
	}
}

func (m *manifestReader) item(item any, configMaps bool) {
	tree, _ := item.(map[string]any)
	apiVersion, kind := text(tree["apiVersion"]), text(tree["kind"])
	switch {
	case tree != nil && configMaps, apiVersion == "v1" && kind == "ConfigMap":
		m.configMap(tree)
	case isOurs(apiVersion):
		m.Problems = append(m.Problems, Problem{
			Severity: Error, Message: "a " + kind + " stands in a List, which no API server takes",
			Hint: "put it into the data of a ConfigMap labelled " + LabelPolicy + `: "true"`,
		})
	default:
		m.Ignored++
	}
}

// holdsOurs finds a document of ours in a value of a ConfigMap.
var holdsOurs = regexp.MustCompile(`(?m)^[\s{]*["']?apiVersion["']?\s*:\s*["']?quartermaster\.dev/`)

func isOurs(apiVersion string) bool { return strings.HasPrefix(apiVersion, "quartermaster.dev/") }

func text(v any) string {
	s, _ := v.(string)
	return s
}
