package migrate

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// masked is a text with Helm's template actions taken out of the way, so that
// what remains is TOML. It has the lines of the original.
type masked struct {
	text string
	// actions by the number in their marker.
	actions []string
	// blind are the lines that only a template can decide about: they are not
	// read, and stay as they are.
	blind lineSet
}

// marker stands for an action, in a string or as one.
var marker = regexp.MustCompile(`⟦(\d+)⟧`)

// restore puts the actions back where their markers are.
func (m *masked) restore(s string) string {
	return marker.ReplaceAllStringFunc(s, func(found string) string {
		n, err := strconv.Atoi(strings.Trim(found, "⟦⟧"))
		if err != nil || n >= len(m.actions) {
			return found
		}
		return m.actions[n]
	})
}

// action is where a template action stands.
type action struct {
	from, to int // offsets
	line     int // of its beginning
	lastLine int
	word     string // its first word: if, end, include, …
}

// mask takes the template actions out of a text.
func mask(text string) (*masked, error) {
	actions, err := findActions(text)
	if err != nil {
		return nil, err
	}
	m := &masked{blind: lineSet{}}
	if err := m.findBlind(text, actions); err != nil {
		return nil, err
	}
	var b strings.Builder
	state, last := tomlState{}, 0
	for _, a := range actions {
		b.WriteString(text[last:a.from])
		state.scan(text[last:a.from])
		token := fmt.Sprintf("⟦%d⟧", len(m.actions))
		m.actions = append(m.actions, text[a.from:a.to])
		switch {
		case m.blind[a.line]:
			b.WriteString(strings.Repeat("\n", a.lastLine-a.line))
		case state.inString():
			b.WriteString(token)
		default:
			b.WriteString(`"` + token + `"`)
		}
		last = a.to
	}
	b.WriteString(text[last:])
	lines := strings.SplitAfter(b.String(), "\n")
	for i := range lines {
		if m.blind[i+1] {
			lines[i] = "#" + lines[i][len(strings.TrimRight(lines[i], "\r\n")):]
		}
	}
	m.text = strings.Join(lines, "")
	return m, nil
}

// findActions finds what stands in double braces.
func findActions(text string) ([]action, error) {
	var actions []action
	for at := 0; ; {
		from := strings.Index(text[at:], "{{")
		if from < 0 {
			return actions, nil
		}
		from += at
		line := 1 + strings.Count(text[:from], "\n")
		to := actionEnd(text, from+2)
		if to < 0 {
			return nil, &SyntaxError{Line: line, Message: "a template begins with {{ and has no }}", Hint: "close it"}
		}
		inner := strings.Trim(text[from+2:to-2], "- \t\r\n")
		word := strings.FieldsFunc(inner, func(r rune) bool { return strings.ContainsRune(" \t\r\n(", r) })
		a := action{from: from, to: to, line: line, lastLine: line + strings.Count(text[from:to], "\n")}
		if len(word) > 0 {
			a.word = word[0]
		}
		actions = append(actions, a)
		at = to
	}
}

// actionEnd is the offset behind the }} that closes an action. Its own strings
// may hold braces.
func actionEnd(text string, at int) int {
	for at < len(text) {
		switch c := text[at]; {
		case strings.HasPrefix(text[at:], "}}"):
			return at + 2
		case strings.HasPrefix(text[at:], "/*"):
			end := strings.Index(text[at:], "*/")
			if end < 0 {
				return -1
			}
			at += end + 2
		case c == '"' || c == '`':
			at++
			for at < len(text) && text[at] != c {
				if c == '"' && text[at] == '\\' {
					at++
				}
				at++
			}
			at++
		default:
			at++
		}
	}
	return -1
}

// findBlind marks the lines that hold nothing but actions, and those between
// the actions that open and close a block.
func (m *masked) findBlind(text string, actions []action) error {
	lines := strings.Split(text, "\n")
	alone := linesOfActions(text, actions)
	depth, opened := 0, 0
	for _, a := range actions {
		if a.lastLine > a.line {
			m.blind.addRange(a.line, a.lastLine)
		}
		switch a.word {
		case "if", "range", "with", "define", "block":
			if depth == 0 {
				opened = a.line
			}
			depth++
		case "end":
			depth--
			if depth == 0 && a.lastLine > opened {
				m.blind.addRange(opened, a.lastLine)
				m.blindBelow(lines, opened, a.lastLine)
			}
		}
		if alone[a.line] {
			m.blind.addRange(a.line, a.lastLine)
		}
		if depth < 0 {
			return &SyntaxError{Line: a.line, Message: "a template block ends here that begins nowhere", Hint: "take the {{ end }} out"}
		}
	}
	if depth > 0 {
		return &SyntaxError{Line: opened, Message: "a template block begins here and has no {{ end }}", Hint: "close it"}
	}
	return nil
}

// blindBelow marks what follows a block that holds the header of a table: it
// belongs to another table with the block than without.
func (m *masked) blindBelow(lines []string, from, to int) {
	header := func(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), "[") }
	holds := false
	for _, line := range lines[from-1 : to] {
		holds = holds || header(line)
	}
	if !holds {
		return
	}
	for i := to; i < len(lines) && !header(lines[i]); i++ {
		if strings.TrimSpace(lines[i]) != "" {
			m.blind[i+1] = true
		}
	}
}

// linesOfActions are the lines that hold actions and nothing else.
func linesOfActions(text string, actions []action) lineSet {
	rest := []byte(text)
	found := lineSet{}
	for _, a := range actions {
		for i := a.from; i < a.to; i++ {
			if rest[i] != '\n' {
				rest[i] = ' '
			}
		}
		found[a.line] = true
	}
	for i, line := range strings.Split(string(rest), "\n") {
		if strings.TrimSpace(line) != "" {
			delete(found, i+1)
		}
	}
	return found
}
