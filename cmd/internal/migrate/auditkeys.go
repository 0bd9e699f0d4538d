package migrate

import (
	"fmt"
	"slices"
	"strings"

	"quartermaster.dev/policy"
)

// auditUnknownKeys finds keys that the runner does not read, and says nothing
// about.
func auditUnknownKeys(c *Config, r *runner) []Finding {
	if r.toml == nil {
		return nil
	}
	found := c.unknownKeys(r.toml, "runners")
	for _, table := range []struct{ key, example string }{
		{"node_selector", `"key" = "value"`}, {"node_tolerations", `"key=value" = "Effect"`},
	} {
		n := r.kube.child(table.key)
		if n == nil || n.kind == tomlTable {
			continue
		}
		f := c.at(n, "runners.kubernetes."+table.key, "key-misshapen", policy.Error)
		f.Message = fmt.Sprintf("%s is a table of strings, and this is none: the runner cannot read its configuration", table.key)
		f.Hint = fmt.Sprintf("write [runners.kubernetes.%s] with %s", table.key, table.example)
		found = append(found, f)
	}
	return found
}

func (c *Config) unknownKeys(n *tomlNode, table string) []Finding {
	known, ok := keysOf(table)
	if !ok {
		return nil
	}
	var found []Finding
	for _, child := range n.children {
		if templated(child.key) {
			continue
		}
		is := slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(strings.TrimSuffix(k, "/"), child.key) })
		path := table + "." + child.key
		switch {
		case !is:
			f := c.at(child, path, "key-ignored", policy.Warning)
			f.Message = fmt.Sprintf("%s is no key of GitLab Runner's: it is ignored, without a word", path)
			f.Hint = "take it out"
			if near := nearest(child.key, known); near != "" {
				f.Hint = fmt.Sprintf("did you mean %q?", near)
			}
			if instead := insteadOf[path]; instead != "" {
				f.Hint = instead
			}
			found = append(found, f)
		case child.kind == tomlTable:
			found = append(found, c.unknownKeys(child, strings.ToLower(path))...)
		case child.kind == tomlList:
			for _, element := range child.children {
				found = append(found, c.unknownKeys(element, strings.ToLower(path))...)
			}
		}
	}
	return found
}
