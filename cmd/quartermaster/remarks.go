package main

import (
	"fmt"
	"slices"
	"strings"

	"quartermaster.dev/policy"
)

// remark prints what is wrong with the manifests of policies, and fails where
// it cannot be told what they would do: they are broken, or two are of one name.
func (p *policies) remark(s streams) error {
	for _, f := range p.files {
		for _, problem := range f.Problems {
			problem.Document = strings.TrimSuffix(f.name+": "+problem.Document, ": ")
			if problem.Severity == policy.Error || strings.HasPrefix(problem.Message, isAlsoIn) {
				hint := problem.Hint
				problem.Hint = ""
				return inputErrorf(hint, "%s", problem)
			}
			s.problem(problem)
		}
	}
	return nil
}

// problem prints a problem, and its hint on a line of its own.
func (s streams) problem(p policy.Problem) {
	hint := p.Hint
	p.Hint = ""
	s.say(p.Severity.String(), p.String())
	if hint != "" {
		s.say("hint", hint)
	}
}

// remarks are what render says about a decision, beside the pod.
type remarks struct {
	*question
	decision *policy.Decision
}

// remark prints what is worth knowing about a decision besides its outcome.
func remark(s streams, e *remarks) {
	for _, note := range e.decision.Notes {
		note.Document = e.policies.plain(note.Document)
		note.Message = e.policies.plain(note.Message)
		s.problem(note)
	}
	if askers := e.askers(); e.req.User == "" && len(askers) > 0 {
		s.say("warning", "it is not known who creates the pod, and match.createdBy asks for it: "+strings.Join(askers, ", "))
		s.say("hint", fmt.Sprintf("say who, as --user system:serviceaccount:%s:gitlab-runner", e.req.Namespace))
	}
	if e.decision.Outcome == policy.Untouched {
		e.whyUntouched(s)
	}
}

// askers are the policies of this namespace that ask for another creator.
func (e *remarks) askers() []string {
	var names []string
	for _, v := range e.decision.Verdicts {
		fails := func(condition string) bool {
			return slices.ContainsFunc(v.Mismatches, func(m policy.Mismatch) bool { return m.Condition == condition })
		}
		if fails("match.createdBy") && !fails("match.namespaces") {
			names = append(names, e.policies.plain(v.Policy))
		}
	}
	return names
}

// whyUntouched answers the question that a pod raises to which nothing happened.
func (e *remarks) whyUntouched(s streams) {
	if e.decision.Kind == policy.OtherPod {
		s.say("note", fmt.Sprintf("the pod is left alone: it is no job of GitLab Runner's, for it has no label %s", e.req.JobLabel))
		if _, ok := e.req.Pod.Metadata.Labels["pod"]; ok {
			s.say("hint", "it has the label pod, the only one that GitLab Runner before 15.6.1 sets: try --job-label pod")
		}
		return
	}
	if len(e.decision.Verdicts) == 0 && len(e.decision.Notes) == 0 {
		note := fmt.Sprintf("no policy is in force in namespace %q", e.req.Namespace)
		if others := e.policies.namespaces(); len(others) > 0 {
			note += ", only in " + strings.Join(others, ", ")
		}
		s.say("note", note)
		return
	}
	for _, v := range e.decision.Verdicts {
		for _, m := range v.Mismatches {
			s.say("note", fmt.Sprintf("%s does not match: %s", e.policies.plain(v.Policy), m))
		}
	}
}
