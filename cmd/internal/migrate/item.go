package migrate

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"

	"quartermaster.dev/policy"
)

// item is one thing of a configuration that a policy could hold.
type item struct {
	// runner that it is for; nil for all.
	runner *runner
	// line of the file, and the last that is its own, and the path there.
	line, last int
	path       string
	// what it is and where it goes, in words.
	what, to string
	// gives is what a policy has to say for it.
	gives policy.Inject
	// secret is what the runner mounts, for a Secret.
	secret *policy.SecretMount
	// effective tells whether the old configuration did it.
	effective bool

	// node or keys are what is taken out.
	node *tomlNode
	keys []*yaml.Node

	// stays says why it does not move, and hint what to do about it.
	stays, hint string
	// note is added to what is said of its move.
	note string
	// look is what to look at once it has moved.
	look string
	// comments stood with it.
	comments []comment
}

// findItems finds all that a policy could hold, in the order of the file.
func (c *Config) findItems() {
	for _, r := range c.runners {
		c.findSecrets(r)
		c.findNodeSelector(r)
		c.findTolerations(r)
		c.findResources(r)
	}
	c.findLegacy()
	slices.SortStableFunc(c.items, func(a, b *item) int { return a.line - b.line })
}

// tomlItem begins an item for a node of the runner's table.
func (c *Config) tomlItem(r *runner, n *tomlNode, below string) *item {
	it := &item{runner: r, line: c.tomlLine(n.line), node: n, effective: true,
		path: "runners.kubernetes." + below}
	for line := range n.lines() {
		it.last = max(it.last, c.tomlLine(line))
	}
	if n.inline {
		it.stays, it.hint = "stands in an inline table with other things", "write it as a table of its own, and run migrate again"
	}
	c.items = append(c.items, it)
	return it
}

// stay keeps an item where it is, for the first reason that is found.
func (it *item) stay(hint, format string, args ...any) {
	if it.stays == "" {
		it.stays, it.hint = fmt.Sprintf(format, args...), hint
	}
}

// needsTemplate keeps an item whose values only Helm can tell.
func (it *item) needsTemplate(values ...string) {
	if slices.ContainsFunc(values, templated) {
		it.stay("write the value itself, and run migrate again", "a template decides about it, and policies are no templates")
	}
}

func (c *Config) findSecrets(r *runner) {
	list := r.kube.at("volumes", "secret")
	if list == nil {
		return
	}
	for _, n := range list.children {
		it := c.tomlItem(r, n, "volumes.secret")
		if n.inline && allMovable(list) {
			// A list of inline tables is one statement, and goes as one.
			it.stays, it.hint, it.node = "", "", list
		}
		it.onlyKnown(n)
		m := &policy.SecretMount{Name: n.child("name").text(), MountPath: n.child("mount_path").text(), SubPath: n.child("sub_path").text()}
		values := []string{m.Name, m.MountPath, m.SubPath}
		if items := n.child("items"); items != nil {
			for _, i := range items.children {
				m.Items = append(m.Items, policy.KeyToPath{Key: i.key, Path: i.text()})
				values = append(values, i.key, i.text())
			}
		}
		it.what = fmt.Sprintf("Secret %q at %s", m.Name, m.MountPath)
		if m.Name == "" {
			it.what = "a Secret at " + m.MountPath
			it.stay(`write name = "…", and run migrate again`, "it has no name")
		}
		it.needsTemplate(values...)
		if strings.Contains(m.MountPath+m.SubPath, "$") {
			it.stay("write the path itself, and run migrate again", "its path holds a variable, which policies do not expand")
		}
		it.secret = m
		it.asPolicy(r)
	}
}

// onlyKnown keeps a Secret whose table holds more than a policy can say.
func (it *item) onlyKnown(n *tomlNode) {
	known, _ := keysOf("runners.kubernetes.volumes.secret")
	for _, child := range n.children {
		if !slices.Contains(known, strings.ToLower(child.key)) {
			it.stay("take it out, or put it above where it belongs, and run migrate again", "its table holds the key %s, which the runner ignores there", child.key)
		}
	}
}

// allMovable tells whether a list is a statement of its own.
func allMovable(list *tomlNode) bool {
	return !list.inline && len(list.own) > 0 && len(list.children) == 1
}

