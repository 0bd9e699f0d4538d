package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ConfigMap is the part of a core/v1 ConfigMap labelled [LabelPolicy] that a
// policy is read from.
type ConfigMap struct {
	Namespace, Name string
	// System says that Namespace is the system namespace: policies there are
	// cluster-wide, and guardrails live there.
	System bool
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
	// System says that it is of the system namespace.
	System bool
	// Problems found in it. If any of them is an [Error], the source is broken.
	Problems []Problem

	policies []*compiled
	bounds   []*bound
	// reach and reachesAll are which namespaces the broken documents of a source
	// of the system namespace might be about.
	reach      []string
	reachesAll bool
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
	audit   bool
	match   matcher
	inject  Inject
	secrets []secret
	// nodeSelector is that of inject, sorted.
	nodeSelector []term
}

// handsCredentials tells whether the policy gives a pod something secret.
func (c *compiled) handsCredentials() bool { return len(c.secrets) > 0 || handsSecretEnv(c.inject.Env) }

// credentials are what the policy gives a pod that is secret, in words.
func (c *compiled) credentials() []string {
	var names []string
	add := func(secret string) {
		if name := fmt.Sprintf("Secret %q", secret); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for i := range c.secrets {
		add(c.secrets[i].name)
	}
	for _, e := range c.inject.Env {
		if e.ValueFrom != nil {
			add(e.ValueFrom.SecretKeyRef.Name)
		}
	}
	return names
}

// Compile reads all documents of a ConfigMap. What is wrong is in the
// source's Problems; documents that are right are compiled all the same, so
// that lint can check what is between them.
func Compile(cm ConfigMap) *Source {
	s := &Source{Namespace: cm.Namespace, Name: cm.Name, System: cm.System, Hash: hashData(cm.Data)}
	whole := &report{document: s.String()}
	for _, key := range slices.Sorted(slices.Values(cm.BinaryKeys)) {
		whole.errorf("binaryData["+key+"]", "move the document to data", "documents are read from data only")
	}
	if len(cm.Data) == 0 && len(cm.BinaryKeys) == 0 {
		whole.errorf("data", "add a key such as policy.yaml, or take the label "+LabelPolicy+" off",
			"the ConfigMap is labelled as policy and holds no document")
	}
	s.Problems = append(s.Problems, whole.problems...)
	s.reachesAll = HasErrors(whole.problems)
	for _, key := range slices.Sorted(maps.Keys(cm.Data)) {
		s.compileKey(key, cm.Data[key])
	}
	return s
}

func (s *Source) compileKey(key, data string) {
	file := s.String() + " " + key
	r := &report{document: file}
	defer func() {
		s.Problems = append(s.Problems, r.problems...)
		s.reachesAll = s.reachesAll || HasErrors(r.problems)
	}()
	if !strings.HasSuffix(key, ".yaml") {
		r.errorf("", "rename the key to "+strings.TrimSuffix(key, ".yml")+".yaml", "only keys that end in .yaml are read")
		return
	}
	docs, err := decodeYAML(data)
	if err != nil {
		r.errorf("", "mend it there, or a line before", "is no YAML: %v", err)
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
	defer func() {
		s.Problems = append(s.Problems, r.problems...)
		if HasErrors(r.problems) {
			s.addReach(doc)
		}
	}()
	kind := s.checkKind(doc, r)
	if kind == "" {
		return
	}
	if name := scalarField(doc, "name"); name != "" && validName(name) {
		r.document = file + " " + name
		if names[name] {
			r.errorf("name", "give each document a name of its own", "%q names two documents", name)
		}
		names[name] = true
	}
	if kind == KindGuardrail {
		s.compileGuardrail(doc, r)
		return
	}
	s.compileJobPolicy(doc, r)
}

func (s *Source) compileJobPolicy(doc *yaml.Node, r *report) {
	var p JobPolicy
	if decodeInto(doc, &p, r) {
		c := &compiled{source: s, origin: r.document, audit: p.Mode == ModeAudit}
		validateJobPolicy(&p, c, r)
		if !HasErrors(r.problems) {
			c.slim()
			s.policies = append(s.policies, c)
		}
	}
}

// slim gives back what a decoder took in advance, and what is compiled into
// something else: there may be ten thousand policies.
func (c *compiled) slim() {
	c.inject.Secrets = nil
	for key, value := range sorted(c.inject.NodeSelector) {
		c.nodeSelector = append(c.nodeSelector, term{key, value})
	}
	c.inject.NodeSelector, c.nodeSelector = nil, clip(c.nodeSelector)
	c.inject.Env, c.inject.Tolerations = clip(c.inject.Env), clip(c.inject.Tolerations)
	c.match.createdBy, c.match.labels = clip(c.match.createdBy), clip(c.match.labels)
}

func clip[T any](list []T) []T {
	if len(list) == cap(list) {
		return list
	}
	return append(make([]T, 0, len(list)), list...)
}

func (s *Source) compileGuardrail(doc *yaml.Node, r *report) {
	var g Guardrail
	if decodeInto(doc, &g, r) {
		b := validateGuardrail(&g, r)
		if !HasErrors(r.problems) {
			s.bounds = append(s.bounds, b)
		}
	}
}

// addReach adds the namespaces that a broken document might be about: those
// that it names, if so much of it can be read, or else all. So what is broken
// is closed, and nothing else. Only the system namespace reaches any but itself.
func (s *Source) addReach(doc *yaml.Node) {
	if !s.System {
		return
	}
	var named []string
	match := valueAt(doc, "match")
	switch kind := scalarField(doc, "kind"); {
	case kind == KindGuardrail && legible(doc, reflect.TypeFor[Guardrail]()):
		named = stringsAt(valueAt(doc, "namespaces"))
	case kind == KindJobPolicy && legible(doc, reflect.TypeFor[JobPolicy]()) && legible(match, reflect.TypeFor[Match]()):
		named = stringsAt(valueAt(match, "namespaces"))
	}
	// A name that no namespace can have tells nothing of the one that was meant.
	var r report
	namespaceGlobs("", named, &r)
	if len(named) == 0 || HasErrors(r.problems) {
		s.reachesAll = true
	}
	s.reach = append(s.reach, named...)
}

// legible tells whether a mapping holds only fields of its type, each once: a
// misspelt or second field of another may be the one that was meant.
func legible(n *yaml.Node, t reflect.Type) bool {
	if n == nil || n.Kind != yaml.MappingNode || len(n.Content) > 2*maxEntries {
		return false
	}
	fields, seen := jsonFields(t), map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		if _, known := fields[key]; !known || seen[key] {
			return false
		}
		seen[key] = true
	}
	return true
}

// valueAt is the value at a key of a mapping, or nil.
func valueAt(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// stringsAt are the items of a list; what is none, or is no string, makes an
// empty one, which no namespace is named by.
func stringsAt(n *yaml.Node) []string {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	var items []string
	for _, item := range n.Content {
		if item.Kind == yaml.ScalarNode {
			items = append(items, item.Value)
		} else {
			items = append(items, "")
		}
	}
	return items
}

// hashData is the same for equal data, and for nothing else: lengths go in
// with the strings.
func hashData(data map[string]string) string {
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(data)) {
		fmt.Fprintf(h, "%d:%s%d:%s", len(key), key, len(data[key]), data[key])
	}
	return hex.EncodeToString(h.Sum(nil)[:4])
}

func configMapName(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}
