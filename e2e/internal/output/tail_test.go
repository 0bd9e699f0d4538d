package output

import (
	"strings"
	"testing"
)

func TestTailRemembersTheEnd(t *testing.T) {
	for name, test := range map[string]struct {
		max    int
		writes []string
		want   string
	}{
		"unbounded":          {0, []string{"one ", "two ", "three"}, "one two three"},
		"within the bound":   {20, []string{"one ", "two ", "three"}, "one two three"},
		"beyond the bound":   {5, []string{"one ", "two ", "three"}, "three"},
		"one write too long": {3, []string{strings.Repeat("x", 50) + "end"}, "end"},
	} {
		t.Run(name, func(t *testing.T) {
			tail := &Tail{Max: test.max}
			for _, w := range test.writes {
				if n, err := tail.Write([]byte(w)); n != len(w) || err != nil {
					t.Fatalf("Write(%q) = %d, %v", w, n, err)
				}
			}
			if got := tail.String(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
