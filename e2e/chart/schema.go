package chart

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const description = "description"

// schema returns values.schema.json with the description of each value. Everything else in it is written by hand.
func schema(is string, values []value) (string, error) {
	var document yaml.Node // JSON is YAML, and a node keeps the order of fields
	if err := yaml.Unmarshal([]byte(is), &document); err != nil {
		return "", fmt.Errorf("values.schema.json: %w", err)
	}
	root := document.Content[0]
	for _, v := range values {
		node := root
		for _, name := range v.path {
			if node = field(field(node, "properties"), name); node == nil {
				return "", fmt.Errorf("values.schema.json does not know %s of values.yaml; add it", strings.Join(v.path, "."))
			}
		}
		describe(node, v.description)
	}
	return jsonText(root) + "\n", nil
}

// describe makes a description the first field of a schema.
func describe(node *yaml.Node, text string) {
	if at := fieldIndex(node, description); at >= 0 {
		node.Content = slices.Delete(node.Content, at, at+2)
	}
	node.Content = slices.Insert(node.Content, 0, stringNode(description), stringNode(text))
}

func stringNode(text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
}

// field returns the value of a mapping's field, nil where there is none.
func field(mapping *yaml.Node, name string) *yaml.Node {
	if at := fieldIndex(mapping, name); at >= 0 {
		return mapping.Content[at+1]
	}
	return nil
}

func fieldIndex(mapping *yaml.Node, name string) int {
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return -1
	}
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return i
		}
	}
	return -1
}
