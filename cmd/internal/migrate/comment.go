package migrate

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// nearestItem is the one that a comment on a line is about: that of the line,
// or the first below it, or the last above.
func nearestItem(items []*item, line int) *item {
	for i, it := range items {
		if it.line >= line {
			if it.line > line && i > 0 && items[i-1].last >= line {
				return items[i-1]
			}
			return it
		}
	}
	return items[len(items)-1]
}

// comment is a comment that moves with an item.
type comment struct {
	line int
	text string
}

func (it *item) comment(line int, text string) {
	it.comments = append(it.comments, comment{line, text})
	slices.SortFunc(it.comments, func(a, b comment) int { return cmp.Compare(a.line, b.line) })
}

// secretLooking is what no report and no policy may repeat.
var secretLooking = regexp.MustCompile(`glrt-|glpat-|glrtr-|gldt-|GR1348941|(?i)(token|password|secret_?key)\s*[:=]`)

// movable are the comments that may move: a block of them in which something
// looks like a token stays.
func movable(lines []string, comments lineSet) lineSet {
	may := lineSet{}
	for _, run := range comments.runs() {
		if !secretLooking.MatchString(strings.Join(lines[run[0]-1:run[1]], "")) {
			may.addRange(run[0], run[1])
		}
	}
	return may
}

// comments are those that are cut, by line.
func (d *yamlDoc) comments(values *yaml.Node, out *cut) map[int]string {
	found := map[int]string{}
	for line := range out.lines {
		if isComment(d.lines[line-1]) {
			found[line] = strings.TrimSpace(d.lines[line-1])
		}
	}
	walk(values, func(n *yaml.Node) {
		at := d.offset(n)
		inside := slices.ContainsFunc(out.edits, func(e edit) bool { return at >= e.from && at < e.to })
		if n.LineComment != "" && (inside || out.lines[n.Line]) {
			found[n.Line] = n.LineComment
		}
		if inside && n.HeadComment != "" {
			found[n.Line-1] = n.HeadComment
		}
	})
	return found
}
