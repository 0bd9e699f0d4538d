package chart

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// jsonWidth is how long a line may get before what it holds is written on several.
const jsonWidth = 120

// jsonText writes a node as JSON that people can read: the order of fields kept, and on one line what fits there.
func jsonText(node *yaml.Node) string { return jsonIndented(node, "", 0) }

// jsonIndented writes a node behind a prefix of so many characters.
func jsonIndented(node *yaml.Node, indent string, prefix int) string {
	line := jsonLine(node)
	if node.Kind == yaml.ScalarNode || len(node.Content) == 0 || utf8.RuneCountInString(line)+prefix <= jsonWidth && !described(node) {
		return line
	}
	inner := indent + "  "
	var parts []string
	if node.Kind == yaml.SequenceNode {
		for _, item := range node.Content {
			parts = append(parts, inner+jsonIndented(item, inner, len(inner)+1))
		}
		return "[\n" + strings.Join(parts, ",\n") + "\n" + indent + "]"
	}
	for i := 0; i < len(node.Content); i += 2 {
		key := inner + jsonScalar(node.Content[i]) + ": "
		parts = append(parts, key+jsonIndented(node.Content[i+1], inner, len(key)+1))
	}
	return "{\n" + strings.Join(parts, ",\n") + "\n" + indent + "}"
}

// described tells whether a node is a schema of several fields, which is read best from top to bottom.
func described(node *yaml.Node) bool {
	return field(node, description) != nil || field(node, "properties") != nil
}

func jsonLine(node *yaml.Node) string {
	var parts []string
	switch node.Kind {
	case yaml.SequenceNode:
		for _, item := range node.Content {
			parts = append(parts, jsonLine(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case yaml.MappingNode:
		for i := 0; i < len(node.Content); i += 2 {
			parts = append(parts, jsonScalar(node.Content[i])+": "+jsonLine(node.Content[i+1]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	default:
		return jsonScalar(node)
	}
}

func jsonScalar(node *yaml.Node) string {
	if node.Tag != "!!str" {
		return node.Value // a number, true, false or null, as it came
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(node.Value) // a string can always be encoded
	return strings.TrimSuffix(text.String(), "\n")
}
