package policy

import (
	"cmp"
	"slices"
)

// Set is all that is in force for one namespace. It is immutable.
type Set struct {
	policies []*compiled
	broken   []*Source
}

// NewSet orders the sources of one namespace: the result is the same in
// whatever order they come.
func NewSet(sources ...*Source) *Set {
	sources = slices.Clone(sources)
	slices.SortFunc(sources, func(a, b *Source) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	set := &Set{}
	for _, s := range sources {
		if s.Broken() {
			set.broken = append(set.broken, s)
			continue
		}
		set.policies = append(set.policies, s.policies...)
	}
	return set
}

// NeedsCreator are the policies that ask who created the pod.
func (s *Set) NeedsCreator() []string {
	var origins []string
	for _, c := range s.policies {
		if c.match.needsCreator() {
			origins = append(origins, c.origin)
		}
	}
	return origins
}
