package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ConfigMap is the part of a core/v1 ConfigMap labelled [LabelPolicy] that a
// policy is read from.
type ConfigMap struct {
	Namespace, Name string
	// Data holds the documents: each key ends in .yaml.
	Data map[string]string
	// BinaryKeys are the keys of binaryData. There may be none.
	BinaryKeys []string
}

// Source is a ConfigMap compiled: its policies, or what is wrong with it. It
// is immutable and may be shared by any number of [Set]s.
type Source struct {
	// Namespace and Name of the ConfigMap.
	Namespace, Name string
	// Hash is 8 hex digits of the ConfigMap's data, whoever reads it where.
	Hash string
	// Problems found in it. If any of them is an [Error], the source is broken.
	Problems []Problem

	policies []*compiled
}

// String is how messages name the ConfigMap: namespace/name.
func (s *Source) String() string { return configMapName(s.Namespace, s.Name) }

// Broken tells whether the source has errors: then none of its policies
// applies, and the job pods of its namespace are refused.
func (s *Source) Broken() bool { return HasErrors(s.Problems) }

// Stamp is the source's part of [AnnotationApplied].
func (s *Source) Stamp() string { return s.String() + "@" + s.Hash }

// compiled is one policy, ready to decide with.
type compiled struct {
	source *Source
	// origin names the policy in messages: "dev/runner-jobs policy.yaml deploy".
	origin  string
	match   matcher
	inject  Inject
	secrets []secret
}

// handsCredentials tells whether the policy gives a pod something secret.
func (c *compiled) handsCredentials() bool { return len(c.secrets) > 0 }

// Compile reads all documents of a ConfigMap. What is wrong is in the
// source's Problems; documents that are right are compiled all the same, so
// that lint can check what is between them.
func Compile(cm ConfigMap) *Source {
	s := &Source{Namespace: cm.Namespace, Name: cm.Name, Hash: hashData(cm.Data)}
	whole := &report{document: s.String()}
	for _, key := range slices.Sorted(slices.Values(cm.BinaryKeys)) {
		whole.errorf("binaryData["+key+"]", "move the document to data", "documents are read from data only")
	}
	if len(cm.Data) == 0 && len(cm.BinaryKeys) == 0 {
		whole.errorf("data", "add a key such as policy.yaml, or take the label "+LabelPolicy+" off",
			"the ConfigMap is labelled as policy and holds no document")
	}
	s.Problems = append(s.Problems, whole.problems...)
	for _, key := range slices.Sorted(maps.Keys(cm.Data)) {
		s.compileKey(key, cm.Data[key])
	}
	return s
}

func (s *Source) compileKey(key, data string) {
	file := s.String() + " " + key
	r := &report{document: file}
	defer func() { s.Problems = append(s.Problems, r.problems...) }()
	if !strings.HasSuffix(key, ".yaml") {
		r.errorf("", "rename the key to "+strings.TrimSuffix(key, ".yml")+".yaml", "only keys that end in .yaml are read")
		return
	}
	docs, err := decodeYAML(data)
	if err != nil {
		r.errorf("", "", "is no YAML: %v", err)
		return
	}
	if len(docs) == 0 {
		r.errorf("", "write one, or take the key out", "holds no document")
		return
	}
	names := map[string]bool{}
	for i, doc := range docs {
		origin := file
		if len(docs) > 1 {
			origin = fmt.Sprintf("%s #%d", file, i+1)
		}
		s.compileDocument(doc, file, origin, names)
	}
}

// compileDocument compiles one document. Its name, once it is known to be
// good, replaces the number in origin.
func (s *Source) compileDocument(doc *yaml.Node, file, origin string, names map[string]bool) {
	r := &report{document: origin}
	defer func() { s.Problems = append(s.Problems, r.problems...) }()
	if !checkKind(doc, r) {
		return
	}
	if name := scalarField(doc, "name"); name != "" && validName(name) {
		r.document = file + " " + name
		if names[name] {
			r.errorf("name", "give each document a name of its own", "%q names two documents", name)
		}
		names[name] = true
	}
	var p JobPolicy
	if !decodeInto(doc, &p, r) {
		return
	}
	c := &compiled{source: s, origin: r.document}
	validateJobPolicy(&p, c, r)
	if !HasErrors(r.problems) {
		s.policies = append(s.policies, c)
	}
}

// checkKind tells whether the document is one that this build reads. It comes
// first, since the fields of another kind are not to be held against ours.
func checkKind(doc *yaml.Node, r *report) bool {
	if doc.Kind != yaml.MappingNode {
		r.errorf("", "begin with apiVersion: "+APIVersion, "must be a mapping, not %s", nodeKind(doc))
		return false
	}
	before := len(r.problems)
	for _, field := range []struct{ path, want string }{{"apiVersion", APIVersion}, {"kind", KindJobPolicy}} {
		hint := "write " + field.path + ": " + field.want
		switch got := scalarField(doc, field.path); got {
		case field.want:
		case "":
			r.errorf(field.path, hint, "is missing")
		default:
			r.errorf(field.path, hint, "%q is not known", got)
		}
	}
	return len(r.problems) == before
}

// scalarField is the string at a key of a mapping, or empty.
func scalarField(doc *yaml.Node, key string) string {
	for i := 0; i+1 < len(doc.Content); i += 2 {
		v := doc.Content[i+1]
		if doc.Content[i].Value == key && v.Kind == yaml.ScalarNode && v.ShortTag() == "!!str" {
			return v.Value
		}
	}
	return ""
}

// hashData is the same for equal data, and for nothing else: lengths go in
// with the strings.
func hashData(data map[string]string) string {
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(data)) {
		fmt.Fprintf(h, "%d:%s%d:%s", len(key), key, len(data[key]), data[key])
	}
	return hex.EncodeToString(h.Sum(nil))[:8]
}

func configMapName(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}
