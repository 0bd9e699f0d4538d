package explain

import (
	"fmt"
	"slices"
	"strings"

	"quartermaster.dev/policy"
)

// addPolicies adds a block for each policy: what it asks, finds and does.
func (e *explainer) addPolicies() {
	bare := e.bareAdditions()
	for _, v := range e.decision.Verdicts {
		p := Policy{Name: e.Plain(v.Policy), Source: e.Plain(v.Source), State: e.state(v)}
		for _, m := range v.Mismatches {
			p.Mismatches = append(p.Mismatches, Mismatch{m.Condition, m.Want, m.Got})
		}
		switch p.State {
		case Applies:
			p.Adds, p.Has = e.additions(v.Policy, e.decision.Additions, bare)
		case Audit:
			p.Adds, p.Has = e.additions(v.Policy, e.decision.WouldAdd, bare)
			if e.shadowRefused() {
				p.Has = nil // what would be added is not known, and so not what is there
			}
		}
		for _, problem := range slices.Concat(e.decision.Refusals, e.decision.Notes) {
			if problem.Document != v.Policy {
				continue
			}
			if strings.HasPrefix(problem.Message, wouldAdd) {
				continue // it is among Adds
			}
			problem.Message = strings.TrimPrefix(problem.Message, "audit: ")
			p.Notes = append(p.Notes, e.remark(problem))
		}
		switch {
		case p.State == HeldBack:
			p.Notes = append(p.Notes, note("", "it matches, and nothing is added to a pod that is refused"))
		case p.State == Withheld && len(p.Notes) == 0:
			p.Notes = append(p.Notes, note("", fmt.Sprintf("it matches, and nothing of it is for this %s pod", e.decision.Kind)))
		}
		if e.handsOut(v) {
			p.Secrets = e.secrets(v.Policy)
		}
		e.report.Policies = append(e.report.Policies, p)
	}
}

// wouldAdd begins the notes on what a policy in mode Audit would add.
const wouldAdd = "audit: would add "

// shadowRefused tells whether policies in mode Audit would refuse the pod.
func (e *explainer) shadowRefused() bool {
	return slices.ContainsFunc(e.decision.Notes, func(p policy.Problem) bool {
		return p.Severity == policy.Warning && strings.HasPrefix(p.Message, "audit: would ")
	})
}

// spared tells whether the pod would be refused if it were of another kind.
func (e *explainer) spared() bool {
	return !e.mayBeHanded() && slices.ContainsFunc(e.decision.Notes, func(p policy.Problem) bool {
		return p.Severity != policy.Note && !strings.HasPrefix(p.Message, "audit: ")
	})
}

// mayBeHanded tells whether pods of this kind are given more than their place.
func (e *explainer) mayBeHanded() bool {
	return e.decision.Kind != policy.PausePod && e.decision.Kind != policy.BootVerifyPod
}

// handsOut tells whether the policy's Secrets come into question for the pod.
func (e *explainer) handsOut(v policy.Verdict) bool {
	return v.Matched() && e.mayBeHanded()
}

func (e *explainer) state(v policy.Verdict) State {
	concerns := func(problems []policy.Problem) bool {
		return slices.ContainsFunc(problems, func(p policy.Problem) bool { return p.Document == v.Policy })
	}
	switch {
	case !v.Matched():
		return NoMatch
	case v.Audit:
		return Audit
	case v.Applied:
		return Applies
	case concerns(e.decision.Refusals):
		return Refuses
	case e.decision.Outcome == policy.Refused:
		return HeldBack
	default:
		return Withheld
	}
}
