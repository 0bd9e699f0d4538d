package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/diff"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"quartermaster.dev/e2e/internal/build"
)

// A stage is where the demo speaks, and where it keeps count of what it has announced.
type stage struct {
	out    io.Writer
	colour bool
	begin  time.Time
	scene  int

	checks, failures int
}

// Colours of the narration, as terminals know them.
const (
	bold  = "1"
	red   = "31"
	green = "32"
	cyan  = "36"
	faint = "2"
)

// newStage speaks to out, in colour when that is a terminal and colour is wanted.
func newStage(out io.Writer, colour bool) *stage {
	return &stage{out: out, colour: colour && build.IsTerminal(out), begin: time.Now()}
}

func (s *stage) paint(colour, text string) string {
	if !s.colour || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// title begins the next scene.
func (s *stage) title(text string) {
	s.scene++
	fmt.Fprintf(s.out, "\n%s\n\n", s.paint(bold, fmt.Sprintf("%d. %s", s.scene, text)))
}

func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(s.out, "   "+format+"\n", args...)
}

// show quotes a file.
func (s *stage) show(text string) {
	fmt.Fprintln(s.out)
	for line := range strings.Lines(text) {
		fmt.Fprintln(s.out, s.paint(faint, strings.TrimRight("   | "+line, "\n ")))
	}
}

// problem quotes what a user sees going wrong.
func (s *stage) problem(text string) {
	fmt.Fprintln(s.out)
	for line := range strings.Lines(text) {
		fmt.Fprintln(s.out, "   "+s.paint(red, strings.TrimRight(line, "\n")))
	}
	fmt.Fprintln(s.out)
}

// diff shows a unified diff.
func (s *stage) diff(changes string) {
	if changes == "" {
		return
	}
	fmt.Fprintln(s.out)
	for line := range strings.Lines(changes) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "+++"), strings.HasPrefix(line, "---"):
			line = s.paint(bold, line)
		case strings.HasPrefix(line, "@@"):
			line = s.paint(cyan, line)
		case strings.HasPrefix(line, "+"):
			line = s.paint(green, line)
		case strings.HasPrefix(line, "-"):
			line = s.paint(red, line)
		}
		fmt.Fprintln(s.out, "   "+line)
	}
	fmt.Fprintln(s.out)
}

// check announces what was found to hold, or not to.
func (s *stage) check(holds bool, format string, args ...any) {
	s.checks++
	mark := s.paint(green, "✓")
	if !holds {
		s.failures++
		mark = s.paint(red, "✗ NOT SO:")
	}
	fmt.Fprintf(s.out, "   %s %s\n", mark, fmt.Sprintf(format, args...))
}

// end says that the play is over.
func (s *stage) end() {
	fmt.Fprintf(s.out, "\n%s\n", s.paint(bold, fmt.Sprintf("%d of %d announcements held, after %.1f seconds.",
		s.checks-s.failures, s.checks, time.Since(s.begin).Seconds())))
}

// verdict is an error when anything was not as announced.
func (s *stage) verdict() error {
	if s.failures > 0 {
		return fmt.Errorf("%d of %d announcements did not hold; each is marked ✗ above", s.failures, s.checks)
	}
	return nil
}

// difference is what happened to a pod on its way into the cluster, as a unified diff of YAML, "" for nothing.
func difference(sent, stored *unstructured.Unstructured) (string, error) {
	before, err := yaml.Marshal(plain(sent).Object)
	if err != nil {
		return "", err
	}
	after, err := yaml.Marshal(plain(stored).Object)
	if err != nil {
		return "", err
	}
	changes := string(diff.Diff("as the runner sent it", before, "as the cluster stored it", after))
	_, changes, _ = strings.Cut(changes, "\n") // a command line that nobody has typed
	return changes, nil
}

// plain is a copy of a pod without what the API server writes into every object.
func plain(pod *unstructured.Unstructured) *unstructured.Unstructured {
	pod = pod.DeepCopy()
	for _, field := range []string{"creationTimestamp", "generation", "uid", "managedFields", "resourceVersion"} {
		unstructured.RemoveNestedField(pod.Object, "metadata", field)
	}
	unstructured.RemoveNestedField(pod.Object, "status")
	return pod
}

// onlyAdds reports whether a unified diff has no removed line.
func onlyAdds(changes string) bool {
	for line := range strings.Lines(changes) {
		if strings.HasPrefix(line, "-") && !strings.HasPrefix(line, "--- ") {
			return false
		}
	}
	return changes != ""
}
