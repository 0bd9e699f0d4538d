package migrate

import (
	"regexp"
	"strings"
)

// runner is one [[runners]] of a configuration.
type runner struct {
	// toml is its table, and kube the table kubernetes in it. Both are nil for a
	// runner that only chart values speak of.
	toml, kube *tomlNode
	// name is empty where none is configured, or only a template knows it.
	name string
	// namespace of its jobs, or empty where it is not known.
	namespace string
	// account of its jobs, or empty for the namespace's default.
	account string
}

// findRunners finds the runners whose executor is Kubernetes.
func (c *Config) findRunners() error {
	if c.toml == nil {
		c.runners = []*runner{{name: c.chartName()}}
	} else {
		list := c.toml.root.child("runners")
		switch {
		case list == nil && c.in.TOML:
			return &SyntaxError{Line: 1, Message: "is no configuration of GitLab Runner: it holds no [[runners]]", Hint: "for values of the Helm chart, use -f"}
		case list == nil:
			return c.inConfig(&SyntaxError{Line: 1, Message: "holds no [[runners]]", Hint: "write [[runners]] above what it says"})
		case list.kind != tomlList:
			return c.inConfig(&SyntaxError{Line: list.line, Message: "runners is a list of tables, and this is one table", Hint: "write [[runners]]"})
		}
		for _, n := range list.children {
			if e := n.child("executor").text(); e == "" && (!c.in.TOML || n.child("kubernetes") != nil) || e == "kubernetes" {
				c.runners = append(c.runners, &runner{toml: n, kube: n.child("kubernetes"), name: c.resolve(n.child("name").text())})
			}
		}
		if len(c.runners) == 0 {
			return c.inConfig(&SyntaxError{Line: list.children[0].line, Message: "no runner here has the executor kubernetes", Hint: "job pods come from that executor alone"})
		}
	}
	for _, r := range c.runners {
		if len(c.runners) == 1 && r.name == "" {
			r.name = c.chartName()
		}
		c.place(r)
	}
	return nil
}

// chartName is the runner's name that the chart's values give.
func (c *Config) chartName() string { return c.resolve(get(c.values, "runners", "name").str()) }

// place finds out where the runner's jobs run, and as whom.
func (c *Config) place(r *runner) {
	legacy := get(c.values, "runners")
	r.namespace = c.resolve(r.kube.child("namespace").text())
	if r.namespace == "" && r.kube.child("namespace").text() == "" {
		old := c.resolve(get(legacy.value, "namespace").str())
		r.namespace = firstText(c.resolve(get(legacy.value, "jobNamespace").str()), old, c.opts.Namespace)
		if c.ignoresLegacy {
			r.namespace = firstText(c.resolve(get(legacy.value, "jobNamespace").str()), c.opts.Namespace, old)
		}
	}
	r.account = c.resolve(r.kube.child("service_account").text())
	if r.account == "" && !c.ignoresLegacy {
		r.account = get(legacy.value, "serviceAccountName").str()
	}
}

func firstText(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// simple is a template that can be resolved without Helm.
var simple = regexp.MustCompile(`^\{\{-?\s*(?:default\s+(\S+)\s+)?(\.\S+?)(?:\s*\|\s*quote)?\s*-?\}\}$`)

// resolve is a value whose templates name what is known: the release and the
// values of the file. It is empty where it cannot be told.
func (c *Config) resolve(text string) string {
	if !templated(text) {
		return text
	}
	m := simple.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return ""
	}
	return firstText(c.lookup(m[2]), c.lookup(m[1]))
}

// lookup is what a name of a template stands for.
func (c *Config) lookup(name string) string {
	if values, ok := strings.CutPrefix(name, ".Values."); ok {
		found := get(c.values, strings.Split(values, ".")...).str()
		if templated(found) {
			return ""
		}
		return found
	}
	switch name {
	case ".Release.Namespace":
		return c.opts.Namespace
	case ".Release.Name":
		return c.opts.Release
	}
	return strings.Trim(name, `"`)
}

// templated tells whether only Helm can say what a text is.
func templated(text string) bool { return strings.Contains(text, "{{") }
