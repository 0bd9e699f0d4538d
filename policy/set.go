package policy

import (
	"cmp"
	"slices"
	"strings"
)

// System is what the system namespace says: cluster-wide policies, guardrails,
// and what is broken there. It is immutable.
type System struct {
	policies []*compiled
	bounds   []*bound
	broken   []*Source
}

// NewSystem orders the sources of the system namespace: the result is the same
// in whatever order they come. What is right in a broken source stays in force,
// a guardrail above all, and what is wrong refuses the namespaces it might be
// about.
func NewSystem(sources ...*Source) *System {
	s := &System{}
	for _, source := range ordered(sources) {
		if source.Broken() {
			s.broken = append(s.broken, source)
		}
		s.policies = append(s.policies, source.policies...)
		s.bounds = append(s.bounds, source.bounds...)
	}
	return s
}

// Set is all that is in force for one namespace. It is immutable.
type Set struct {
	namespace string
	policies  []*compiled
	broken    []brokenSource
}

// brokenSource is a source and why it refuses the job pods of a namespace.
type brokenSource struct {
	source   *Source
	problems []Problem
}

// NewSet is what is in force for a namespace: its sources, in whatever order
// they come, under what the system namespace says, which may be nil.
func NewSet(namespace string, system *System, sources ...*Source) *Set {
	set := &Set{namespace: namespace}
	if system != nil {
		set.policies = append(set.policies, system.policies...)
		for _, s := range system.broken {
			if s.reaches(namespace) {
				set.broken = append(set.broken, brokenSource{s, s.Problems})
			}
		}
	}
	for _, s := range ordered(sources) {
		problems := s.Problems
		if !s.Broken() {
			problems = system.Violations(s)
		}
		if HasErrors(problems) {
			set.broken = append(set.broken, brokenSource{s, problems})
			continue
		}
		set.policies = append(set.policies, s.policies...)
	}
	return set
}

// Violations are what the policies of a source do that guardrails do not
// allow, each naming both. Sources of the system namespace are not bound.
func (s *System) Violations(source *Source) []Problem {
	if s == nil || source.System {
		return nil
	}
	var problems []Problem
	for _, c := range source.policies {
		for _, b := range s.bounds {
			if b.appliesTo(source.Namespace) {
				problems = append(problems, b.violations(c)...)
			}
		}
	}
	return problems
}

// Namespaces that the source's cluster-wide policies name; for a glob, a name
// that it matches.
func (s *Source) Namespaces() []string {
	var names []string
	for _, c := range s.policies {
		for _, glob := range c.match.namespaces {
			names = append(names, strings.NewReplacer("*", "x", "?", "x").Replace(glob))
		}
	}
	return names
}

// reaches tells whether a broken source of the system namespace might be about
// a namespace.
func (s *Source) reaches(namespace string) bool {
	return s.reachesAll || matchesAny(s.reach, namespace)
}

func ordered(sources []*Source) []*Source {
	sources = slices.Clone(sources)
	slices.SortFunc(sources, func(a, b *Source) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return sources
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

// Broken tells why a source refuses the namespace's job pods: it is broken, or
// a guardrail does not allow what it does. There are no problems for one that
// is in force.
func (s *Set) Broken(source *Source) []Problem {
	for _, b := range s.broken {
		if b.source == source {
			return b.problems
		}
	}
	return nil
}
