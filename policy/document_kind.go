package policy

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// checkKind is the document's kind, or empty where it is none that this build
// reads there. It comes first, since the fields of another kind are not to be
// held against ours.
func (s *Source) checkKind(doc *yaml.Node, r *report) string {
	if doc.Kind != yaml.MappingNode {
		r.errorf("", "begin with apiVersion: "+APIVersion, "must be a mapping, not %s", nodeKind(doc))
		return ""
	}
	before := len(r.problems)
	kinds := []string{KindJobPolicy}
	if s.System {
		kinds = append(kinds, KindGuardrail)
	}
	got := checkWord(doc, "apiVersion", []string{APIVersion}, r)
	kind := checkWord(doc, "kind", kinds, r)
	if kind == KindGuardrail && !s.System && got == APIVersion {
		r.problems[len(r.problems)-1].Message = "a Guardrail is read in the system namespace only"
		r.problems[len(r.problems)-1].Hint = "move it there"
	}
	if len(r.problems) > before {
		return ""
	}
	return kind
}

// checkWord is the string at a key, which must be one of known.
func checkWord(doc *yaml.Node, key string, known []string, r *report) string {
	got := scalarField(doc, key)
	hint := "write " + key + ": " + joinWords(known, "or")
	switch value, misspelled := findKey(doc, key); {
	case got != "" && slices.Contains(known, got):
	case got != "":
		if best := nearest(got, known); best != "" {
			hint = "write " + key + ": " + best
		}
		r.errorf(key, hint, "%q is not known", got)
	case misspelled != "":
		r.errorf(misspelled, fmt.Sprintf("did you mean %q?", key), "unknown field")
	case value != nil && !isNull(value) && value.ShortTag() != "!!str":
		r.errorf(key, hint, "must be a string, not %s", nodeKind(value))
	default:
		r.errorf(key, hint, "is missing")
	}
	return got
}

// findKey is the value at a key of a mapping or else, if there is none, the
// key that was probably meant for it.
func findKey(doc *yaml.Node, key string) (value *yaml.Node, misspelled string) {
	for i := 0; i+1 < len(doc.Content); i += 2 {
		switch have := doc.Content[i].Value; {
		case have == key:
			return doc.Content[i+1], ""
		case nearest(have, []string{key}) != "":
			misspelled = have
		}
	}
	return nil, misspelled
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
