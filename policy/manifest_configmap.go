package policy

import (
	"fmt"
	"slices"
)

// configMap reads a ConfigMap and sorts it: in force, ours without the label,
// or none of ours.
func (m *manifestReader) configMap(tree map[string]any) {
	metadata, _ := tree["metadata"].(map[string]any)
	rawLabels, _ := metadata["labels"].(map[string]any)
	cm := ConfigMap{Namespace: text(metadata["namespace"]), Name: text(metadata["name"])}
	if cm.Namespace == "" {
		cm.Namespace = m.namespace
	}
	r := &report{document: configMapName(cm.Namespace, cm.Name)}
	if cm.Name == "" {
		r.document = "a ConfigMap without a name"
	}
	cm.Data = readStrings(tree["data"], "data", r)
	for key := range sorted(readStrings(tree["binaryData"], "binaryData", r)) {
		cm.BinaryKeys = append(cm.BinaryKeys, key)
	}
	_, labelled := rawLabels[LabelPolicy]
	if !labelled && !cm.holdsOurs() {
		m.Ignored++
		return
	}
	labels := readStrings(metadata["labels"], "metadata.labels", r)
	unknownFields(tree, r)
	if cm.Name == "" {
		r.errorf("metadata.name", "give it one", "is missing")
	}
	if labels[LabelPolicy] == "true" {
		m.ConfigMaps = append(m.ConfigMaps, cm)
	} else {
		m.Unlabelled = append(m.Unlabelled, cm)
		warnUnread(rawLabels[LabelPolicy], r)
	}
	m.Problems = append(m.Problems, r.problems...)
}

// holdsOurs tells whether a document of ours is in the ConfigMap's data.
func (cm *ConfigMap) holdsOurs() bool {
	for _, data := range cm.Data {
		if holdsOurs.MatchString(data) {
			return true
		}
	}
	return false
}

// warnUnread says why nothing reads the ConfigMap. A label that is no string is
// an error already.
func warnUnread(label any, r *report) {
	switch value := label.(type) {
	case nil:
		r.warnf("metadata.labels", "add "+LabelPolicy+`: "true"`, "lack %s, so nothing reads the policies in this ConfigMap", LabelPolicy)
	case string:
		r.warnf("metadata.labels["+LabelPolicy+"]", `write "true"`, "is %q, so nothing reads this ConfigMap", value)
	}
}

// readStrings reads a mapping of strings, which the API server insists on.
func readStrings(v any, path string, r *report) map[string]string {
	if v == nil {
		return nil
	}
	tree, ok := v.(map[string]any)
	if !ok {
		r.errorf(path, "", "must be a mapping, not %s", valueKind(v))
		return nil
	}
	values := make(map[string]string, len(tree))
	for key, v := range sorted(tree) {
		if s, ok := v.(string); ok {
			values[key] = s
			continue
		}
		hint := "put it in quotes"
		if path == "data" {
			hint = "write " + key + ": | and the document below it, indented"
		}
		r.errorf(path+"["+key+"]", hint, "must be a string, not %s", valueKind(v))
	}
	return values
}

// valueKind is what a value is, in words, and never the value.
func valueKind(v any) string {
	switch v.(type) {
	case nil:
		return "empty"
	case map[string]any:
		return "a mapping"
	case []any:
		return "a list"
	case bool:
		return "true or false"
	case string:
		return "a string"
	default:
		return "a number"
	}
}

// unknownFields reports what a ConfigMap has no field for: the documents under
// a mistyped one would be nowhere.
func unknownFields(tree map[string]any, r *report) {
	known := []string{"apiVersion", "kind", "metadata", "data", "binaryData", "immutable"}
	for key := range sorted(tree) {
		if slices.Contains(known, key) {
			continue
		}
		hint := ""
		if best := nearest(key, known); best != "" {
			hint = fmt.Sprintf("did you mean %q?", best)
		}
		r.errorf(key, hint, "unknown field of a ConfigMap")
	}
}
