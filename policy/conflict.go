package policy

import "slices"

// Conflicts are the pairs of policies of the set that refuse every plain job
// pod that both match: found where the policies are written, not in a job log.
// Pairs whose conditions exclude each other are none. With a source, only pairs
// with one of its policies are looked at.
func (s *Set) Conflicts(source *Source) []Problem {
	pod := &Pod{Spec: PodSpec{Containers: []Container{{Name: containerBuild}, {Name: containerHelper}, {Name: "service"}}}}
	var problems []Problem
	for i, b := range s.policies {
		for _, a := range s.policies[:i] {
			if source != nil && a.source != source && b.source != source {
				continue
			}
			if a.audit || b.audit || !a.match.canMeet(s.namespace) || !b.match.canMeet(s.namespace) || a.match.excludes(&b.match) {
				continue
			}
			d := Decision{Kind: JobPod}
			p := newPlan(&Request{Namespace: s.namespace, Pod: pod}, &d)
			p.apply(a, nil)
			known := len(d.Refusals)
			p.apply(b, nil)
			p.checkResources()
			for _, refusal := range d.Refusals[known:] {
				refusal.Severity = Warning
				refusal.Message = "a pod that this and " + a.origin + " match is refused: " + refusal.Message
				problems = append(problems, refusal)
			}
		}
	}
	return problems
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

func overlap(a, b map[string]bool) bool {
	for v := range a {
		if b[v] {
			return true
		}
	}
	return false
}
