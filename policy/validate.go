package policy

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
)

// validateJobPolicy checks what the types of a document cannot say, and
// compiles it into c on the way.
func validateJobPolicy(p *JobPolicy, c *compiled, r *report) {
	if p.Name != "" && !validName(p.Name) {
		r.errorf("name", "use lower case letters, digits and dashes", "%q is no name", p.Name)
	}
	if modes := []string{ModeEnforce, ModeAudit}; p.Mode != "" && !slices.Contains(modes, p.Mode) {
		r.errorf("mode", oneOf(p.Mode, modes), "%q is no mode", p.Mode)
	}
	if p.Inject == nil {
		r.errorf("inject", injectHint, "is missing")
		return
	}
	c.inject = *p.Inject
	c.secrets = validateSecrets(p.Inject.Secrets, r)
	validateEnv(p.Inject.Env, r)
	validateNodeSelector(p.Inject.NodeSelector, r)
	validateTolerations(p.Inject.Tolerations, r)
	validateResources(p.Inject.Resources, r)
	if in := p.Inject; len(in.Secrets)+len(in.Env)+len(in.NodeSelector)+len(in.Tolerations) == 0 && in.Resources == nil {
		r.errorf("inject", injectHint, "is empty")
	}
	c.match = validateMatch(p.Match, c, r)
}

const injectHint = "say what the pods are handed: secrets, env, nodeSelector, tolerations or resources"

func validName(name string) bool { return len(utilvalidation.IsDNS1123Label(name)) == 0 }

// validateSecretName checks the name of a Secret as the API server would.
func validateSecretName(path, name string, r *report) {
	if name == "" {
		r.errorf(path, "name a Secret of the job's namespace", "is missing")
		return
	}
	r.invalid(path, "name of a Secret", name, validation.NameIsDNSSubdomain(name, false))
}

// validateLabel checks a key and a value of a label or node selector.
func validateLabel(path, key, value string, r *report) {
	r.invalid(path, "label key", key, utilvalidation.IsQualifiedName(key))
	r.invalid(path, "label value", value, utilvalidation.IsValidLabelValue(value))
}

// invalid records that value is no such thing, for each rule of the validation
// library that it breaks. The rule is the way out.
func (r *report) invalid(path, what, value string, rules []string) {
	if value == "" && len(rules) > 0 {
		r.errorf(path, "write a "+what, "is missing")
		return
	}
	for _, rule := range rules {
		r.errorf(path, brief(rule), "%q is no %s", value, what)
	}
}

// oneOf is the hint for a word that is none of known: the one that was meant,
// or all of them.
func oneOf(word string, known []string) string {
	if best := nearest(word, known); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "write " + joinWords(known, "or")
}

// brief cuts the regular expression off a message of the validation library.
func brief(msg string) string {
	msg, _, _ = strings.Cut(msg, " (e.g.")
	return msg
}

// sorted iterates over a map in the order of its keys.
func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		// Not slices.Sorted, whose list grows as it goes.
		keys := slices.AppendSeq(make([]string, 0, len(m)), maps.Keys(m))
		slices.Sort(keys)
		for _, key := range keys {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}
