package migrate

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/resource"

	"quartermaster.dev/policy"
)

// document is a policy to be written.
type document struct {
	namespace string
	name      string
	match     *policy.Match
	inject    policy.Inject
	items     []*item // whose comments come along
}

// text is the document as YAML, written as people write policies.
func (d *document) text() string {
	fields := []*yaml.Node{scalar("apiVersion"), scalar(policy.APIVersion), scalar("kind"), scalar(policy.KindJobPolicy)}
	if d.name != "" {
		fields = append(fields, scalar("name"), scalar(d.name))
	}
	fields = append(fields, scalar("match"), d.matchNode(), scalar("inject"), d.injectNode())
	return encode(mapping(fields...))
}

func (d *document) matchNode() *yaml.Node {
	n := mapping()
	if len(d.match.RunnerNames) > 0 {
		names := flow(sequence())
		for _, name := range d.match.RunnerNames {
			names.Content = append(names.Content, scalar(name))
		}
		n.Content = append(n.Content, scalar("runnerNames"), names)
	}
	if len(d.match.CreatedBy) > 0 {
		list := sequence()
		for _, s := range d.match.CreatedBy {
			fields := []string{"kind", s.Kind, "name", s.Name}
			if s.Namespace != "" {
				fields = append(fields, "namespace", s.Namespace)
			}
			list.Content = append(list.Content, flow(mapping(scalars(fields...)...)))
		}
		n.Content = append(n.Content, scalar("createdBy"), list)
	}
	if len(n.Content) == 0 {
		flow(n)
	}
	return n
}

func (d *document) injectNode() *yaml.Node {
	n := mapping()
	add := func(key string, value *yaml.Node) {
		k := scalar(key)
		if key != "secrets" {
			k.HeadComment = d.comments("inject." + key)
		}
		n.Content = append(n.Content, k, value)
	}
	if len(d.inject.Secrets) > 0 {
		add("secrets", d.secretsNode())
	}
	if len(d.inject.NodeSelector) > 0 {
		add("nodeSelector", flow(sortedMapping(d.inject.NodeSelector, scalar)))
	}
	if len(d.inject.Tolerations) > 0 {
		list := sequence()
		for _, t := range d.inject.Tolerations {
			fields := []string{"operator", string(t.Operator), "effect", string(t.Effect)}
			if t.Key != "" {
				fields = append([]string{"key", t.Key}, fields...)
			}
			if t.Value != "" {
				fields = slices.Insert(fields, 4, "value", t.Value)
			}
			if t.Effect == "" {
				fields = fields[:len(fields)-2]
			}
			list.Content = append(list.Content, flow(mapping(scalars(fields...)...)))
		}
		add("tolerations", list)
	}
	if r := d.inject.Resources; r != nil {
		all := mapping()
		for _, c := range []struct {
			name  string
			needs *policy.ResourceRequirements
		}{{"build", r.Build}, {"helper", r.Helper}, {"services", r.Services}} {
			if c.needs != nil {
				all.Content = append(all.Content, scalar(c.name), flow(requirements(c.needs)))
			}
		}
		add("resources", all)
	}
	return n
}

func (d *document) secretsNode() *yaml.Node {
	list := sequence()
	for _, s := range d.inject.Secrets {
		n := flow(mapping(scalars("name", s.Name)...))
		for _, f := range []struct{ key, value string }{
			{"preset", s.Preset}, {"home", s.Home}, {"key", s.Key}, {"mountPath", s.MountPath}, {"subPath", s.SubPath},
		} {
			if f.value != "" {
				n.Content = append(n.Content, scalars(f.key, f.value)...)
			}
		}
		if len(s.Items) > 0 {
			items := flow(sequence())
			for _, i := range s.Items {
				items.Content = append(items.Content, flow(mapping(scalars("key", i.Key, "path", i.Path)...)))
			}
			n.Content = append(n.Content, scalar("items"), items)
		}
		for _, it := range d.items {
			if it.secret != nil && it.gives.Secrets[0].Name == s.Name && it.gives.Secrets[0].MountPath == s.MountPath {
				n.HeadComment = strings.Join(it.commentText(), "\n")
			}
		}
		list.Content = append(list.Content, n)
	}
	return list
}

// comments are those of the items that went to a field, or below it.
func (d *document) comments(field string) string {
	var lines []string
	for _, it := range d.items {
		if it.to == field || strings.HasPrefix(it.to, field+".") {
			lines = append(lines, it.commentText()...)
		}
	}
	return strings.Join(slices.Compact(lines), "\n")
}

func (it *item) commentText() []string {
	var lines []string
	for _, c := range it.comments {
		lines = append(lines, c.text)
	}
	return lines
}

func requirements(r *policy.ResourceRequirements) *yaml.Node {
	n := mapping()
	for _, f := range []struct {
		name string
		of   map[string]string
	}{{"requests", quantities(r.Requests)}, {"limits", quantities(r.Limits)}} {
		if len(f.of) > 0 {
			n.Content = append(n.Content, scalar(f.name), flow(sortedMapping(f.of, plain)))
		}
	}
	return n
}

func quantities(of map[string]resource.Quantity) map[string]string {
	all := map[string]string{}
	for name := range of {
		q := of[name]
		all[name] = q.String()
	}
	return all
}

// configMap is the manifest that holds documents.
func configMap(namespace, name string, documents []string) string {
	labels := mapping(scalars(policy.LabelPolicy, "true")...)
	body := scalar(strings.Join(documents, "---\n"))
	body.Style = yaml.LiteralStyle
	return encode(mapping(
		scalar("apiVersion"), scalar("v1"),
		scalar("kind"), scalar("ConfigMap"),
		scalar("metadata"), mapping(scalar("name"), scalar(name), scalar("namespace"), scalar(namespace), scalar("labels"), flow(labels)),
		scalar("data"), mapping(scalar(policy.BareKey), body),
	))
}

func encode(n *yaml.Node) string {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	enc.CompactSeqIndent()
	if err := enc.Encode(n); err != nil {
		panic(err) // nodes of strings always encode
	}
	return b.String()
}

func mapping(content ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: content}
}

func sequence() *yaml.Node { return &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"} }

func flow(n *yaml.Node) *yaml.Node {
	n.Style = yaml.FlowStyle
	return n
}

func scalar(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}

// plain is a number where it looks like one.
func plain(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: s} }

func scalars(values ...string) []*yaml.Node {
	var nodes []*yaml.Node
	for _, v := range values {
		nodes = append(nodes, scalar(v))
	}
	return nodes
}

func sortedMapping(of map[string]string, value func(string) *yaml.Node) *yaml.Node {
	n := mapping()
	for _, key := range slices.Sorted(maps.Keys(of)) {
		n.Content = append(n.Content, scalar(key), value(of[key]))
	}
	return n
}
