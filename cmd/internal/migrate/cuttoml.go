package migrate

import "strings"

// tomlLines are the lines of the text.
func (d *tomlDoc) lines() []string { return strings.SplitAfter(d.text, "\n") }

// linesOf are the lines that go with a node: its own, those of what is below
// it, and the comments that stand with them.
func (d *tomlDoc) linesOf(n *tomlNode) lineSet {
	lines, own := d.lines(), n.lines()
	cut := lineSet{}
	cut.add(own)
	for line := range own {
		cut.add(movable(lines, commentsAbove(lines, line)))
	}
	for _, header := range n.headers() {
		in := indent(lines[header-1])
		for line := header + 1; line < d.nextHeader(header); line++ {
			if text := lines[line-1]; isComment(text) && indent(text) > in && !d.blind[line] {
				cut.add(movable(lines, lineSet{line: true}))
			}
		}
	}
	return cut
}

// headers are the lines of the node's headers, and of those below it.
func (n *tomlNode) headers() []int {
	var headers []int
	if n.kind != tomlValue && !n.inline {
		for _, run := range n.own.runs() {
			headers = append(headers, run[0])
		}
	}
	for _, c := range n.children {
		headers = append(headers, c.headers()...)
	}
	return headers
}

// nextHeader is the line of the first header behind a line, or one behind the last.
func (d *tomlDoc) nextHeader(line int) int {
	next := len(d.lines()) + 1
	for _, h := range d.root.headers() {
		if h > line && h < next {
			next = h
		}
	}
	return next
}

// partlyBlind tells whether a template decides about a part of a node.
func (d *tomlDoc) partlyBlind(n *tomlNode) bool {
	for _, h := range n.headers() {
		if d.blindBelow(h) {
			return true
		}
	}
	return false
}

// blindBelow tells whether there are lines below a header, and above the next,
// that only a template decides about.
func (d *tomlDoc) blindBelow(header int) bool {
	lines := d.lines()
	for line := header + 1; line < d.nextHeader(header); line++ {
		if d.blind[line] && !strings.HasPrefix(strings.TrimSpace(lines[line-1]), "{{/*") {
			return true
		}
	}
	return false
}

// prune adds the headers of tables below [runners.kubernetes] that lose all
// they held.
func (d *tomlDoc) prune(runners []*runner, cut lineSet) {
	for _, r := range runners {
		if r.kube == nil {
			continue
		}
		for _, n := range r.kube.children {
			d.pruneTable(n, cut)
		}
	}
}

// pruneTable tells whether all of a node is cut.
func (d *tomlDoc) pruneTable(n *tomlNode, cut lineSet) bool {
	if n.kind == tomlValue || n.inline || len(n.children) == 0 {
		return len(n.own) > 0 && covers(cut, n.own)
	}
	all := true
	for _, c := range n.children {
		all = d.pruneTable(c, cut) && all
	}
	if !all {
		return false
	}
	for _, header := range n.headers() {
		if !cut[header] && d.blindBelow(header) {
			return false
		}
	}
	lines := d.lines()
	for line := range n.own {
		cut[line] = true
		cut.add(movable(lines, commentsAbove(lines, line)))
	}
	return true
}

func covers(cut, lines lineSet) bool {
	for line := range lines {
		if !cut[line] {
			return false
		}
	}
	return true
}

// holdsNothing tells whether no statement and no comment is left, but headers.
func (d *tomlDoc) holdsNothing(cut lineSet) bool {
	for i, line := range d.lines() {
		text := strings.TrimSpace(line)
		if !cut[i+1] && text != "" && !strings.HasPrefix(text, "[") {
			return false
		}
	}
	return true
}

// comments are those on some lines, by line.
func (d *tomlDoc) comments(at lineSet) map[int]string {
	lines := d.lines()
	found := map[int]string{}
	for _, run := range at.runs() {
		state := tomlState{}
		for i := run[0]; i <= run[1]; i++ {
			if begins := state.scan(lines[i-1]); begins >= 0 {
				found[i] = strings.TrimSpace(lines[i-1][begins:])
			}
		}
	}
	return found
}
