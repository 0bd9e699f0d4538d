package policy

import "slices"

// Conflicts are the policies of the set that refuse every plain job pod that
// they match, and the pairs that refuse every one that both match: found where
// the policies are written, not in a job log. Pairs whose conditions exclude
// each other are none. With a source, only its own policies, and pairs with one
// of them, are looked at.
func (s *Set) Conflicts(source *Source) []Problem {
	var problems []Problem
	alone := make([][]Problem, len(s.policies))
	for i, b := range s.policies {
		alone[i] = s.refusals(b)
		if (source == nil || b.source == source) && b.match.canMeet(s.namespace) {
			for _, p := range alone[i] {
				problems = append(problems, because("a plain job pod that this matches is refused: ", p))
			}
		}
		for j, a := range s.policies[:i] {
			if source != nil && a.source != source && b.source != source {
				continue
			}
			if a.audit || b.audit || !a.match.canMeet(s.namespace) || !b.match.canMeet(s.namespace) || a.match.excludes(&b.match) {
				continue
			}
			both := slices.DeleteFunc(s.refusals(a, b), func(p Problem) bool {
				return slices.Contains(alone[i], p) || slices.Contains(alone[j], p)
			})
			for _, p := range both {
				other := a.origin
				if p.Document == a.origin {
					other = b.origin
				}
				problems = append(problems, because("a pod that this and "+other+" match is refused: ", p))
			}
		}
	}
	return problems
}

// because is a problem with words before its message.
func because(words string, p Problem) Problem {
	p.Message = words + p.Message
	return p
}

// refusals are why a plain job pod is refused under policies together.
func (s *Set) refusals(policies ...*compiled) []Problem {
	pod := &Pod{Spec: PodSpec{Containers: []Container{{Name: containerBuild}, {Name: containerHelper}, {Name: "service"}}}}
	d := Decision{Kind: JobPod}
	p := newPlan(&Request{Namespace: s.namespace, Pod: pod}, &d)
	for _, c := range policies {
		p.apply(c, nil)
	}
	p.checkTogether(policies)
	for i := range d.Refusals {
		d.Refusals[i].Severity = Warning
	}
	return d.Refusals
}

// canMeet tells whether the policy is for the namespace at all.
func (m *matcher) canMeet(namespace string) bool {
	return m.namespaces == nil || matchesAny(m.namespaces, namespace)
}

// excludes tells whether no pod can match both, as far as conditions on IDs,
// names and accounts tell.
func (m *matcher) excludes(other *matcher) bool {
	for _, a := range m.labels {
		for _, b := range other.labels {
			if a.label == b.label && !overlap(a.values, b.values) {
				return true
			}
		}
	}
	return len(m.createdBy) > 0 && len(other.createdBy) > 0 && !slices.ContainsFunc(m.createdBy, func(s Subject) bool {
		return s.Kind == "Group" || slices.ContainsFunc(other.createdBy, func(o Subject) bool { return o == s || o.Kind == "Group" || o.Kind != s.Kind })
	})
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(v string) bool { return slices.Contains(b, v) })
}
