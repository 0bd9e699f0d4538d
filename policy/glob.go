package policy

import (
	"fmt"
	"path"
	"slices"
	"strings"

	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
)

// matchesAny tells whether one of the globs matches. They were validated.
func matchesAny(globs []string, name string) bool {
	return slices.ContainsFunc(globs, func(g string) bool {
		ok, err := path.Match(g, name)
		return err == nil && ok
	})
}

// validateGlobs checks globs of * and ?. What is left without them must pass valid.
func validateGlobs(at string, globs []string, what string, valid func(string) []string, r *report) {
	for i, g := range globs {
		here := fmt.Sprintf("%s[%d]", at, i)
		plain := strings.NewReplacer("*", "a", "?", "a").Replace(g)
		switch {
		case g == "":
			r.errorf(here, "write * to mean any", "is empty")
		case strings.ContainsAny(g, `[]\`):
			r.errorf(here, "use * for any characters and ? for one", "%q is no glob: it may hold neither brackets nor a backslash", g)
		default:
			for _, msg := range valid(plain) {
				r.errorf(here, "", "%q is no %s: %s", g, what, brief(msg))
			}
		}
	}
}

// namespaceGlobs checks the namespaces of a document of the system namespace.
func namespaceGlobs(at string, globs []string, r *report) {
	if globs != nil && len(globs) == 0 {
		emptyList(at, r)
	}
	validateGlobs(at, globs, "name of a namespace", utilvalidation.IsDNS1123Label, r)
}
