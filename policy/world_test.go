package policy_test

import (
	"encoding/json"
	"slices"

	"quartermaster.dev/policy"
)

// world is a pod, who creates it, and the policies of the cluster, made of
// bytes: the same bytes make the same world, and a fuzzer that changes one
// changes one choice.
type world struct {
	choices []byte
	words   words

	namespace, user string
	groups          []string
	object          []byte // the pod as JSON
	configMaps      []policy.ConfigMap
}

// words are what names, values and paths are made of. They are few, so that
// policies and pods often mean the same.
type words struct {
	names, secretNames, paths, relative, values, envNames []string
	// free stand where Kubernetes takes any text.
	free []string
}

// plainWords make worlds that mostly are right.
var plainWords = words{
	names:       []string{"a", "b"},
	secretNames: []string{"dev-key", "dev.key", "other"},
	paths:       []string{"/etc/a", "/etc/a/b", "/etc/b", "/root/.kube", "/root/.config", "/root/.config/scw", "/srv"},
	relative:    []string{"a", "b", "c/d"},
	values:      []string{"x", "y", ""},
	envNames:    []string{"A", "B", "KUBECONFIG", "SCW_ACCESS_KEY"},
	free:        []string{"x", "y"},
}

// newWorld makes a world of bytes.
func newWorld(data []byte, w words) *world {
	x := &world{choices: data, words: w, namespace: "dev"}
	x.user = x.pick("system:serviceaccount:dev:gitlab-runner", "system:serviceaccount:dev:jobs", "admin", "")
	x.groups = []string{"system:authenticated"}
	for i := range 1 + x.n(3) {
		x.configMaps = append(x.configMaps, x.configMap(i))
	}
	object, err := json.Marshal(x.pod())
	if err != nil {
		panic(err)
	}
	x.object = object
	return x
}

// n is a choice of n: 0 once the bytes are used up.
func (w *world) n(n int) int {
	if len(w.choices) == 0 {
		return 0
	}
	c := int(w.choices[0])
	w.choices = w.choices[1:]
	return c % n
}

// one tells whether the one choice of n was made.
func (w *world) one(of int) bool { return w.n(of) == of-1 }

func (w *world) pick(from ...string) string { return from[w.n(len(from))] }

// some are up to n things.
func some[T any](w *world, n int, f func() T) []T {
	list := []T{}
	for range w.n(n + 1) {
		list = append(list, f())
	}
	return list
}

// secret is a value that nothing may tell.
func (w *world) secret() string { return "hunter2 " + w.pick(w.words.free...) }

// object is a JSON object with what keyed gives; members that are nil are left
// out, or null once in a while.
func (w *world) keep(members map[string]any) map[string]any {
	for _, key := range slices.Sorted(keysOf(members)) {
		if members[key] == nil && !w.one(8) {
			delete(members, key)
		}
	}
	return members
}

func keysOf(m map[string]any) func(func(string) bool) {
	return func(yield func(string) bool) {
		for key := range m {
			if !yield(key) {
				return
			}
		}
	}
}

// maybe is a value or, as often, nil.
func maybe[T any](w *world, f func() T) any {
	if w.n(2) == 0 {
		return nil
	}
	return f()
}

// pod is a pod as the API server hands it to a webhook, more or less.
func (w *world) pod() map[string]any {
	labels := map[string]any{}
	if !w.one(8) {
		labels[policy.DefaultJobLabel] = "runner"
	} else if w.n(2) == 0 {
		labels["runner.gitlab.com/pause-pod"] = "true"
	}
	labels["project.runner.gitlab.com/id"] = w.pick("77", "77", "901", "0", w.pick(w.words.free...))
	labels["manager.runner.gitlab.com/name"] = w.pick(w.words.names...)
	labels["stage"] = w.pick(w.words.free...)
	spec := w.keep(map[string]any{
		"containers":     w.containers(),
		"initContainers": []any{w.container(w.pick("init-permissions", "init-steps-bootstrap"))},
		"volumes":        maybe(w, w.volumes),
		"nodeSelector":   maybe(w, w.selector),
		"tolerations":    maybe(w, func() any { return some(w, 3, w.toleration) }),
		"resources":      w.rarely(func() any { return w.resources() }),
		"os":             w.rarely(func() any { return map[string]any{"name": w.pick("linux", "windows")} }),
		"securityContext": maybe(w, func() any {
			return w.keep(map[string]any{"runAsUser": maybe(w, w.user01), "fsGroup": maybe(w, w.user01), "supplementalGroups": w.rarely(func() any { return []int{0} })})
		}),
		"serviceAccountName":    w.pick("jobs", "gitlab-runner"),
		"shareProcessNamespace": w.rarely(func() any { return true }),
		"invented":              maybe(w, func() any { return []any{1.5, nil, w.secret()} }),
	})
	annotations := maybe(w, func() any { return map[string]any{"kubernetes.io/limit-ranger": w.pick(w.words.free...)} })
	return map[string]any{"apiVersion": "v1", "kind": "Pod", "spec": spec, "metadata": w.keep(map[string]any{"name": "p", "labels": labels, "annotations": annotations})}
}

