package policy

import (
	"fmt"
	"strings"
)

// plan is what the policies so far would add, and what is there to collide with.
type plan struct {
	req       *Request
	decision  *Decision
	additions Additions

	build        int             // index of the container build, or -1
	podEnv       []podEnvVar     // of what build comes with, what the policy at hand asks for
	mounts       map[int][]mount // by index of the container
	volumes      map[string]bool
	env          map[string]plannedEnv
	nodeSelector map[string]planned
	tolerations  []plannedToleration
	resources    map[string]plannedQuantity
}

// planned is a value that a policy asked for.
type planned struct{ value, policy string }

// plannedEnv is a variable that a policy asked for.
type plannedEnv struct {
	variable *EnvVar
	policy   string
}

func newPlan(req *Request, d *Decision) *plan {
	p := &plan{
		req: req, decision: d, build: -1,
		mounts: map[int][]mount{}, volumes: map[string]bool{},
		env: map[string]plannedEnv{}, nodeSelector: map[string]planned{}, resources: map[string]plannedQuantity{},
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
			p.refuse(c, o.hint, "%s cannot be handed out: %s", joinWords(c.credentials(), "and"), o.why(p.req))
			refused = true
		}
	}
	if p.decision.Kind == DuplicateBuildPod {
		if !refused {
			p.note(c, "two containers are named build; the pod is left alone")
		}
		return false
	}
	p.addNodeSelector(c)
	p.addTolerations(c)
	if p.decision.Kind.withholds() {
		if c.handsCredentials() || len(c.inject.Env) > 0 || c.inject.Resources != nil {
			p.note(c, "a %s pod is given its place and nothing else", p.decision.Kind)
		}
		return len(c.nodeSelector)+len(c.inject.Tolerations) > 0
	}
	p.podEnv = p.req.Pod.Spec.Containers[p.build].Env.find(c.asksFor)
	for i := range c.secrets {
		p.addSecret(c, &c.secrets[i])
	}
	for i := range c.inject.Env {
		p.addEnv(c, &c.inject.Env[i])
	}
	p.addResources(c)
	return !refused // but every conflict beside is named as well
}

// checkTogether refuses what policies only do together: a request of the one
// above a limit of the other, and a preset on nodes of Windows, which would be
// refused when the pod that came out is decided on.
func (p *plan) checkTogether(policies []*compiled) {
	p.checkResources()
	place := p.nodeSelector[labelOS]
	if place.value != windows {
		return
	}
	for _, c := range policies {
		if c.handsPreset() && !p.decision.Kind.withholds() {
			p.refuse(c, "spell the Secret out with mountPath, or hand it to other jobs",
				"%s cannot be handed out: %s sends the pod to nodes of Windows, and presets know the paths of Linux only",
				joinWords(c.credentials(), "and"), place.policy)
		}
	}
}

// refuse records a reason to refuse the pod.
func (p *plan) refuse(c *compiled, hint, format string, args ...any) {
	p.decision.Refusals = append(p.decision.Refusals, Problem{
		Severity: Error, Document: c.origin, Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// warn records something about the pod that its job's author should change.
func (p *plan) warn(c *compiled, hint, format string, args ...any) {
	p.decision.Notes = append(p.decision.Notes, Problem{
		Severity: Warning, Document: c.origin, Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// note records something worth knowing about the pod.
func (p *plan) note(c *compiled, format string, args ...any) {
	p.decision.note(c.origin, format, args...)
}

// usualAdditions is room for what a pod usually gets, two Secrets and its place,
// so that the list need not grow.
const usualAdditions = 16

// add plans an addition to a list (key is empty) or mapping, of whose pointer
// the pod lacks as many levels as absent says.
func (p *plan) add(c *compiled, parent, key string, absent int, value any) {
	if p.additions == nil {
		p.additions = make(Additions, 0, usualAdditions)
	}
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
		Parent: "/metadata/annotations", Key: AnnotationApplied, Value: value, absent: levels(annotations == nil),
	})
}
