package migrate

import (
	"encoding/json"
	"path"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"quartermaster.dev/policy"
)

// pod is a pod as JSON says it, of which nothing gets lost.
type pod struct{ tree map[string]any }

func decodePod(object []byte) (*pod, error) {
	p := &pod{}
	err := json.Unmarshal(object, &p.tree)
	return p, err
}

func (p *pod) encode() []byte {
	data, err := json.Marshal(p.tree)
	if err != nil {
		panic(err) // it was decoded from JSON
	}
	return data
}

func (p *pod) spec() map[string]any { return object(p.tree["spec"]) }

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// container is a container of a pod, and which of a policy's resources it has.
type container struct {
	tree  map[string]any
	name  string
	init  bool
	class string // build, helper or services
}

// containers are all, the init containers last.
func (p *pod) containers() []container {
	var all []container
	for _, v := range list(p.spec()["containers"]) {
		c := container{tree: object(v), name: text(object(v)["name"]), class: "services"}
		if c.name == "build" || c.name == "helper" {
			c.class = c.name
		}
		all = append(all, c)
	}
	for _, v := range list(p.spec()["initContainers"]) {
		all = append(all, container{tree: object(v), name: text(object(v)["name"]), init: true, class: "helper"})
	}
	return all
}

// strip takes out what the old configuration does, where the pod has it.
func (p *pod) strip(it *item) {
	spec := p.spec()
	if it.secret != nil {
		p.stripSecret(it.secret)
	}
	selector := object(spec["nodeSelector"])
	for key, value := range it.gives.NodeSelector {
		if text(selector[key]) == value {
			delete(selector, key)
		}
	}
	if len(selector) == 0 {
		delete(spec, "nodeSelector")
	}
	for i := range it.gives.Tolerations {
		spec["tolerations"] = slices.DeleteFunc(list(spec["tolerations"]), func(v any) bool {
			return reflect.DeepEqual(toleration(v), it.gives.Tolerations[i])
		})
	}
	for at, amount := range amounts(it.gives.Resources) {
		for _, c := range p.containers() {
			of := object(object(c.tree["resources"])[at[1]])
			if have, err := resource.ParseQuantity(text(of[at[2]])); c.class == at[0] && err == nil && have.Cmp(amount) == 0 {
				delete(of, at[2])
				if len(of) == 0 {
					delete(object(c.tree["resources"]), at[1])
				}
			}
		}
	}
}

func toleration(v any) corev1.Toleration {
	var t corev1.Toleration
	data, err := json.Marshal(v)
	if err != nil || json.Unmarshal(data, &t) != nil {
		return corev1.Toleration{}
	}
	if t.Operator == "" {
		t.Operator = corev1.TolerationOpEqual
	}
	return t
}

// stripSecret takes out the mounts of a Secret, and its volume if no other
// mount shows it.
func (p *pod) stripSecret(s *policy.SecretMount) {
	volume := ""
	for _, v := range list(p.spec()["volumes"]) {
		if text(object(object(v)["secret"])["secretName"]) == s.Name {
			volume = text(object(v)["name"])
		}
	}
	if volume == "" {
		return
	}
	used := false
	for _, c := range p.containers() {
		mounts := slices.DeleteFunc(list(c.tree["volumeMounts"]), func(v any) bool {
			return text(object(v)["name"]) == volume && path.Clean("/"+text(object(v)["mountPath"])) == s.MountPath
		})
		c.tree["volumeMounts"] = mounts
		used = used || slices.ContainsFunc(mounts, func(v any) bool { return text(object(v)["name"]) == volume })
	}
	if !used {
		p.spec()["volumes"] = slices.DeleteFunc(list(p.spec()["volumes"]), func(v any) bool { return text(object(v)["name"]) == volume })
	}
}

// give does what the runner did under the old configuration.
func (p *pod) give(it *item) {
	spec := p.spec()
	if s := it.secret; s != nil {
		source := map[string]any{"secretName": s.Name, "defaultMode": float64(0o644)}
		var items []any
		for _, i := range s.Items {
			items = append(items, map[string]any{"key": i.Key, "path": i.Path})
		}
		if items != nil {
			source["items"] = items
		}
		spec["volumes"] = append(list(spec["volumes"]), map[string]any{"name": s.Name, "secret": source})
		for _, c := range p.containers() {
			mount := map[string]any{"name": s.Name, "mountPath": s.MountPath}
			if s.SubPath != "" {
				mount["subPath"] = s.SubPath
			}
			c.tree["volumeMounts"] = append(list(c.tree["volumeMounts"]), mount)
		}
	}
	for key, value := range it.gives.NodeSelector {
		if spec["nodeSelector"] == nil {
			spec["nodeSelector"] = map[string]any{}
		}
		object(spec["nodeSelector"])[key] = value
	}
	for _, t := range it.gives.Tolerations {
		v := map[string]any{"key": t.Key, "operator": string(t.Operator), "value": t.Value, "effect": string(t.Effect)}
		spec["tolerations"] = append(list(spec["tolerations"]), v)
	}
	for at, amount := range amounts(it.gives.Resources) {
		for _, c := range p.containers() {
			if c.class == at[0] {
				c.set(at[1], at[2], amount.String())
			}
		}
	}
}

// set sets a request or limit that is not there.
func (c *container) set(field, name, amount string) {
	if object(c.tree["resources"]) == nil {
		c.tree["resources"] = map[string]any{}
	}
	of := object(c.tree["resources"])
	if object(of[field]) == nil {
		of[field] = map[string]any{}
	}
	if object(of[field])[name] == nil {
		object(of[field])[name] = amount
	}
}
