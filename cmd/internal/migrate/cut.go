package migrate

import (
	"cmp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// edit replaces a piece of a text.
type edit struct {
	from, to int
	with     string
}

// apply makes edits. One that overlaps another is left out, and [Config.check]
// finds that.
func apply(text string, edits []edit) string {
	slices.SortFunc(edits, func(a, b edit) int { return cmp.Compare(a.from, b.from) })
	var b strings.Builder
	last := 0
	for _, e := range edits {
		if e.from < last || e.to < e.from {
			continue
		}
		b.WriteString(text[last:e.from])
		b.WriteString(e.with)
		last = e.to
	}
	b.WriteString(text[last:])
	return b.String()
}

// cut is what is taken out of a file.
type cut struct {
	// lines of the file, and edits where a line holds more.
	lines lineSet
	edits []edit
	// tomlLines are those of the TOML, counted in it.
	tomlLines lineSet
	// config tells that nothing is left of runners.config.
	config bool
}

// takeOut is the file without the items, and their comments are given to them.
func (c *Config) takeOut(items []*item) (string, *cut) {
	out := &cut{lines: lineSet{}, tomlLines: lineSet{}}
	gone := map[*yaml.Node]bool{}
	for _, it := range items {
		for _, key := range it.keys {
			gone[key] = true
		}
		if it.node != nil {
			out.tomlLines.add(c.toml.linesOf(it.node))
		}
	}
	if c.toml != nil {
		c.toml.prune(c.runners, out.tomlLines)
		for line, text := range c.toml.comments(out.tomlLines) {
			nearestItem(items, c.tomlLine(line)).comment(c.tomlLine(line), text)
		}
		if c.yaml != nil && len(out.tomlLines) > 0 && c.toml.holdsNothing(out.tomlLines) {
			out.config = true
			gone[c.config.key] = true
		}
	}
	if c.yaml == nil {
		return without(c.toml.text, out.tomlLines), out
	}
	c.markEmpty(c.values, gone)
	if runners := get(c.values, "runners"); gone[runners.key] {
		delete(gone, runners.key)
		c.yaml.empty(runners, out)
	}
	c.yaml.cutEntries(c.values, gone, out)
	inConfig := lineSet{}
	if out.config {
		inConfig = c.yaml.blockLines(c.config)
	}
	for line, text := range c.yaml.comments(c.values, out) {
		if !inConfig[line] {
			nearestItem(items, line).comment(line, text)
		}
	}
	if !out.config && len(out.tomlLines) > 0 {
		c.cutConfig(out)
	}
	return c.yaml.without(out), out
}

// cutConfig takes lines out of the TOML where it stands in the values.
func (c *Config) cutConfig(out *cut) {
	if c.literal() {
		for line := range out.tomlLines {
			out.lines[c.tomlLine(line)] = true
		}
		return
	}
	e := c.config
	own := strings.Repeat(" ", e.key.Column+1)
	var b strings.Builder
	b.WriteString("|\n")
	for line := range strings.Lines(without(c.toml.text, out.tomlLines)) {
		if strings.TrimSpace(line) != "" {
			b.WriteString(own + strings.TrimRight(line, " \t\r\n"))
		}
		b.WriteString("\n")
	}
	lines := c.yaml.blockLines(e)
	from := c.yaml.offset(e.value)
	to := 0
	for i, line := range c.yaml.lines {
		if !lines[i+1] && to > from {
			break
		}
		to += len(line)
	}
	with := b.String()
	if strings.HasSuffix(c.yaml.lines[0], "\r\n") {
		with = strings.ReplaceAll(with, "\n", "\r\n")
	}
	out.edits = append(out.edits, edit{from, to, with})
}

// without is the text without what is cut.
func (d *yamlDoc) without(out *cut) string {
	if len(out.edits) == 0 {
		return without(d.text, out.lines)
	}
	// Lines become edits too, so that offsets stay those of the file.
	at := 0
	for i, line := range d.lines {
		if out.lines[i+1] {
			out.edits = append(out.edits, edit{from: at, to: at + len(line)})
		}
		at += len(line)
	}
	return apply(d.text, out.edits)
}

// markEmpty marks the mappings all of whose entries are gone.
func (c *Config) markEmpty(n *yaml.Node, gone map[*yaml.Node]bool) {
	for _, e := range entries(n) {
		if gone[e.key] {
			continue
		}
		c.markEmpty(e.value, gone)
		all := len(entries(e.value)) > 0
		for _, below := range entries(e.value) {
			all = all && gone[below.key]
		}
		if all {
			gone[e.key] = true
		}
	}
}

// empty leaves an empty mapping where all entries of one are cut: no value at
// all would take the chart's own values away.
func (d *yamlDoc) empty(e entry, out *cut) {
	if e.value.Style&yaml.FlowStyle != 0 {
		at := d.offset(e.value)
		out.edits = append(out.edits, edit{from: at + 1, to: d.flowClose(at)})
		return
	}
	at := d.offset(e.key) + len(e.key.Value)
	at += strings.IndexByte(d.text[at:], ':') + 1
	out.edits = append(out.edits, edit{from: at, to: at, with: " {}"})
}

// cutEntries cuts the marked entries of a mapping and those below it.
func (d *yamlDoc) cutEntries(n *yaml.Node, gone map[*yaml.Node]bool, out *cut) {
	if n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle != 0 {
		d.cutFlow(n, gone, out)
	}
	for _, e := range entries(n) {
		switch {
		case !gone[e.key]:
			d.cutEntries(e.value, gone, out)
		case n.Style&yaml.FlowStyle == 0:
			out.lines.add(d.blockLines(e))
			out.lines.add(movable(d.lines, commentsAbove(d.lines, e.key.Line)))
		}
	}
}

// cutFlow cuts entries of a flow mapping, and the commas with them.
func (d *yamlDoc) cutFlow(n *yaml.Node, gone map[*yaml.Node]bool, out *cut) {
	all := entries(n)
	kept := -1
	for i, e := range all {
		if !gone[e.key] {
			kept = i
		}
	}
	for i, e := range all[:kept+1] {
		if gone[e.key] {
			out.edits = append(out.edits, edit{from: d.offset(e.key), to: d.offset(all[i+1].key)})
		}
	}
	if kept >= 0 && kept < len(all)-1 {
		last := d.offset(all[len(all)-1].key)
		from, to := d.flowEnd(d.offset(all[kept].key)), d.flowEnd(last)
		out.edits = append(out.edits, edit{from: from, to: len(strings.TrimRight(d.text[:to], " \t\r\n"))})
	}
}
