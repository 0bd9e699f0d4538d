package policy

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
)

type plannedToleration struct {
	toleration corev1.Toleration
	policy     string
}

// addTolerations appends what the pod does not tolerate yet. The one conflict
// is time: of two tolerations of a taint the shorter tolerationSeconds counts,
// so that adding a longer one would promise what does not come to pass.
func (p *plan) addTolerations(c *compiled) {
	have := p.req.Pod.Spec.Tolerations
next:
	for _, want := range c.inject.Tolerations {
		for i := range have {
			if covers(&have[i], &want) {
				continue next
			}
			if shorter(&have[i], &want) {
				p.refuse(c, "make them equal, or take one out",
					"toleration %s: the pod comes with %s", describe(&want), describe(&have[i]))
				continue next
			}
		}
		for _, other := range p.tolerations {
			if covers(&other.toleration, &want) {
				continue next
			}
			if shorter(&other.toleration, &want) {
				p.refuse(c, "make them equal, or let only one of the two policies match",
					"toleration %s: %s wants %s", describe(&want), other.policy, describe(&other.toleration))
				continue next
			}
		}
		p.tolerations = append(p.tolerations, plannedToleration{want, c.origin})
		p.add(c, "/spec/tolerations", "", levels(have == nil), want)
	}
}

// covers tells whether a pod that has the one toleration gains nothing by the
// other: it tolerates the same taints for as long.
func covers(have, want *corev1.Toleration) bool {
	return sameTaints(have, want) && asLong(have.TolerationSeconds, want.TolerationSeconds)
}

// asLong compares tolerationSeconds, of which none means for good.
func asLong(have, want *int64) bool {
	return have == nil || want != nil && *have >= *want
}

// shorter tells whether have tolerates what want does, for a shorter time.
func shorter(have, want *corev1.Toleration) bool {
	return sameTaints(have, want) && !covers(have, want)
}

// sameTaints tells whether every taint that want tolerates is tolerated by have.
func sameTaints(have, want *corev1.Toleration) bool {
	if have.Effect != "" && have.Effect != want.Effect {
		return false
	}
	if have.Key == "" {
		return have.Operator == corev1.TolerationOpExists
	}
	if have.Key != want.Key {
		return false
	}
	if have.Operator == corev1.TolerationOpExists {
		return true
	}
	return operator(have) == operator(want) && have.Value == want.Value
}

// operator is the toleration's operator, with Kubernetes' default.
func operator(t *corev1.Toleration) corev1.TolerationOperator {
	if t.Operator == "" {
		return corev1.TolerationOpEqual
	}
	return t.Operator
}

// describe is a toleration in the notation of kubectl: key=value:effect.
func describe(t *corev1.Toleration) string {
	s := t.Key
	if s == "" {
		s = "of every taint"
	}
	if operator(t) != corev1.TolerationOpExists {
		s += "=" + t.Value
	}
	if t.Effect != "" {
		s += ":" + string(t.Effect)
	}
	if t.TolerationSeconds != nil {
		s += fmt.Sprintf(" for %d s", *t.TolerationSeconds)
	}
	return s
}

// validateTolerations refuses what the API server would, since it would say so
// only when a job's pod is created.
func validateTolerations(tolerations []corev1.Toleration, r *report) {
	for i := range tolerations {
		t := &tolerations[i]
		at := fmt.Sprintf("inject.tolerations[%d]", i)
		if t.Key != "" {
			r.invalid(at+".key", "taint key", t.Key, utilvalidation.IsQualifiedName(t.Key))
		}
		validateOperator(at, t, r)
		switch t.Effect {
		case "", corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute:
		default:
			hint := "write NoSchedule, PreferNoSchedule or NoExecute, or leave it out to mean all three"
			if best := nearest(string(t.Effect), []string{"NoSchedule", "PreferNoSchedule", "NoExecute"}); best != "" {
				hint = fmt.Sprintf("did you mean %q?", best)
			}
			r.errorf(at+".effect", hint, "%q is no effect", t.Effect)
		}
		if t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute {
			r.errorf(at+".tolerationSeconds", "write effect: NoExecute, or leave it out", "has a meaning for the effect NoExecute only")
		}
		for j := range i {
			if covers(&tolerations[j], t) {
				r.warnf(at, "take it out", "is covered by inject.tolerations[%d]", j)
				break
			}
			if shorter(&tolerations[j], t) {
				r.errorf(at, "make them equal, or take one out", "tolerates longer than inject.tolerations[%d], and of two tolerations of a taint the shorter counts", j)
				break
			}
		}
	}
}

func validateOperator(at string, t *corev1.Toleration, r *report) {
	switch t.Operator {
	case corev1.TolerationOpExists:
		if t.Value != "" {
			r.errorf(at+".value", "leave it out, or write operator: Equal", "cannot be given with operator Exists")
		}
	case "", corev1.TolerationOpEqual:
		if t.Key == "" {
			r.errorf(at+".key", "name a taint; to tolerate every taint write operator: Exists", "is missing")
		}
		r.invalid(at+".value", "taint value", t.Value, utilvalidation.IsValidLabelValue(t.Value))
	default:
		hint := "write Equal or Exists"
		if best := nearest(string(t.Operator), []string{"Equal", "Exists"}); best != "" {
			hint = fmt.Sprintf("did you mean %q?", best)
		}
		r.errorf(at+".operator", hint, "%q is no operator", t.Operator)
	}
}
