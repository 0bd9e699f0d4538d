package policy

import (
	"fmt"
	"slices"
	"strings"

	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
)

// matchesAny tells whether one of the globs matches.
func matchesAny(globs []string, name string) bool {
	return slices.ContainsFunc(globs, func(g string) bool { return matchGlob(g, name) })
}

// matchGlob tells whether a glob matches all of name: * stands for any
// characters, ? for one. A slash is a character as any other, since the keys of
// taints and labels have one (path.Match would stop at it).
func matchGlob(glob, name string) bool {
	star, retry := -1, 0 // where to go on when what follows the last * does not match
	g, n := 0, 0
	for n < len(name) {
		switch {
		case g < len(glob) && glob[g] == '*':
			star, retry = g, n
			g++
		case g < len(glob) && (glob[g] == '?' || glob[g] == name[n]):
			g++
			n++
		case star >= 0:
			retry++
			g, n = star+1, retry
		default:
			return false
		}
	}
	return strings.Trim(glob[g:], "*") == ""
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
			r.invalid(here, what, g, valid(plain))
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
