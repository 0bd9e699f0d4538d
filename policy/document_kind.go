package policy

import (
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
	switch {
	case got == "":
		r.errorf(key, hint, "is missing")
	case !slices.Contains(known, got):
		r.errorf(key, hint, "%q is not known", got)
	}
	return got
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
