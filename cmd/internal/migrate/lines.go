package migrate

import (
	"maps"
	"slices"
	"strings"
)

// lineSet is a set of lines, counted from 1.
type lineSet map[int]bool

func (s lineSet) addRange(from, to int) {
	for i := from; i <= to; i++ {
		s[i] = true
	}
}

func (s lineSet) add(other lineSet) { maps.Copy(s, other) }

// runs are the ranges of lines in the set, in order.
func (s lineSet) runs() [][2]int {
	var runs [][2]int
	for _, line := range slices.Sorted(maps.Keys(s)) {
		if n := len(runs); n > 0 && runs[n-1][1] == line-1 {
			runs[n-1][1] = line
			continue
		}
		runs = append(runs, [2]int{line, line})
	}
	return runs
}

// without is the text without the lines, and without the blank line that would
// stand doubled where some were.
func without(text string, cut lineSet) string {
	lines := strings.SplitAfter(text, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	blank := func(i int) bool { return i < 0 || i >= len(lines) || strings.TrimSpace(lines[i]) == "" }
	gone := maps.Clone(cut)
	for _, run := range cut.runs() {
		before := run[0] - 2
		for before >= 0 && gone[before+1] {
			before--
		}
		for after := run[1]; after < len(lines) && blank(before) && blank(after); after++ {
			gone[after+1] = true
		}
	}
	var b strings.Builder
	for i, line := range lines {
		if !gone[i+1] {
			b.WriteString(line)
		}
	}
	return b.String()
}

// isComment tells whether a line is a comment of YAML or TOML.
func isComment(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "#") }

// indent is the number of spaces before a line's text, or -1 for a blank line.
func indent(line string) int {
	trimmed := strings.TrimLeft(line, " \t")
	if strings.TrimSpace(trimmed) == "" {
		return -1
	}
	return len(line) - len(trimmed)
}
