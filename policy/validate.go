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
		hint := "write " + joinWords(modes, "or")
		if best := nearest(p.Mode, modes); best != "" {
			hint = fmt.Sprintf("did you mean %q?", best)
		}
		r.errorf("mode", hint, "%q is no mode", p.Mode)
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
	for _, msg := range validation.NameIsDNSSubdomain(name, false) {
		r.errorf(path, "", "%q is no name of a Secret: %s", name, brief(msg))
	}
}

// validateLabel checks a key and a value of a label or node selector.
func validateLabel(path, key, value string, r *report) {
	for _, msg := range utilvalidation.IsQualifiedName(key) {
		r.errorf(path, "", "%q is no label key: %s", key, brief(msg))
	}
	for _, msg := range utilvalidation.IsValidLabelValue(value) {
		r.errorf(path, "", "%q is no label value: %s", value, brief(msg))
	}
}

// brief cuts the regular expression off a message of the validation library.
func brief(msg string) string {
	msg, _, _ = strings.Cut(msg, " (e.g.")
	return msg
}

// sorted iterates over a map in the order of its keys.
func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}
