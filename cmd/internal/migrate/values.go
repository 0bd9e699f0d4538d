package migrate

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Input is the file to read.
type Input struct {
	// Name by which reports name it.
	Name string
	Data []byte
	// TOML says that it is a config.toml, not the values of the chart.
	TOML bool
}

// Options are what a file does not say.
type Options struct {
	// Namespace of the Helm release, and of its jobs where the file names none.
	Namespace string
	// Name of the ConfigMap.
	Name string
	// Release is the name of the Helm release, after which the chart names the
	// service account.
	Release string
	// Account is the service account that creates job pods, as NAME or
	// system:serviceaccount:NAMESPACE:NAME.
	Account string
	// Creator is who created a pod of this runner, as a review says it. It is
	// believed where nothing else tells the account.
	Creator string
	// ChartVersion is the version of the chart, or empty for the current.
	ChartVersion string
}

// Config is a runner's configuration, read.
type Config struct {
	in   Input
	opts Options
	// ignoresLegacy tells whether the chart ignores the keys of old charts.
	ignoresLegacy bool

	// yaml and values are nil for a config.toml. values is the mapping of the
	// chart's own values, and prefix its name in those of another chart.
	yaml   *yamlDoc
	values *yaml.Node
	prefix string

	// toml is nil where there is none. config is the entry that holds it.
	toml   *tomlDoc
	config entry

	runners []*runner
	items   []*item
}

// Read reads a runner's configuration. Its error is a [*SyntaxError] where the
// file cannot be read.
func Read(in Input, opts Options) (*Config, error) {
	c := &Config{in: in, opts: opts}
	var err error
	if c.ignoresLegacy, err = ignoresLegacy(opts.ChartVersion); err != nil {
		return nil, err
	}
	if in.TOML {
		c.toml, err = readTOML(string(in.Data))
	} else {
		err = c.readValues()
	}
	if err != nil {
		return nil, err
	}
	if err := c.findRunners(); err != nil {
		return nil, err
	}
	c.findItems()
	return c, nil
}

// chartKeys are the values that tell the chart of GitLab Runner from others.
var chartKeys = []string{"gitlabUrl", "runnerToken", "runnerRegistrationToken", "unregisterRunners", "concurrent", "checkInterval"}

func (c *Config) readValues() error {
	var err error
	if c.yaml, err = readYAML(string(c.in.Data)); err != nil {
		return err
	}
	root := c.yaml.root
	if root.Kind != yaml.MappingNode {
		return &SyntaxError{Line: root.Line, Message: "holds no values, which are a mapping", Hint: "give the file that you give to helm with -f"}
	}
	if kind := get(root, "kind").str(); kind != "" && get(root, "apiVersion").str() != "" {
		return &SyntaxError{Line: get(root, "kind").key.Line, Message: "is a manifest of kind " + kind + " and no values of a chart",
			Hint: "give the file that you give to helm with -f, or what `helm get values RELEASE -o yaml` prints"}
	}
	c.values = root
	if !isChart(root) {
		var below []entry
		for _, e := range entries(root) {
			if isChart(e.value) {
				below = append(below, e)
			}
		}
		if len(below) != 1 {
			return &SyntaxError{Line: 1, Message: "these are no values of GitLab Runner's chart: they hold neither runners nor gitlabUrl",
				Hint: "for a config.toml, use --config"}
		}
		c.values, c.prefix = below[0].value, below[0].key.Value+"."
	}
	return c.readConfig()
}

// isChart tells whether a mapping holds values of the chart.
func isChart(n *yaml.Node) bool {
	if r := get(n, "runners").value; r != nil && r.Kind == yaml.MappingNode {
		return true
	}
	for _, key := range chartKeys {
		if get(n, key).key != nil {
			return true
		}
	}
	return false
}

// readConfig reads the TOML in runners.config.
func (c *Config) readConfig() error {
	c.config = get(c.values, "runners", "config")
	text := c.config.str()
	if c.config.value != nil && (c.config.value.Kind != yaml.ScalarNode || text != "" && c.config.value.ShortTag() != "!!str") {
		return &SyntaxError{Line: c.config.value.Line, Message: "runners.config is no string", Hint: "write config: | and the TOML below it, indented"}
	}
	if strings.TrimSpace(text) == "" {
		return nil
	}
	doc, err := readTOML(text)
	if err != nil {
		return c.inConfig(err)
	}
	c.toml = doc
	return nil
}

// inConfig moves an error of the TOML to its line of the file.
func (c *Config) inConfig(err error) error {
	var broken *SyntaxError
	if c.in.TOML || !errors.As(err, &broken) {
		return err
	}
	at := max(broken.Line, 1)
	broken.Line = c.tomlLine(at)
	if !c.literal() {
		broken.Message = fmt.Sprintf("line %d of the text: %s", at, broken.Message)
	}
	broken.Message = "runners.config: " + broken.Message
	return broken
}

// literal tells whether the lines of the TOML are lines of the file.
func (c *Config) literal() bool {
	return c.in.TOML || c.config.value != nil && c.config.value.Style&yaml.LiteralStyle != 0
}

// tomlLine is the line of the file at which a line of the TOML is.
func (c *Config) tomlLine(line int) int {
	switch {
	case c.in.TOML:
		return line
	case c.literal():
		return c.config.value.Line + line
	default:
		return c.config.key.Line
	}
}

// path is the name of a value of the chart in reports.
func (c *Config) path(keys ...string) string { return c.prefix + strings.Join(keys, ".") }
