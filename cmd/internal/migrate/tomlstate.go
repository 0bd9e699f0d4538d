package migrate

import "strings"

// tomlState knows whether a place in a TOML text is inside a string.
type tomlState struct {
	quote   string // the one that closes the string, or empty
	comment bool
}

func (s *tomlState) inString() bool { return s.quote != "" || s.comment }

// scan goes over a piece of the text, and returns where a comment begins in it,
// or -1.
func (s *tomlState) scan(text string) int {
	begins := -1
	for i := 0; i < len(text); i++ {
		rest := text[i:]
		switch {
		case s.comment:
			s.comment = rest[0] != '\n'
		case s.quote == "":
			s.open(rest)
			if s.comment && begins < 0 {
				begins = i
			}
			i += max(len(s.quote)-1, 0)
		case s.quote[0] == '"' && rest[0] == '\\':
			i++
		case strings.HasPrefix(rest, s.quote):
			i += len(s.quote) - 1
			s.quote = ""
		case rest[0] == '\n' && len(s.quote) == 1:
			s.quote = "" // broken, as the parser will say
		}
	}
	return begins
}

// open looks whether a string or comment begins.
func (s *tomlState) open(rest string) {
	s.comment = rest[0] == '#'
	for _, quote := range []string{`"""`, `'''`, `"`, `'`} {
		if strings.HasPrefix(rest, quote) {
			s.quote = quote
			return
		}
	}
}
