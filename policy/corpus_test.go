package policy_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"

	"quartermaster.dev/policy"
	"quartermaster.dev/policy/policytest"
)

var update = flag.Bool("update", false, "rewrite what the code says: want.yaml and notes.txt of the corpus, schematest/broken.txt, the tables of README.md and the JSON Schema")

// TestCorpus runs every case of testdata through Decide.
func TestCorpus(t *testing.T) {
	t.Parallel()
	for _, c := range policytest.Load(t) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			set, req := c.Set(), c.Request(t)
			d := policy.Decide(req, set)
			if diff := cmp.Diff(c.Request(t), req); diff != "" {
				t.Errorf("Decide modified its input:\n%s", diff)
			}
			checkOutcome(t, &d)
			checkTexts(t, &d)
			answer := policytest.Answer{Refusal: d.Message()}
			if d.Outcome != policy.Refused {
				answer.Pod = apply(t, c.Object, d.Additions)
				decideAgain(t, c, set, answer.Pod)
			}
			if *update {
				policytest.Rewrite(t, &c, answer, remarks(&d))
				return
			}
			policytest.Check(t, &c, answer)
			if diff := cmp.Diff(c.Notes, remarks(&d)); diff != "" {
				t.Errorf("%s/notes.txt (-) is not what the decision remarks (+):\n%s", c.Dir, diff)
			}
		})
	}
}

// apply applies additions to a pod as it came, with a JSON Patch library that
// knows nothing of ours.
func apply(t *testing.T, object []byte, additions policy.Additions) []byte {
	t.Helper()
	data, err := additions.Patch()
	if err != nil {
		t.Fatal(err)
	}
	if data == nil {
		return object
	}
	patch, err := jsonpatch.DecodePatch(data)
	if err != nil {
		t.Fatalf("%v:\n%s", err, data)
	}
	patched, err := patch.Apply(object)
	if err != nil {
		t.Fatalf("%v:\n%s", err, data)
	}
	return patched
}

// decideAgain fails the test if the pod that came out is given anything more,
// as it would be if the API server asked a second time.
func decideAgain(t *testing.T, c policytest.Case, set *policy.Set, pod []byte) {
	t.Helper()
	c.Object = pod
	d := policy.Decide(c.Request(t), set)
	if d.Outcome == policy.Refused || len(d.Additions) > 0 {
		t.Errorf("deciding on the outcome is %s with %d additions: %s", d.Outcome, len(d.Additions), d.Message())
	}
}

// remarks are the content of notes.txt: the decision's notes and, of the
// policies that did not match, why.
func remarks(d *policy.Decision) string {
	var b strings.Builder
	for _, n := range d.Notes {
		fmt.Fprintf(&b, "%s: %s\n", n.Severity, n)
	}
	for _, v := range d.Verdicts {
		for _, m := range v.Mismatches {
			fmt.Fprintf(&b, "no match: %s: %s\n", v.Policy, m)
		}
	}
	return b.String()
}
