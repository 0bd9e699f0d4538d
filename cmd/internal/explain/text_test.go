package explain

import (
	"strings"
	"testing"
)

// TestWriteColours: colours are for terminals, and change nothing else.
func TestWriteColours(t *testing.T) {
	t.Parallel()
	r := &Report{
		Verdict: Equipped, OK: true, Summary: "1 policy of 1 applies", Pod: Pod{Namespace: "dev", Name: "a\x1b[2Jb", Kind: "job"},
		Policies: []Policy{{Name: "dev/runner-jobs policy.yaml", State: Applies}},
	}
	var plain, colored strings.Builder
	if err := r.Write(&plain, false); err != nil {
		t.Fatal(err)
	}
	if err := r.Write(&colored, true); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(plain.String(), "\x1b") {
		t.Errorf("colours, or worse, where none are wanted: %q", &plain)
	}
	bare := colored.String()
	for _, code := range []string{red, green, yellow, dim, "0"} {
		bare = strings.ReplaceAll(bare, "\x1b["+code+"m", "")
	}
	if bare != plain.String() || colored.Len() == plain.Len() {
		t.Errorf("got %q\nwant the words of %q", &colored, &plain)
	}
}
