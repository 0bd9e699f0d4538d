package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
	kubejson "sigs.k8s.io/json"
)

// Decoding is stricter than any decoder at hand: exact case, no unknown field,
// no field twice, no null (which would silently drop a condition and so widen
// a policy), and all that is wrong reported at once, with its path. The tree
// that the YAML parser gives is therefore held against the Go type first; what
// passes is decoded by sigs.k8s.io/json, as the API server would.

const (
	// maxNodes bounds how many nodes aliases may blow a document up to.
	maxNodes = 100_000
	// maxEntries bounds lists of words or numbers, and mappings.
	maxEntries = 1_000
	// maxItems bounds lists of anything larger: each is held against each.
	maxItems = 100
	// maxDocuments bounds the documents of one key.
	maxDocuments = 500
)

// quotation is what an error of the YAML parser quotes of the document: a password
// that begins with an asterisk is an anchor to it.
var quotation = regexp.MustCompile("'[^']*'|`[^`]*`|\"[^\"]*\"")

// decodeYAML splits data into its YAML documents. A document that holds
// nothing but comments is left out.
func decodeYAML(data string) ([]*yaml.Node, error) {
	var docs []*yaml.Node
	dec := yaml.NewDecoder(strings.NewReader(data))
	for {
		var doc yaml.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, errors.New(quotation.ReplaceAllString(strings.TrimPrefix(err.Error(), "yaml: "), "…"))
		}
		if doc.Kind != yaml.DocumentNode || len(doc.Content) == 0 || isNull(doc.Content[0]) {
			continue
		}
		if docs = append(docs, doc.Content[0]); len(docs) > maxDocuments {
			return nil, fmt.Errorf("it holds more than %d documents", maxDocuments)
		}
	}
}

// decodeInto fills the struct that into points to, or reports why it cannot.
func decodeInto(node *yaml.Node, into any, r *report) bool {
	before := len(r.problems)
	s := shaper{report: r}
	tree := s.value(node, reflect.TypeOf(into).Elem(), "")
	if len(r.problems) > before {
		return false
	}
	data, err := json.Marshal(tree)
	if err == nil {
		var strict []error
		strict, err = kubejson.UnmarshalStrict(data, into)
		err = errors.Join(append(strict, err)...)
	}
	if err != nil {
		r.errorf("", "write it as the reference shows", "cannot be read: %v", err)
	}
	return err == nil
}
