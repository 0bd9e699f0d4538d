package policy

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
)

// bound is a [Guardrail] compiled.
type bound struct {
	origin     string
	namespaces []string
	allow      Allow
}

func (b *bound) appliesTo(namespace string) bool {
	return b.namespaces == nil || matchesAny(b.namespaces, namespace)
}

func validateGuardrail(g *Guardrail, r *report) *bound {
	if g.Name != "" && !validName(g.Name) {
		r.errorf("name", "use lower case letters, digits and dashes", "%q is no name", g.Name)
	}
	namespaceGlobs("namespaces", g.Namespaces, r)
	if g.Allow == nil {
		r.errorf("allow", "say what policies may do: secretNames, mountPaths, envNames, containers, nodeSelector or tolerationKeys", "is missing")
		return nil
	}
	a := g.Allow
	if a.SecretNames == nil && a.MountPaths == nil && a.EnvNames == nil && a.Containers == nil && a.NodeSelector == nil && a.TolerationKeys == nil {
		r.errorf("allow", "say what policies may do: secretNames, mountPaths, envNames, containers, nodeSelector or tolerationKeys", "bounds nothing")
	}
	validateGlobs("allow.secretNames", a.SecretNames, "name of a Secret",
		func(s string) []string { return validation.NameIsDNSSubdomain(s, false) }, r)
	validateGlobs("allow.envNames", a.EnvNames, "name of a variable", utilvalidation.IsEnvVarName, r)
	validateGlobs("allow.tolerationKeys", a.TolerationKeys, "taint key", utilvalidation.IsQualifiedName, r)
	for i, p := range a.MountPaths {
		at := fmt.Sprintf("allow.mountPaths[%d]", i)
		validatePath(at, p, r)
		if strings.ContainsAny(p, "*?") {
			r.errorf(at, "write the directory alone: what is below it is allowed with it", "%q looks like a glob, and a path is none", p)
		}
	}
	validateContainerNames("allow.containers", a.Containers, r)
	for key, values := range sorted(a.NodeSelector) {
		at := "allow.nodeSelector[" + key + "]"
		r.invalid(at, "label key", key, utilvalidation.IsQualifiedName(key))
		validateGlobs(at, values, "label value", utilvalidation.IsValidLabelValue, r)
	}
	return &bound{origin: r.document, namespaces: g.Namespaces, allow: *a}
}

// violations are what a policy of a namespace does that the guardrail does not
// allow, each naming both.
func (b *bound) violations(c *compiled) []Problem {
	v := violations{bound: b, report: report{document: c.origin}}
	v.secrets(c)
	v.env(c)
	if allowed := b.allow.NodeSelector; allowed != nil {
		for _, t := range c.nodeSelector {
			key, value := t.key, t.value
			if values, ok := allowed[key]; !ok {
				v.refuse("inject.nodeSelector["+key+"]", "node selector "+key, keysOf(allowed))
			} else if !matchesAny(values, value) {
				v.refuse("inject.nodeSelector["+key+"]", fmt.Sprintf("node selector %s of %q", key, value), values)
			}
		}
	}
	if allowed := b.allow.TolerationKeys; allowed != nil {
		for i, t := range c.inject.Tolerations {
			if t.Key == "" && !slices.Contains(allowed, "*") || t.Key != "" && !matchesAny(allowed, t.Key) {
				v.refuse(fmt.Sprintf("inject.tolerations[%d]", i), "toleration "+describe(&t), allowed)
			}
		}
	}
	return v.problems
}

type violations struct {
	report
	bound *bound
}

// refuse records that something is not allowed, and what is instead.
func (v *violations) refuse(at, what string, allowed []string) {
	hint := "the guardrail allows none"
	if len(allowed) > 0 {
		hint = "allowed: " + strings.Join(allowed, ", ")
	}
	v.errorf(at, hint, "%s is not allowed by the guardrail %s", what, v.bound.origin)
}

func (v *violations) secrets(c *compiled) {
	a := &v.bound.allow
	for i := range c.secrets {
		s := &c.secrets[i]
		if a.SecretNames != nil && !matchesAny(a.SecretNames, s.name) {
			v.refuse(s.field()+".name", fmt.Sprintf("Secret %q", s.name), a.SecretNames)
		}
		if dir := s.dir(false); a.MountPaths != nil && !slices.ContainsFunc(a.MountPaths, func(p string) bool { return p == "/" || p == dir || within(dir, p) }) {
			v.refuse(s.field(), "the mount path "+dir, a.MountPaths)
		}
		for _, name := range s.containers {
			if a.Containers != nil && !slices.Contains(a.Containers, name) {
				v.refuse(s.field()+".containers", "the container "+name, a.Containers)
			}
		}
	}
}

func (v *violations) env(c *compiled) {
	a := &v.bound.allow
	for i, e := range c.inject.Env {
		at := fmt.Sprintf("inject.env[%d]", i)
		if a.EnvNames != nil && !matchesAny(a.EnvNames, e.Name) {
			v.refuse(at+".name", "the variable "+e.Name, a.EnvNames)
		}
		if e.ValueFrom != nil && a.SecretNames != nil && !matchesAny(a.SecretNames, e.ValueFrom.SecretKeyRef.Name) {
			v.refuse(at+".valueFrom.secretKeyRef.name", fmt.Sprintf("Secret %q", e.ValueFrom.SecretKeyRef.Name), a.SecretNames)
		}
	}
}

func keysOf[V any](m map[string]V) []string {
	var keys []string
	for key := range sorted(m) {
		keys = append(keys, key)
	}
	return keys
}
