package migrate

import (
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"go.yaml.in/yaml/v3"
)

// check proves that what is left of the file is the file with less in it:
// nothing new, nothing changed, and nothing more to move.
func (c *Config) check(rest string) error {
	before, err := c.facts(string(c.in.Data))
	if err == nil {
		var after map[string]int
		if after, err = c.facts(rest); err == nil {
			for fact, n := range after {
				if n > before[fact] {
					err = fmt.Errorf("%s would change", strings.SplitN(fact, " ", 2)[0])
				}
			}
		}
	}
	if err != nil {
		return &NeedError{fmt.Sprintf("what is left of %s would not be what it was: %v", c.in.Name, err), "nothing was written; please report it with the file, its tokens taken out"}
	}
	return nil
}

// facts counts what a file says: each path with its value, the places in lists
// left out.
func (c *Config) facts(text string) (map[string]int, error) {
	facts := map[string]int{}
	if c.in.TOML {
		return facts, c.tomlFacts(text, "", facts)
	}
	if strings.TrimSpace(text) == "" {
		return facts, nil
	}
	var tree any
	if err := yaml.Unmarshal([]byte(text), &tree); err != nil {
		return nil, err
	}
	config := strings.TrimSuffix(c.prefix+"runners.config", ".")
	flatten("", tree, func(path string, value any) {
		if path == config && c.toml != nil {
			if err := c.tomlFacts(fmt.Sprint(value), path, facts); err != nil {
				facts[path+" is broken"]++
			}
			return
		}
		facts[fmt.Sprintf("%s %v", path, value)]++
	})
	return facts, nil
}

func (c *Config) tomlFacts(text, at string, facts map[string]int) error {
	m, err := mask(text)
	if err != nil {
		return err
	}
	var tree map[string]any
	if err := toml.Unmarshal([]byte(m.text), &tree); err != nil {
		return err
	}
	flatten(at, tree, func(path string, value any) {
		facts[m.restore(fmt.Sprintf("%s %v", path, value))]++
	})
	return nil
}

// flatten visits all scalars of a tree. An empty mapping or list is one.
func flatten(path string, value any, visit func(string, any)) {
	switch v := value.(type) {
	case map[string]any:
		for key, child := range v {
			flatten(strings.TrimPrefix(path+"."+key, "."), child, visit)
		}
	case map[any]any:
		for key, child := range v {
			flatten(strings.TrimPrefix(fmt.Sprintf("%s.%v", path, key), "."), child, visit)
		}
	case []any:
		for _, child := range v {
			flatten(path, child, visit)
		}
	default:
		visit(path, v)
	}
}