// asPolicy is how a policy mounts the Secret.
func (it *item) asPolicy(r *runner) {
	m := *it.secret
	m.MountPath = path.Clean("/" + m.MountPath)
	it.secret.MountPath = m.MountPath
	if len(m.Items) == 0 {
		m.Items = nil
	}
	it.to = "inject.secrets"
	given, ok := asPreset(&m, environment(r))
	switch {
	case ok:
		it.note = "as preset " + given.Preset
		if it.secret.Items == nil && it.secret.SubPath == "" {
			it.look = fmt.Sprintf("the preset %s shows only the well-known keys of Secret %q: see that it has them, with `kubectl describe secret %s -n %s`",
				given.Preset, m.Name, m.Name, r.namespace)
		}
	case strings.HasSuffix(m.MountPath, "/.docker") || strings.HasSuffix(m.MountPath, "/.aws") || strings.HasSuffix(m.MountPath, "/.ssh"):
		it.look = fmt.Sprintf("Secret %q goes to the container build alone, at the path it had: the preset %s would set the environment too, if the Secret has its keys",
			m.Name, map[string]string{".docker": "docker", ".aws": "aws", ".ssh": "ssh"}[path.Base(m.MountPath)])
	default:
		it.look = fmt.Sprintf("Secret %q goes to the container build alone: if helper needs it, for git or the cache, write containers: [build, helper]", m.Name)
	}
	it.gives.Secrets = []policy.SecretMount{given}
}

// environment is what the runner sets for its jobs.
func environment(r *runner) []string {
	n := r.toml.child("environment")
	if n == nil {
		return nil
	}
	values, _ := n.value.([]any)
	var env []string
	for _, v := range values {
		env = append(env, fmt.Sprint(v))
	}
	return env
}

func (c *Config) findNodeSelector(r *runner) {
	table := r.kube.child("node_selector")
	if table == nil || table.kind != tomlTable {
		return
	}
	for _, n := range table.children {
		it := c.tomlItem(r, n, "node_selector")
		it.what, it.to = n.key+"="+n.text(), "inject.nodeSelector"
		it.gives.NodeSelector = map[string]string{n.key: n.text()}
		it.needsTemplate(n.key, n.text())
	}
	c.asStatement(table)
}

// asStatement joins the items of an inline table, which can only go as one.
func (c *Config) asStatement(table *tomlNode) {
	var first *item
	for _, it := range slices.Clone(c.items) {
		switch {
		case it.node == nil || !it.node.inline || table.inline || !slices.Contains(table.children, it.node):
		case first == nil:
			first = it
			first.node = table
			first.stays, first.hint = "", ""
			first.needsTemplate(it.what)
		default:
			first.what += ", " + it.what
			first.needsTemplate(it.what)
			first.gives = merge(first.gives, it.gives)
			c.items = slices.DeleteFunc(c.items, func(other *item) bool { return other == it })
		}
	}
}

func (c *Config) findTolerations(r *runner) {
	table := r.kube.child("node_tolerations")
	if table == nil || table.kind != tomlTable {
		return
	}
	for _, n := range table.children {
		it := c.tomlItem(r, n, "node_tolerations")
		t := corev1.Toleration{Key: n.key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffect(n.text())}
		if parts := strings.Split(n.key, "="); len(parts) > 1 {
			t.Key, t.Value, t.Operator = parts[0], parts[1], corev1.TolerationOpEqual
		}
		it.what, it.to = describe(&t), "inject.tolerations"
		it.gives.Tolerations = []corev1.Toleration{t}
		it.needsTemplate(n.key, n.text())
	}
	c.asStatement(table)
}

// describe is a toleration in the notation of kubectl.
func describe(t *corev1.Toleration) string {
	s := t.Key
	if t.Key == "" {
		s = "every taint"
	}
	if t.Operator != corev1.TolerationOpExists {
		s += "=" + t.Value
	}
	if t.Effect != "" {
		s += ":" + string(t.Effect)
	}
	if t.TolerationSeconds != nil {
		s += fmt.Sprintf(" for %d s", *t.TolerationSeconds)
	}
	return s
}
