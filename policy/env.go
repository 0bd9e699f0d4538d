package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
)

// reservedEnv are variables that no policy may set: they change what every
// program of the job is or does, or are GitLab's. A name ending in "_" stands
// for all that begin so.
var reservedEnv = []struct{ name, why string }{
	{"LD_", "it changes the code of every program"},
	{"BASH_ENV", "it is run by every shell"},
	{"ENV", "it is run by every shell"},
	{"PATH", "it chooses every program"},
	{"CI_", "it is GitLab's own"},
}

func validateEnv(vars []EnvVar, r *report) {
	names := map[string]bool{}
	for i := range vars {
		e := &vars[i]
		at := fmt.Sprintf("inject.env[%d]", i)
		validateEnvName(at+".name", e.Name, r)
		if names[e.Name] {
			r.errorf(at+".name", "take one out", "%q is set twice", e.Name)
		}
		names[e.Name] = true
		switch {
		case e.Value != nil && e.ValueFrom != nil:
			r.errorf(at, "keep one of them", "has both value and valueFrom")
		case e.Value == nil && e.ValueFrom == nil:
			r.errorf(at+".value", "give it a value (\"\" for none) or valueFrom", "is missing")
		case e.ValueFrom != nil && e.ValueFrom.SecretKeyRef == nil:
			r.errorf(at+".valueFrom", "write secretKeyRef: {name: …, key: …}", "is empty")
		case e.ValueFrom != nil:
			ref := e.ValueFrom.SecretKeyRef
			validateSecretName(at+".valueFrom.secretKeyRef.name", ref.Name, r)
			r.invalid(at+".valueFrom.secretKeyRef.key", "key of a Secret", ref.Key, utilvalidation.IsConfigMapKey(ref.Key))
		}
	}
}

func validateEnvName(at, name string, r *report) {
	if name == "" {
		r.errorf(at, "name the variable", "is missing")
		return
	}
	if before, _, found := strings.Cut(name, "="); found {
		// What stands behind it is a value, and not to be told.
		r.errorf(at, "write the value under value", "%q is followed by a value", before)
		return
	}
	r.invalid(at, "name of a variable", name, utilvalidation.IsEnvVarName(name))
	for _, reserved := range reservedEnv {
		if name == reserved.name || strings.HasSuffix(reserved.name, "_") && strings.HasPrefix(name, reserved.name) {
			r.errorf(at, "choose another name", "no policy may set %s: %s", name, reserved.why)
		}
	}
}

// handsSecretEnv tells whether a variable takes its value from a Secret.
func handsSecretEnv(vars []EnvVar) bool {
	for _, e := range vars {
		if e.ValueFrom != nil {
			return true
		}
	}
	return false
}

// addEnv sets a variable on build, if nothing has set it. One that the pod has
// is kept and noted: it is the job author's or the runner's, and wins. Two
// policies that set it differently are a conflict. No message holds a value.
func (p *plan) addEnv(c *compiled, e *EnvVar) {
	build := &p.req.Pod.Spec.Containers[p.build]
	if have := p.inPod(e.Name); have != nil {
		if !e.same(have) {
			p.warn(c, "take it out of .gitlab-ci.yml or the runner's configuration",
				"the pod comes with the variable %s, which is kept and wins", e.Name)
		}
		return
	}
	if other, before := p.env[e.Name]; before {
		if !e.equal(other.variable) {
			p.refuse(c, "let only one of the two set it, or only one of the two policies match",
				"the variable %s is set to something else by %s", e.Name, other.policy)
		}
		return
	}
	p.env[e.Name] = plannedEnv{e, c.origin}
	p.addTo(c, p.build, "env", "", levels(build.Env == nil), e)
}

// equal tells whether two policies set the variable to the same.
func (e *EnvVar) equal(other *EnvVar) bool { return bytes.Equal(e.append(nil), other.append(nil)) }

// asksFor tells whether the policy asks for a variable of build: it sets it, or
// the variable would override a preset's files.
func (c *compiled) asksFor(name []byte) bool {
	for i := range c.inject.Env {
		if c.inject.Env[i].Name == string(name) {
			return true
		}
	}
	for i := range c.secrets {
		if p := c.secrets[i].preset; p != nil && (contains(p.sets, name) || contains(p.overrides, name)) {
			return true
		}
	}
	return false
}

func contains(names []string, name []byte) bool {
	for _, n := range names {
		if n == string(name) {
			return true
		}
	}
	return false
}

// sets tells whether the pod's variable is one that the policy sets itself, as
// it is when its pod is decided on again.
func (c *compiled) sets(have *podEnvVar) bool {
	return slices.ContainsFunc(c.inject.Env, func(e EnvVar) bool { return e.Name == have.name && e.same(have) })
}

// inPod is build's variable of that name, as the pod comes, or nil. It must be
// one that the policy at hand asks for.
func (p *plan) inPod(name string) *podEnvVar {
	for i := range p.podEnv {
		if p.podEnv[i].name == name {
			return &p.podEnv[i]
		}
	}
	return nil
}

// same tells whether a pod's variable is what the policy would set.
func (e *EnvVar) same(have *podEnvVar) bool {
	if e.Value != nil {
		var value string
		return have.valueFrom == nil && (have.value == nil || json.Unmarshal(have.value, &value) == nil) && value == *e.Value
	}
	var from EnvVarSource
	if have.valueFrom == nil || json.Unmarshal(have.valueFrom, &from) != nil || from.SecretKeyRef == nil {
		return false
	}
	a, b := e.ValueFrom.SecretKeyRef, from.SecretKeyRef
	return a.Name == b.Name && a.Key == b.Key && isTrue(a.Optional) == isTrue(b.Optional)
}
