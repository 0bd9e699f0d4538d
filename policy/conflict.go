package policy

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

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
			if a.audit || b.audit || !a.match.canMeet(s.namespace) || !b.match.canMeet(s.namespace) || a.match.excludes(&b.match, s.namespace) {
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
	soon := int64(300) // as the API server adds (DefaultTolerationSeconds)
	pod := &Pod{Spec: PodSpec{
		Containers: []Container{{Name: containerBuild}, {Name: containerHelper}, {Name: "service"}},
		Tolerations: []corev1.Toleration{
			{Key: corev1.TaintNodeNotReady, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &soon},
			{Key: corev1.TaintNodeUnreachable, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &soon},
		},
	}}
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
func (m *matcher) excludes(other *matcher, namespace string) bool {
	for _, a := range m.labels {
		for _, b := range other.labels {
			if a.label == b.label && !overlap(a.values, b.values) {
				return true
			}
		}
	}
	return len(m.createdBy) > 0 && len(other.createdBy) > 0 && !slices.ContainsFunc(m.createdBy, func(a Subject) bool {
		return slices.ContainsFunc(other.createdBy, func(b Subject) bool {
			return a.Kind == "Group" || b.Kind == "Group" || a.user(namespace) == b.user(namespace)
		})
	})
}

// user is the user name of a subject that is no group.
func (s Subject) user(namespace string) string {
	if s.Kind == "ServiceAccount" {
		return s.username(namespace)
	}
	return s.Name
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(v string) bool { return slices.Contains(b, v) })
}
