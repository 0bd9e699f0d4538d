package explain

import (
	"fmt"
	"slices"
	"strings"

	"quartermaster.dev/policy"
)

// conclude puts together what the policies decide and what the cluster makes of it.
func (e *explainer) conclude() {
	r := e.report
	r.Verdict, r.Summary, r.Hint = e.decided()
	r.OK = r.Verdict != Refused
	if e.Registration != nil && e.Registration.Known && r.Pod.Kind != policy.OtherPod {
		e.concludeAsked()
	}
	switch r.Verdict {
	case NotAsked, Unreachable:
		r.suppose()
	case Equipped:
		e.concludeSecrets()
	}
	if e.Registration != nil && e.blind() {
		r.Summary += ", as far as you may look"
	}
}

// suppose makes what the policies decide what they would decide.
func (r *Report) suppose() {
	r.Stamp, r.Refusal = "", ""
	for i := range r.Policies {
		switch p := &r.Policies[i]; p.State {
		case Applies:
			p.State = WouldApply
		case Refuses:
			p.State = WouldRefuse
		}
	}
}

// blind tells whether the user may not read all that the answer rests on.
func (e *explainer) blind() bool {
	return e.Registration.Blind || slices.ContainsFunc(e.report.Policies, func(p Policy) bool {
		return slices.ContainsFunc(p.Secrets, func(s Secret) bool { return s.Status == unchecked })
	})
}

// concludeAsked says so where nobody asks, or nobody can answer.
func (e *explainer) concludeAsked() {
	r := e.report
	decided := e.decision.Outcome
	askers := slices.DeleteFunc(slices.Clone(r.Webhooks), func(w Webhook) bool { return w.Asked == no })
	if len(askers) == 0 {
		r.Verdict, r.Summary = NotAsked, "created as it came: the API server does not ask Quartermaster about it"
		r.Hint = e.whyNotAsked()
		r.OK = decided == policy.Untouched
		return
	}
	for _, w := range askers {
		if len(w.Unreachable) == 0 || w.Asked != yes {
			continue
		}
		if w.FailurePolicy == "Ignore" {
			r.Verdict, r.Summary = Unreachable, fmt.Sprintf("created as it came: the API server cannot call %s, and goes on without", w.Name)
			r.OK = decided == policy.Untouched
		} else {
			r.Verdict, r.Summary = Unreachable, fmt.Sprintf("refused by the API server, which cannot call %s", w.Name)
			r.OK = false
		}
		r.Hint = ""
	}
}

func (e *explainer) whyNotAsked() string {
	if len(e.report.Webhooks) == 0 {
		return "no webhook of Quartermaster's is registered: install the chart, or see who removed its MutatingWebhookConfiguration"
	}
	return ""
}

// concludeSecrets says so where the job would wait for a Secret.
func (e *explainer) concludeSecrets() {
	r := e.report
	var lacking []string
	for _, p := range r.Policies {
		if p.State != Applies {
			continue
		}
		for _, s := range p.Secrets {
			if s.lacking() && !slices.Contains(lacking, s.want()) {
				lacking = append(lacking, s.want())
			}
		}
	}
	if len(lacking) > 0 {
		r.Verdict, r.OK = Stuck, false
		r.Summary = "equipped, and then waits three silent minutes and fails, for want of " + strings.Join(lacking, " and ")
	}
}
