package explain

import (
	"fmt"
	"io"
	"strings"
	"unicode"

	"quartermaster.dev/policy"
)

// Write prints the report for people: the verdict, what it rests on, and a
// block for each policy. Each line begins with a word that says what it is.
func (r *Report) Write(w io.Writer, colored bool) error {
	t := &text{colored: colored}
	t.verdict(r)
	t.about(r)
	for _, b := range r.Broken {
		t.block("broken", red, b.Source+", which refuses the jobs of namespace "+r.Pod.Namespace)
		t.remarks(b.Problems)
	}
	for i := range r.Policies {
		t.policy(&r.Policies[i])
	}
	_, err := io.WriteString(w, t.b.String())
	return err
}

// text is a report being printed.
type text struct {
	b       strings.Builder
	colored bool
}

// The colours of words, as ANSI terminals know them.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	dim    = "2"
)

// width of the first column.
const width = 12

// line prints a word and what it says, each further line of that below the first.
func (t *text) line(indent, word, color, says string) {
	pad := strings.Repeat(" ", max(1, width-len(indent)-len(word)))
	if t.colored && color != "" {
		word = "\x1b[" + color + "m" + word + "\x1b[0m"
	}
	says = strings.ReplaceAll(printable(says), "\n", "\n"+strings.Repeat(" ", width))
	fmt.Fprintf(&t.b, "%s%s%s%s\n", indent, word, pad, says)
}

// row is a line of a block.
func (t *text) row(word, color, says string) { t.line("  ", word, color, says) }

// block begins a block.
func (t *text) block(word, color, says string) {
	t.b.WriteString("\n")
	t.line("", word, color, says)
}

// printable is a text without what would move a terminal's cursor: names in a
// pod may be any text.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, s)
}

func (t *text) verdict(r *Report) {
	color := green
	switch {
	case !r.OK:
		color = red
	case r.Verdict != Equipped:
		color = yellow
	}
	t.line("", strings.ToUpper(string(r.Verdict)), color, r.Summary)
	if r.Verdict == Refused {
		// The words of the job log, to the letter: for whoever searches for them.
		fmt.Fprintf(&t.b, "  admission webhook %q denied the request: %s\n", r.webhook(),
			strings.ReplaceAll(printable(r.Refusal), "\n", "\n  "))
	}
	if r.Hint != "" {
		t.row("hint", "", r.Hint)
	}
	t.b.WriteString("\n")
}

// webhook is the name of the webhook that refuses jobs.
func (r *Report) webhook() string {
	for _, w := range r.Webhooks {
		if w.Asked != no {
			return w.Name
		}
	}
	return "job" + webhookSuffix
}

// about prints what the verdict rests on.
func (t *text) about(r *Report) {
	name := r.Pod.Name
	if name == "" {
		name = "(it has no name yet)"
	}
	t.line("", "pod", "", fmt.Sprintf("%s in namespace %s, of the kind %s", name, r.Pod.Namespace, r.Pod.Kind))
	user := r.Pod.User
	if user == "" {
		user = "not known"
	}
	t.line("", "creator", "", user)
	if r.Stamp != "" {
		t.line("", "stamp", "", strings.ReplaceAll(r.Stamp, ",", "\n"))
	}
	for _, w := range r.relevant() {
		t.webhook(&w)
	}
	for _, n := range r.Notes {
		t.line("", n.Severity, color(n.Severity), n.Message)
		if n.Hint != "" {
			t.line("", "hint", "", n.Hint)
		}
	}
}

// relevant are the webhooks that are asked about the pod; or else those for its
// kind of pod; or else all.
func (r *Report) relevant() []Webhook {
	var asked, selecting []Webhook
	for _, w := range r.Webhooks {
		if w.Asked != no {
			asked = append(asked, w)
		}
		if w.selects {
			selecting = append(selecting, w)
		}
	}
	switch {
	case len(asked) > 0:
		return asked
	case len(selecting) > 0:
		return selecting
	default:
		return r.Webhooks
	}
}

func (t *text) webhook(w *Webhook) {
	words := map[string]string{yes: "is asked", no: "is not asked", unknown: "may be asked"}
	t.line("", "webhook", "", fmt.Sprintf("%s of the configuration %s %s", w.Name, w.Configuration, words[w.Asked]))
	t.remarks(w.Why)
	t.remarks(w.Unreachable)
}

func color(severity string) string {
	switch severity {
	case policy.Error.String():
		return red
	case policy.Warning.String():
		return yellow
	default:
		return dim
	}
}

func (t *text) remarks(remarks []Remark) {
	for _, r := range remarks {
		t.row(r.Severity, color(r.Severity), r.Message)
		if r.Hint != "" {
			t.row("hint", "", r.Hint)
		}
	}
}

// policy prints the block of one policy.
func (t *text) policy(p *Policy) {
	colors := map[State]string{Applies: green, Refuses: red, NoMatch: dim, HeldBack: yellow, Audit: yellow, Withheld: yellow, WouldRefuse: yellow}
	t.block(strings.ReplaceAll(string(p.State), "-", " "), colors[p.State], p.Name)
	for _, m := range p.Mismatches {
		t.row("wants", "", m.Condition+" "+m.Wants)
		t.row("got", "", m.Got)
	}
	adds := "adds"
	if p.State == Audit || p.State == WouldApply {
		adds = "would add"
	}
	for _, a := range p.Adds {
		t.row(adds, "", a.What)
	}
	for _, a := range p.Has {
		t.row("has", dim, a.What)
	}
	if p.State == Applies && len(p.Adds)+len(p.Has)+len(p.Notes) == 0 {
		t.row("adds", "", "nothing that the pod does not have, or another policy adds")
	}
	t.remarks(p.Notes)
	for _, s := range p.Secrets {
		t.secret(&s)
	}
}

func (t *text) secret(s *Secret) {
	if s.Remark != nil {
		t.remarks([]Remark{*s.Remark})
		return
	}
	says := fmt.Sprintf("Secret %q is there", s.Name)
	if len(s.Keys) > 0 {
		says += ", with " + strings.Join(s.Keys, ", ")
	}
	t.row("checked", dim, says)
}
