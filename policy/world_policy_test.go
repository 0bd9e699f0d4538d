package policy_test

import (
	"encoding/json"
	"fmt"
	"slices"

	"quartermaster.dev/policy"
	"quartermaster.dev/policy/policytest"
)

// configMap is a ConfigMap of the namespace or of the system namespace, with
// one to three documents in one or two keys.
func (w *world) configMap(i int) policy.ConfigMap {
	cm := policy.ConfigMap{Namespace: w.namespace, Name: fmt.Sprint("cm-", i), Data: map[string]string{}}
	if w.one(3) {
		cm.Namespace, cm.System = policytest.SystemNamespace, true
	}
	for j := range 1 + w.n(2) {
		key := w.pick("a.yaml", "b.yaml")
		cm.Data[key] += w.document(cm.System, j) + "\n---\n"
	}
	return cm
}

// document is a document as JSON, which is YAML.
func (w *world) document(system bool, i int) string {
	doc := map[string]any{"apiVersion": policy.APIVersion, "kind": policy.KindJobPolicy, "name": fmt.Sprint("doc-", i)}
	if system && w.one(4) {
		doc["kind"] = policy.KindGuardrail
		doc["allow"] = without0(map[string]any{
			"secretNames": []string{"dev*", "other"}[:1+w.n(2)], "mountPaths": w.rarely(func() any { return []string{"/etc", "/root"} }),
			"nodeSelector": w.rarely(func() any { return map[string]any{"example.com/a": []string{"*"}} }),
		})
	} else {
		doc["match"], doc["inject"] = w.match(system), w.inject()
		doc["mode"] = w.pick(policy.ModeEnforce, policy.ModeEnforce, policy.ModeAudit)
	}
	if w.one(32) {
		doc[w.pick(w.words.free...)] = w.secret()
	}
	data, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return string(data)
}

func (w *world) match(system bool) map[string]any {
	m := map[string]any{}
	if system {
		m["namespaces"] = []string{w.pick("dev", "d*", "prod")}
	}
	switch w.n(6) {
	case 1:
		m["projectIDs"] = []int{77}
	case 2:
		m["createdBy"] = []any{map[string]any{"kind": "ServiceAccount", "name": "gitlab-runner", "namespace": "dev"}}
	case 3:
		m["runnerNames"] = []string{w.pick(w.words.names...)}
	case 4:
		m["projectIDs"] = []int{77, 901}
		m["podSelector"] = map[string]any{"matchLabels": map[string]any{"stage": w.pick(w.words.values...)}}
	}
	return m
}

func (w *world) inject() map[string]any {
	inject := map[string]any{"nodeSelector": map[string]any{"example.com/c": "x"}}
	if w.n(2) == 0 {
		inject["nodeSelector"] = w.selector()
	}
	inject["secrets"] = distinct(some(w, 2, w.secretMount), "mountPath")
	inject["env"] = distinct(some(w, 2, w.envVar), "name")
	inject["tolerations"] = distinct(some(w, 2, w.toleration), "key")
	inject["resources"] = w.rarely(func() any {
		amounts := map[string]any{"requests": map[string]any{"cpu": w.pick("1", "500m", "2")}, "limits": map[string]any{"cpu": w.pick("2", "3")}}
		return map[string]any{w.pick("build", "helper", "services"): amounts}
	})
	return without0(inject)
}

// distinct are the items that differ in a member: a policy that says a thing
// twice is broken, and most are not.
func distinct(items []any, member string) []any {
	seen := map[any]bool{}
	return slices.DeleteFunc(items, func(item any) bool {
		value := item.(map[string]any)[member]
		defer func() { seen[value] = true }()
		return seen[value]
	})
}

func (w *world) envVar() any {
	if w.one(3) {
		return map[string]any{"name": w.pick(w.words.envNames...), "valueFrom": map[string]any{"secretKeyRef": map[string]any{"name": w.pick(w.words.secretNames...), "key": "k"}}}
	}
	return map[string]any{"name": w.pick(w.words.envNames...), "value": w.secret()}
}

func (w *world) secretMount() any {
	m := map[string]any{"name": w.pick(w.words.secretNames...), "optional": w.rarely(func() any { return true })}
	if w.n(2) == 0 {
		m["preset"] = w.pick(policy.Presets()...)
		m["home"] = w.rarely(func() any { return w.pick(w.words.paths...) })
		return without0(m)
	}
	m["mountPath"] = w.pick(w.words.paths...)
	m["defaultMode"] = w.rarely(func() any { return 0o440 })
	m["subPath"] = w.rarely(func() any { return w.pick(w.words.relative...) })
	m["items"] = w.rarely(func() any { return []any{map[string]any{"key": "k", "path": w.pick(w.words.relative...)}} })
	m["containers"] = w.rarely(func() any { return []string{"helper", "build"}[:1+w.n(2)] })
	return without0(m)
}

// without0 leaves out the members that are nil.
func without0(m map[string]any) map[string]any {
	for key, value := range m {
		if value == nil {
			delete(m, key)
		}
	}
	return m
}

// sources compiles the ConfigMaps of the world in some order, and says what is
// in force for its namespace.
func (w *world) set(order []int) *policy.Set {
	var own, system []*policy.Source
	for _, i := range order {
		source := policy.Compile(w.configMaps[i])
		if source.System {
			system = append(system, source)
		} else {
			own = append(own, source)
		}
	}
	return policy.NewSet(w.namespace, policy.NewSystem(system...), own...)
}
