package chart

import (
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A value is one that values.yaml explains.
type value struct {
	path        []string
	standard    string // the default, as JSON
	description string // one line
}

// parseValues returns the values of a values.yaml in their order. Each has a comment above it, or is a mapping of such.
func parseValues(text []byte) ([]value, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("values.yaml: %w", err)
	}
	return appendValues(nil, nil, document.Content[0])
}

func appendValues(values []value, path []string, mapping *yaml.Node) ([]value, error) {
	for i := 0; i < len(mapping.Content); i += 2 {
		key, node := mapping.Content[i], mapping.Content[i+1]
		at := append(path[:len(path):len(path)], key.Value)
		switch {
		case key.HeadComment != "":
			standard, err := jsonOf(node)
			if err != nil {
				return nil, fmt.Errorf("values.yaml: %s: %w", strings.Join(at, "."), err)
			}
			values = append(values, value{path: at, standard: standard, description: commentText(key.HeadComment)})
		case node.Kind == yaml.MappingNode && len(node.Content) > 0:
			var err error
			if values, err = appendValues(values, at, node); err != nil {
				return nil, err
			}
		default:
			return nil, fmt.Errorf("values.yaml: line %d: %s has no comment; say above it what it does", key.Line, strings.Join(at, "."))
		}
	}
	return values, nil
}

func jsonOf(node *yaml.Node) (string, error) {
	var decoded any
	if err := node.Decode(&decoded); err != nil {
		return "", err
	}
	text, err := json.Marshal(decoded)
	return string(text), err
}

// commentText is a comment as one line.
func commentText(comment string) string {
	var words []string
	for line := range strings.Lines(comment) {
		words = append(words, strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "#"))...)
	}
	return strings.Join(words, " ")
}
