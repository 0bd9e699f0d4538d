package migrate

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
)

// legacyAmounts are the keys of old charts below runners.builds, services and
// helpers that request or limit.
var legacyAmounts = []struct{ key, field, name string }{
	{"cpuRequests", "requests", "cpu"},
	{"memoryRequests", "requests", "memory"},
	{"ephemeralStorageRequests", "requests", "ephemeral-storage"},
	{"cpuLimit", "limits", "cpu"},
	{"memoryLimit", "limits", "memory"},
	{"ephemeralStorageLimit", "limits", "ephemeral-storage"},
}

// findLegacy finds what old charts took from values of their own. They are for
// all runners of the release.
func (c *Config) findLegacy() {
	runners := get(c.values, "runners").value
	selector := get(runners, "nodeSelector")
	for _, e := range entries(resolved(selector.value)) {
		it := c.legacyItem(selector, e, "nodeSelector")
		it.what, it.to = e.key.Value+"="+e.str(), "inject.nodeSelector"
		it.gives.NodeSelector = map[string]string{e.key.Value: e.str()}
		it.needsTemplate(e.key.Value, e.str())
		if e.value.Kind != yaml.ScalarNode || e.value.ShortTag() == "!!null" {
			it.stay("write a string, and run migrate again", "its value is no string")
		}
	}
	c.findLegacyTolerations(get(runners, "nodeTolerations"))
	for _, group := range []struct{ key, container string }{{"builds", "build"}, {"services", "services"}, {"helpers", "helper"}} {
		of := get(runners, group.key)
		for _, a := range legacyAmounts {
			e := get(resolved(of.value), a.key)
			if e.str() == "" {
				continue
			}
			it := c.legacyItem(of, e, group.key, a.key)
			it.amount(resourceKey{container: group.container, field: a.field, name: a.name}, e.str())
		}
	}
}

// resolved is what an alias stands for.
func resolved(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// legacyItem begins an item for an entry below runners, in the value of parent.
func (c *Config) legacyItem(parent, e entry, path ...string) *item {
	it := &item{line: e.key.Line, last: e.key.Line, path: c.path(append([]string{"runners"}, path...)...), keys: []*yaml.Node{e.key}, effective: !c.ignoresLegacy}
	if c.ignoresLegacy {
		it.note = "without effect since chart " + legacySince + "; the policy brings it back"
	}
	const hint = "write it out in both places, and run migrate again"
	if parent.value.Kind == yaml.AliasNode {
		it.line = parent.key.Line
		it.stay(hint, "it stands elsewhere, as &%s", parent.value.Value)
	}
	for line := range c.yaml.blockLines(e) {
		it.last = max(it.last, line)
	}
	if e.key.Value == "<<" {
		it.stay("write the keys out, and run migrate again", "it is merged in from elsewhere")
	}
	if name := c.sharedAnchor(parent.value); name != "" {
		it.stay(hint, "another value refers to it, as *%s", name)
	}
	c.items = append(c.items, it)
	return it
}

// sharedAnchor is the anchor in a value that something outside of it refers to.
func (c *Config) sharedAnchor(value *yaml.Node) string {
	var inside, targets []*yaml.Node
	walk(value, func(n *yaml.Node) { inside = append(inside, n) })
	walk(c.yaml.root, func(n *yaml.Node) {
		if n.Kind == yaml.AliasNode && !slices.Contains(inside, n) {
			targets = append(targets, n.Alias)
		}
	})
	for _, n := range inside {
		if slices.Contains(targets, n) {
			return n.Anchor
		}
	}
	return ""
}

func walk(n *yaml.Node, visit func(*yaml.Node)) {
	visit(n)
	for _, c := range n.Content {
		walk(c, visit)
	}
}

// findLegacyTolerations finds the list of tolerations, which goes as one.
func (c *Config) findLegacyTolerations(e entry) {
	all := resolved(e.value)
	if all == nil || all.Kind != yaml.SequenceNode || len(all.Content) == 0 {
		return
	}
	it := c.legacyItem(e, e, "nodeTolerations")
	it.to = "inject.tolerations"
	for _, n := range all.Content {
		var t corev1.Toleration
		fields := map[string]*string{"key": &t.Key, "operator": (*string)(&t.Operator), "value": &t.Value, "effect": (*string)(&t.Effect)}
		for _, f := range entries(n) {
			if fields[f.key.Value] == nil {
				it.stay("take it out, and run migrate again", "%q is no field of a toleration that the chart knew", f.key.Value)
				continue
			}
			*fields[f.key.Value] = f.str()
			it.needsTemplate(f.str())
		}
		if t.Operator == "" {
			t.Operator = corev1.TolerationOpEqual
		}
		if t.Operator == corev1.TolerationOpExists {
			t.Value = ""
		}
		if it.what != "" {
			it.what += ", "
		}
		it.what += describe(&t)
		it.gives.Tolerations = append(it.gives.Tolerations, t)
	}
	if it.what == "" {
		it.what = fmt.Sprintf("%d tolerations", len(all.Content))
	}
}
