package explain

import (
	"fmt"
	"slices"
	"strings"

	"quartermaster.dev/policy"
)

// Input is what there is to explain.
type Input struct {
	// Request is the pod and who creates it.
	Request policy.Request
	// Set is what decides on it, and Sources what that was made of.
	Set     *policy.Set
	Sources []*policy.Source
	// Elsewhere are namespaces with policies, for where this one has none.
	Elsewhere []string
	// Plain puts the names of documents as their reader knows them; nil leaves them.
	Plain func(string) string
	// Registration is what the cluster says about webhooks; nil where none was asked.
	Registration *Registration
	// Secrets of the namespace that were looked at, by name; nil where none were.
	Secrets map[string]SecretState
	// Exists says that the pod is in the cluster already.
	Exists bool
}

// Explain decides on the pod and says why.
func Explain(in *Input) *Report {
	if in.Plain == nil {
		in.Plain = func(s string) string { return s }
	}
	e := &explainer{Input: in, decision: policy.Decide(in.Request, in.Set)}
	e.report = &Report{
		Pod: Pod{
			Namespace: in.Request.Namespace, Name: in.Request.Pod.Metadata.Name,
			Kind: e.decision.Kind, User: in.Request.User,
		},
		Refusal:  in.Plain(e.decision.Message()),
		Policies: []Policy{},
	}
	if e.decision.Outcome == policy.Equipped {
		e.report.Stamp = in.Plain(strings.Join(e.decision.Applied(), ","))
	}
	e.addNotes()
	e.addBroken()
	e.addPolicies()
	if in.Registration != nil {
		e.report.Webhooks = in.Registration.judge(&in.Request)
		e.report.Notes = append(e.report.Notes, in.Registration.Remarks...)
	}
	e.conclude()
	return e.report
}

// explainer is a report in the making.
type explainer struct {
	*Input
	decision policy.Decision
	report   *Report
}

// addNotes adds what is worth knowing and about no policy in particular.
func (e *explainer) addNotes() {
	for _, p := range e.decision.Notes {
		if p.Document == "" {
			e.report.Notes = append(e.report.Notes, e.remark(p))
		}
	}
	stamp, stamped := e.Request.Pod.Metadata.Annotations[policy.AnnotationApplied]
	switch {
	case !e.Exists:
	case stamped:
		e.report.Notes = append(e.report.Notes, note("",
			"the pod is in the cluster and was equipped under "+stamp+"; what it was given then shows as there already"))
	case e.decision.Kind != policy.OtherPod:
		e.report.Notes = append(e.report.Notes, warning(
			"the policies, or the webhook, may be younger than the pod; who created it is not on it",
			"the pod is in the cluster and was not equipped when it was created, for it has no annotation "+
				policy.AnnotationApplied+"; this is what would become of it now"))
	}
}

// addBroken adds the ConfigMaps that refuse every job of the namespace.
func (e *explainer) addBroken() {
	for _, source := range e.Sources {
		problems := e.Set.Broken(source)
		if len(problems) == 0 {
			continue
		}
		b := Broken{Source: e.Plain(source.String())}
		for _, p := range problems {
			if p.Severity == policy.Error {
				r := e.remark(p)
				if document := strings.TrimSpace(strings.TrimPrefix(e.Plain(p.Document), b.Source)); document != "" {
					r.Message = document + ": " + r.Message
				}
				b.Problems = append(b.Problems, r)
			}
		}
		e.report.Broken = append(e.report.Broken, b)
	}
}

func (e *explainer) remark(p policy.Problem) Remark {
	r := remarkOf(p)
	r.Message, r.Hint = e.Plain(r.Message), e.Plain(r.Hint)
	return r
}

// decided says what the policies alone make of the pod.
func (e *explainer) decided() (Verdict, string, string) {
	matched, applied := 0, 0
	for _, v := range e.decision.Verdicts {
		if v.Matched() {
			matched++
		}
		if v.Applied {
			applied++
		}
	}
	switch kind := e.decision.Kind; e.decision.Outcome {
	case policy.Refused:
		return Refused, fmt.Sprintf("the job log gives %s", plural(len(e.decision.Refusals), "reason")), ""
	case policy.Audited:
		hint := "write mode: Enforce to apply them"
		if e.shadowRefused() {
			hint = ""
		}
		return Audited, "created as it came: what matches is in mode Audit", hint
	case policy.Equipped:
		summary := plural(applied, "policy") + " of " + fmt.Sprint(len(e.decision.Verdicts)) + " " + verb(applied, "applies", "apply")
		if len(e.decision.Additions) == 0 {
			summary += ", and the pod has it all already"
		}
		return Equipped, summary, e.creatorHint()
	default:
		summary, hint := e.untouched(kind, matched)
		return Untouched, "created as it came: " + summary, hint
	}
}

// untouched says why nothing happens to a pod.
func (e *explainer) untouched(kind policy.Kind, matched int) (summary, hint string) {
	label := e.Request.JobLabel
	if label == "" {
		label = policy.DefaultJobLabel
	}
	switch {
	case kind == policy.OtherPod:
		if _, ok := e.Request.Pod.Metadata.Labels["pod"]; ok && label != "pod" {
			hint = "it has the label pod, the only one that GitLab Runner before 15.6.1 sets: try --job-label pod"
		}
		return "it is no job of GitLab Runner's, for it has no label " + label, hint
	case kind == policy.NoBuildPod:
		return "it has the job label, and no container named build", ""
	case len(e.decision.Verdicts) == 0 && len(e.report.Broken) == 0:
		summary = fmt.Sprintf("no policy is in force in namespace %q", e.Request.Namespace)
		others := slices.DeleteFunc(slices.Clone(e.Elsewhere), func(ns string) bool { return ns == "" || ns == e.Request.Namespace })
		if len(others) > 0 {
			summary += ", only in " + strings.Join(others, ", ")
		}
		return summary, ""
	case matched == 0 && len(e.decision.Verdicts) > 0:
		summary = "the only policy does not match"
		if n := len(e.decision.Verdicts); n > 1 {
			summary = fmt.Sprintf("none of %d policies matches", n)
		}
		return summary, e.creatorHint()
	case len(e.report.Broken) > 0:
		return fmt.Sprintf("a policy is broken, and a %s pod is never refused", kind), ""
	case e.spared():
		return fmt.Sprintf("its policies would refuse it, and a %s pod is never refused", kind), ""
	default:
		return fmt.Sprintf("the policies that match have nothing for a %s pod", kind), ""
	}
}

// creatorHint says how to tell who creates the pod, where a policy asks for it.
func (e *explainer) creatorHint() string {
	if e.Request.User != "" || !slices.ContainsFunc(e.decision.Verdicts, asksCreator) {
		return ""
	}
	return fmt.Sprintf("a pod does not say who creates it; say so, as with --user system:serviceaccount:%s:gitlab-runner", e.Request.Namespace)
}

// asksCreator tells whether the policy is for this namespace and asks for
// another creator.
func asksCreator(v policy.Verdict) bool {
	asks := false
	for _, m := range v.Mismatches {
		if m.Condition == "match.namespaces" {
			return false
		}
		asks = asks || m.Condition == "match.createdBy"
	}
	return asks
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, ok := strings.CutSuffix(noun, "y"); ok && !strings.HasSuffix(noun, "ey") {
		noun = stem + "ie"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
