package policy

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Severity tells what a [Problem] means for the document it was found in.
type Severity int

const (
	// Error makes the document broken: it is refused when it is applied, and
	// refuses the job pods of its namespace if it is there nevertheless.
	Error Severity = iota
	// Warning is about something that will probably surprise.
	Warning
	// Note is worth knowing and needs no change.
	Note
)

// String is the word that lint prints: "error", "warning" or "note".
func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	default:
		return "note"
	}
}

// Problem is one thing that is wrong, or worth saying, about a policy or
// about a pod under it. Lint, the validating webhook, the refusal in a job log
// and the trace of a decision all print the same Problem.
type Problem struct {
	Severity Severity
	// Document names the policy, as in "dev/runner-jobs policy.yaml deploy".
	Document string
	// Path is the field of the document, as in "inject.secrets[0].mountPath",
	// or empty where it is about the whole.
	Path string
	// Message says what is wrong, or what is so.
	Message string
	// Hint says what to do, or is empty.
	Hint string
}

// String is the problem on one line: document, path, message and hint. A name
// in it may be any text, as long as the document or pod that holds it was not
// checked yet, and is shown without what would break the line or a terminal.
func (p Problem) String() string {
	var b strings.Builder
	for _, s := range []string{p.Document, p.Path} {
		if s != "" {
			b.WriteString(cut(s))
			b.WriteString(": ")
		}
	}
	b.WriteString(cut(p.Message))
	if p.Hint != "" {
		b.WriteString("; ")
		b.WriteString(cut(p.Hint))
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, b.String())
}

// cut shortens what quotes more of a document than anybody reads.
func cut(s string) string {
	const most = 1000
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// HasErrors tells whether any of problems is an [Error].
func HasErrors(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return p.Severity == Error })
}

// report collects the problems of one document.
type report struct {
	document string
	problems []Problem
	more     bool // than are recorded
}

// maxProblems bounds what is said of one document: whoever mends the first of
// them will lint again.
const maxProblems = 50

// full tells whether no further error will be recorded.
func (r *report) full() bool { return r.more }

func (r *report) add(s Severity, path, hint, format string, args ...any) {
	if len(r.problems) >= maxProblems {
		if s != Error || r.more {
			return
		}
		r.more = true
		path, hint, format, args = "", "mend those first", "has more problems than these", nil
	}
	r.problems = append(r.problems, Problem{
		Severity: s, Document: r.document, Path: path,
		Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// errorf records an error at path. The hint says what to write instead.
func (r *report) errorf(path, hint, format string, args ...any) {
	r.add(Error, path, hint, format, args...)
}

// warnf records a warning at path.
func (r *report) warnf(path, hint, format string, args ...any) {
	r.add(Warning, path, hint, format, args...)
}

// quotedList is `"a", "b"`, or `"a" or "b"` with or as the word before the last.
func quotedList(values []string, word string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = fmt.Sprintf("%q", v)
	}
	return joinWords(quoted, word)
}

// joinWords is "a, b or c".
func joinWords(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " " + last + " " + words[n]
}
