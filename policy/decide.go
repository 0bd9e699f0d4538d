package policy

import (
	"fmt"
	"slices"
)

// Outcome is what becomes of a pod, in a word.
type Outcome string

const (
	// Untouched pods are created as they came.
	Untouched Outcome = "untouched"
	// Audited pods are created as they came: the only policies that matched are
	// in mode Audit.
	Audited Outcome = "audited"
	// Equipped pods are created with the decision's additions.
	Equipped Outcome = "equipped"
	// Refused pods are not created.
	Refused Outcome = "refused"
)

// Decision is what becomes of a pod, and why.
type Decision struct {
	// Kind of the pod.
	Kind Kind
	// Outcome for the pod.
	Outcome Outcome
	// Additions to the pod. There are none unless Outcome is Equipped, and may
	// be none even then, where the pod has it all.
	Additions Additions
	// WouldAdd is what the policies in mode Audit would add.
	WouldAdd Additions
	// Refusals are all reasons of a refusal.
	Refusals []Problem
	// Notes are what else is worth knowing: what was there already, what was
	// withheld and why.
	Notes []Problem
	// Verdicts tell of each policy whether it applied.
	Verdicts []Verdict
}

// Verdict tells whether a policy applied to a pod.
type Verdict struct {
	// Policy by its name in messages: "dev/runner-jobs policy.yaml deploy".
	Policy string
	// Source is the ConfigMap with the hash of its data, as in the stamp.
	Source string
	// Mismatches are the conditions that did not hold; none for a policy that matched.
	Mismatches []Mismatch
	// Audit says that the policy is in mode Audit: it never applies.
	Audit bool
	// Applied tells whether the pod got what the policy says, now or before.
	Applied bool
}

// Matched tells whether all conditions of the policy held.
func (v Verdict) Matched() bool { return len(v.Mismatches) == 0 }

// Applied are the sources of the policies that applied, as in the stamp.
func (d *Decision) Applied() []string {
	var sources []string
	for _, v := range d.Verdicts {
		if v.Applied {
			sources = append(sources, v.Source)
		}
	}
	slices.Sort(sources)
	return slices.Compact(sources)
}

// Decide says what a pod is handed under a set of policies. All policies that
// match apply, or the pod is refused with every reason there is. A nil set is
// one without policies.
func Decide(req Request, set *Set) Decision {
	kind, obstacles := kindOf(&req)
	d := Decision{Kind: kind, Outcome: Untouched}
	if set == nil || kind == OtherPod {
		return d
	}
	if kind == NoBuildPod {
		d.note("", "the pod carries the job label and has no container named build; it is left alone")
		return d
	}
	for i := range set.broken {
		d.refuseBroken(&set.broken[i])
	}
	plan := newPlan(&req, &d)
	var enforced, audited []*compiled
	for _, c := range set.policies {
		v := Verdict{Policy: c.origin, Source: c.source.Stamp(), Mismatches: c.match.mismatches(&req, kind), Audit: c.audit}
		switch {
		case !v.Matched() || len(set.broken) > 0:
		case c.audit:
			audited = append(audited, c)
		default:
			enforced = append(enforced, c)
			v.Applied = plan.apply(c, obstacles)
		}
		d.Verdicts = append(d.Verdicts, v)
	}
	plan.checkTogether(enforced)
	d.conclude(plan)
	if len(audited) > 0 {
		d.audit(&req, obstacles, enforced, audited)
	}
	return d
}

// audit records what the policies in mode Audit would do beside the others.
func (d *Decision) audit(req *Request, obstacles []*obstacle, enforced, audited []*compiled) {
	shadow := Decision{Kind: d.Kind}
	plan := newPlan(req, &shadow)
	for _, c := range enforced {
		plan.apply(c, obstacles)
	}
	known := len(plan.additions)
	shadow.Notes, shadow.Refusals = nil, nil
	for _, c := range audited {
		plan.apply(c, obstacles)
	}
	plan.checkTogether(slices.Concat(enforced, audited))
	shadow.Refusals = slices.DeleteFunc(shadow.Refusals, func(p Problem) bool { return slices.Contains(d.Refusals, p) })
	if len(shadow.Refusals) == 0 {
		d.WouldAdd = plan.additions[known:]
	}
	d.noteAudit(&shadow)
	if d.Outcome == Untouched && len(enforced) == 0 {
		d.Outcome = Audited
	}
}

// noteAudit notes what the policies in mode Audit would do: all that they add,
// or why they would refuse the pod.
func (d *Decision) noteAudit(shadow *Decision) {
	for _, a := range d.WouldAdd {
		d.note(a.Policy, "audit: would add %s", a.String())
	}
	verdict := "audit: would refuse the pod: "
	if d.Kind.neverRefused() {
		verdict = "audit: would leave the pod alone: "
	}
	for _, p := range shadow.Refusals {
		p.Severity, p.Message = Warning, verdict+p.Message
		d.Notes = append(d.Notes, p)
	}
	for _, p := range shadow.Notes {
		p.Message = "audit: " + p.Message
		d.Notes = append(d.Notes, p)
	}
}

// refuseBroken refuses the pod for all that is wrong with a source.
func (d *Decision) refuseBroken(b *brokenSource) {
	whose := "its namespace"
	if b.source.System {
		whose = "the namespaces it is for"
	}
	d.Refusals = append(d.Refusals, Problem{
		Severity: Error, Document: b.source.String(),
		Message: "the policy is broken, and jobs of " + whose + " are refused until it is mended",
		Hint:    "mend the ConfigMap; `quartermaster lint` checks it",
	})
	for _, p := range b.problems {
		if p.Severity == Error {
			d.Refusals = append(d.Refusals, p)
		}
	}
}

// conclude turns what was planned into the outcome.
func (d *Decision) conclude(p *plan) {
	applied := slices.ContainsFunc(d.Verdicts, func(v Verdict) bool { return v.Applied })
	switch {
	case len(d.Refusals) > 0:
		for i := range d.Verdicts {
			d.Verdicts[i].Applied = false
		}
		d.Outcome = Refused
		if d.Kind.neverRefused() {
			d.Outcome = Untouched
			d.spare()
		}
	case applied:
		d.Outcome = Equipped
		p.stamp(d.Applied())
		d.Additions = p.additions
	}
}

// spare turns the refusals of a pod that is never refused into notes.
func (d *Decision) spare() {
	for _, p := range d.Refusals {
		p.Severity = Warning
		d.Notes = append(d.Notes, p)
	}
	d.note("", "a %s pod is never refused: it is left alone", d.Kind)
	d.Refusals = nil
}

func (d *Decision) note(policy, format string, args ...any) {
	d.Notes = append(d.Notes, Problem{Severity: Note, Document: policy, Message: fmt.Sprintf(format, args...)})
}
