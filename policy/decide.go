package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Outcome is what becomes of a pod, in a word.
type Outcome string

const (
	// Untouched pods are created as they came.
	Untouched Outcome = "untouched"
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
	for _, s := range set.broken {
		d.refuseBroken(s)
	}
	plan := newPlan(&req, &d)
	for _, c := range set.policies {
		v := Verdict{Policy: c.origin, Source: c.source.Stamp(), Mismatches: c.match.mismatches(&req, kind)}
		if v.Matched() && len(set.broken) == 0 {
			v.Applied = plan.apply(c, obstacles)
		}
		d.Verdicts = append(d.Verdicts, v)
	}
	d.conclude(plan)
	return d
}

// refuseBroken refuses the pod for all that is wrong with a source.
func (d *Decision) refuseBroken(s *Source) {
	d.Refusals = append(d.Refusals, Problem{
		Severity: Error, Document: s.String(),
		Message: "the policy is broken, and jobs of its namespace are refused until it is mended",
		Hint:    "mend the ConfigMap; `quartermaster lint` checks it",
	})
	for _, p := range s.Problems {
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

// plan is what the policies so far would add, and what is there to collide with.
type plan struct {
	req       *Request
	decision  *Decision
	additions Additions

	build        int // index of the container build, or -1
	mounts       map[int][]mount
	volumes      map[string]bool
	env          map[string]planned
	nodeSelector map[string]planned
	tolerations  []plannedToleration
}

// planned is a value that a policy asked for.
type planned struct{ value, policy string }

func newPlan(req *Request, d *Decision) *plan {
	p := &plan{
		req: req, decision: d, build: -1,
		mounts: map[int][]mount{}, volumes: map[string]bool{},
		env: map[string]planned{}, nodeSelector: map[string]planned{},
	}
	if i := req.Pod.containers(containerBuild); len(i) == 1 {
		p.build = i[0]
	}
	return p
}

// apply plans what the policy hands out, and tells whether the pod gets any of it.
func (p *plan) apply(c *compiled, obstacles []*obstacle) bool {
	refused := false
	for _, o := range obstacles {
		if o.refuses(c) {
			p.refuse(c, o.hint, "%s", o.why)
			refused = true
		}
	}
	if refused {
		return false
	}
	if p.decision.Kind == DuplicateBuildPod {
		p.decision.note(c.origin, "two containers are named build; the pod is left alone")
		return false
	}
	p.addNodeSelector(c)
	p.addTolerations(c)
	if p.decision.Kind.withholds() {
		if c.handsCredentials() {
			p.decision.note(c.origin, "a %s pod is handed no credential", p.decision.Kind)
		}
		return len(c.inject.NodeSelector)+len(c.inject.Tolerations) > 0
	}
	for i := range c.secrets {
		p.addSecret(c, &c.secrets[i])
	}
	return true
}

// refuse records a reason to refuse the pod.
func (p *plan) refuse(c *compiled, hint, format string, args ...any) {
	p.decision.Refusals = append(p.decision.Refusals, Problem{
		Severity: Error, Document: c.origin, Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// add plans an addition to a list (key is empty) or mapping.
func (p *plan) add(c *compiled, parent, key string, absent bool, value any) {
	p.additions = append(p.additions, Addition{Policy: c.origin, Parent: parent, Key: key, Value: value, absent: absent})
}

// stamp plans the annotation that says which ConfigMaps applied. It is
// evidence: one that is there already is neither believed nor replaced.
func (p *plan) stamp(applied []string) {
	annotations := p.req.Pod.Metadata.Annotations
	value := strings.Join(applied, ",")
	if have, ok := annotations[AnnotationApplied]; ok {
		if have != value {
			p.decision.note("", "the pod came with an annotation %s of its own, which is kept; it should say %s", AnnotationApplied, value)
		}
		return
	}
	p.additions = append(p.additions, Addition{
		Parent: "/metadata/annotations", Key: AnnotationApplied, Value: value, absent: annotations == nil,
	})
}

// addNodeSelector adds the selector's terms. A key that the pod or another
// policy gives another value is a conflict: both cannot be met.
func (p *plan) addNodeSelector(c *compiled) {
	have := p.req.Pod.Spec.NodeSelector
	for _, key := range slices.Sorted(maps.Keys(c.inject.NodeSelector)) {
		want := c.inject.NodeSelector[key]
		other, before := p.nodeSelector[key]
		value, inPod := have[key]
		switch {
		case inPod && value != want:
			p.refuse(c, "take it out of the runner's configuration (node_selector) or the job's variables (KUBERNETES_NODE_SELECTOR_*), or change the policy",
				"node selector %s: the policy wants %q and the pod comes with %q", key, want, value)
		case inPod:
		case before && other.value != want:
			p.refuse(c, "make them equal, or let only one of the two policies match",
				"node selector %s: the policy wants %q and %s wants %q", key, want, other.policy, other.value)
		case !before:
			p.nodeSelector[key] = planned{want, c.origin}
			p.add(c, "/spec/nodeSelector", key, have == nil, want)
		}
	}
}
