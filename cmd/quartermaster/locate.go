package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"quartermaster.dev/policy"
)

// locator finds the line of a file that a problem is about.
type locator struct {
	configMaps []*yaml.Node
	bare       []*yaml.Node
}

func newLocator(data []byte) *locator {
	l := &locator{}
	for _, doc := range documents(data) {
		l.sort(doc)
	}
	return l
}

// documents are those of a stream that are not broken.
func documents(data []byte) []*yaml.Node {
	var docs []*yaml.Node
	for _, text := range policy.SplitStream(data) {
		var doc yaml.Node
		if yaml.Unmarshal([]byte(text), &doc) == nil && len(doc.Content) > 0 && doc.Content[0].ShortTag() != "!!null" {
			docs = append(docs, doc.Content[0])
		}
	}
	return docs
}

// documentsIn are the documents that a ConfigMap holds.
func documentsIn(cm policy.ConfigMap) []*yaml.Node {
	var docs []*yaml.Node
	for _, data := range cm.Data {
		docs = append(docs, documents([]byte(data))...)
	}
	return docs
}

func (l *locator) sort(doc *yaml.Node) {
	switch _, items := member(doc, "items"); {
	case items != nil:
		for _, item := range items.Content {
			l.sort(item)
		}
	case strings.HasPrefix(scalar(doc, "apiVersion"), "quartermaster.dev/"):
		l.bare = append(l.bare, doc)
	default:
		l.configMaps = append(l.configMaps, doc)
	}
}

// brokenAt is the line that the YAML parser names.
var brokenAt = regexp.MustCompile(`\bline (\d+): `)

// line is the line of a problem, or 0 where it is not known.
func (l *locator) line(p policy.Problem) int {
	broken := 0
	if m := brokenAt.FindStringSubmatch(p.Message); m != nil && strings.HasPrefix(p.Message, "is no YAML: ") {
		broken, _ = strconv.Atoi(m[1])
	}
	if p.Document == "" {
		return broken
	}
	object, rest, _ := strings.Cut(p.Document, " ")
	if _, id, isBare := strings.Cut(p.Document, " "+policy.BareKey); isBare {
		if cm := l.configMap(object); cm == nil {
			return descend(pick(l.bare, strings.TrimSpace(id)), p.Path)
		}
	}
	cm := l.configMap(object)
	if cm == nil {
		return broken
	}
	key, id, _ := strings.Cut(rest, " ")
	if key == "" {
		return descend(cm, p.Path)
	}
	_, data := member(cm, "data")
	keyNode, value := member(data, key)
	switch {
	case value == nil:
		return cm.Line
	case value.Style&yaml.LiteralStyle == 0 || p.Path == "" && id == "" && broken == 0:
		return keyNode.Line
	case broken > 0:
		return value.Line + broken
	default:
		return value.Line + descend(pick(documents([]byte(value.Value)), id), p.Path)
	}
}

// configMap is the one that messages name "namespace/name" or "name".
func (l *locator) configMap(name string) *yaml.Node {
	namespace, name, ok := strings.Cut(name, "/")
	if !ok {
		namespace, name = "", namespace
	}
	i := slices.IndexFunc(l.configMaps, func(n *yaml.Node) bool {
		_, metadata := member(n, "metadata")
		own := scalar(metadata, "namespace")
		return scalar(metadata, "name") == name && (own == namespace || own == "")
	})
	if i < 0 {
		return nil
	}
	return l.configMaps[i]
}

// pick is the document that messages name "#2" or by its name; alone, it needs neither.
func pick(docs []*yaml.Node, id string) *yaml.Node {
	number, err := strconv.Atoi(strings.TrimPrefix(id, "#"))
	for i, doc := range docs {
		if err == nil && number == i+1 || id == "" || scalar(doc, "name") == id {
			return doc
		}
	}
	return nil
}

// step is a part of a path: "inject", or "0" of "secrets[0]".
var step = regexp.MustCompile(`[^.\[\]]+|\[[^\]]*\]`)

// descend is the line of a path, or of the last of its parents that is there.
func descend(n *yaml.Node, path string) int {
	if n == nil {
		return 0
	}
	line := n.Line
	for _, name := range step.FindAllString(path, -1) {
		name = strings.Trim(name, "[]")
		at, value := member(n, name)
		if n.Kind == yaml.SequenceNode {
			if i, err := strconv.Atoi(name); err == nil && i < len(n.Content) {
				at, value = n.Content[i], n.Content[i]
			}
		}
		if value == nil {
			return line
		}
		line, n = at.Line, value
	}
	return line
}

// member is a key of a mapping and its value, or nothing.
func member(n *yaml.Node, key string) (at, value *yaml.Node) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}

func scalar(n *yaml.Node, key string) string {
	_, value := member(n, key)
	if value == nil {
		return ""
	}
	return value.Value
}