// rarely is a value, or mostly nil.
func (w *world) rarely(f func() any) any {
	if w.one(8) {
		return f()
	}
	return nil
}

func (w *world) user01() any { return []int{0, 1000}[w.n(2)] }

func (w *world) containers() []any {
	names := []string{"build", "helper"}
	switch w.n(12) {
	case 1:
		names = []string{"build"}
	case 2:
		names = []string{"helper", "build"}
	case 3:
		names = append(names, "build")
	case 4:
		names = []string{"helper"}
	}
	names = append(names, some(w, 2, func() string { return w.pick("postgres", "helper", w.pick(w.words.free...)) })...)
	var list []any
	for _, name := range names {
		list = append(list, w.container(name))
	}
	return list
}

func (w *world) container(name string) map[string]any {
	return w.keep(map[string]any{
		"name": name, "image": "x", "invented": maybe(w, func() any { return map[string]any{"a": nil} }),
		"env": maybe(w, func() any {
			return some(w, 3, func() any { return map[string]any{"name": w.pick(w.words.envNames...), "value": w.secret()} })
		}),
		"volumeMounts": maybe(w, func() any {
			return some(w, 3, func() any {
				return w.keep(map[string]any{"name": w.pick("v", "s", "t"), "mountPath": w.pick(w.words.paths...) + w.pick("", "", "/", "/x/.."), "subPath": w.rarely(func() any { return w.pick(w.words.relative...) })})
			})
		}),
		"resources":       maybe(w, func() any { return w.resources() }),
		"securityContext": w.rarely(func() any { return w.keep(map[string]any{"runAsUser": maybe(w, w.user01)}) }),
	})
}

func (w *world) volumes() any {
	list := []any{map[string]any{"name": "v", "emptyDir": map[string]any{}}}
	for _, name := range []string{"s", "t"} {
		list = append(list, map[string]any{"name": name, "secret": w.keep(map[string]any{
			"secretName": w.pick(w.words.secretNames...), "defaultMode": maybe(w, func() any { return []int{0o400, 0o600}[w.n(2)] }),
		})})
	}
	return list
}

func (w *world) selector() any {
	selector := map[string]any{}
	if w.one(8) {
		selector["kubernetes.io/os"] = w.pick("linux", "windows")
	}
	for range w.n(3) {
		selector["example.com/"+w.pick(w.words.names...)] = w.pick(w.words.values...)
	}
	return selector
}

func (w *world) toleration() any {
	t := map[string]any{"key": w.pick(w.words.names...), "operator": w.pick("Equal", "Exists")}
	if t["operator"] == "Equal" {
		t["value"] = w.pick(w.words.values...)
	}
	t["effect"] = w.pick("NoSchedule", "NoExecute")
	if t["effect"] == "NoExecute" && w.n(2) == 0 {
		t["tolerationSeconds"] = []int{60, 300}[w.n(2)]
	}
	return t
}

func (w *world) resources() any {
	amounts := func() any {
		return w.keep(map[string]any{"cpu": maybe(w, func() any { return w.pick("1", "1000m", "500m") }), "memory": maybe(w, func() any { return w.pick("1Gi", "1024Mi", "2Gi") })})
	}
	return w.keep(map[string]any{"requests": maybe(w, amounts), "limits": maybe(w, amounts)})
}
