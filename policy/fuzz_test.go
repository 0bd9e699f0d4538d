package policy_test

import (
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"quartermaster.dev/policy"
)

// checkProblems fails the test where a problem is not one line that names its
// document.
func checkProblems(t *testing.T, problems []policy.Problem, document string) {
	t.Helper()
	for _, p := range problems {
		line := p.String()
		if !strings.HasPrefix(p.Document, document) || p.Message == "" || strings.ContainsFunc(line, unicode.IsControl) {
			t.Errorf("not a line that names its document: %q", line)
		}
		if p.Severity == policy.Error && p.Hint == "" {
			t.Errorf("no way out of %q", line)
		}
	}
}

// FuzzCompile has any bytes for a document, in a namespace and in the system
// namespace.
func FuzzCompile(f *testing.F) {
	for _, d := range documents {
		f.Add(seedFile(f, d.file))
	}
	f.Add([]byte(document))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var sources []*policy.Source
		for _, system := range []bool{false, true} {
			cm := policy.ConfigMap{Namespace: "dev", Name: "jobs", System: system, Data: map[string]string{"policy.yaml": string(data)}}
			source := policy.Compile(cm)
			checkProblems(t, source.Problems, "dev/jobs")
			if diff := cmp.Diff(source.Problems, policy.Compile(cm).Problems); diff != "" {
				t.Errorf("compiled again it has other problems:\n%s", diff)
			}
			sources = append(sources, source)
		}
		set := policy.NewSet("dev", policy.NewSystem(sources[1]), sources[0])
		checkProblems(t, set.Conflicts(nil), "dev/jobs")
		pod, err := policy.DecodePod([]byte(plainPod))
		if err != nil {
			t.Fatal(err)
		}
		d := policy.Decide(policy.Request{Namespace: "dev", Pod: pod}, set)
		checkOutcome(t, &d)
	})
}

func seedFile(f *testing.F, file string) []byte {
	f.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		f.Fatal(err)
	}
	return data
}

const plainPod = `{"metadata":{"labels":{"job.runner.gitlab.com/pod":"x"}},"spec":{"containers":[{"name":"build"},{"name":"helper"}]}}`

// FuzzDecide has any pod under any policies.
func FuzzDecide(f *testing.F) {
	seedWorlds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		w := newWorld(data, plainWords)
		checkDecision(t, w)
	})
}

// FuzzRefusalText has pods and policies that hold what no refusal may.
func FuzzRefusalText(f *testing.F) {
	seedWorlds(f)
	nasty := nastyWords()
	f.Fuzz(func(t *testing.T, data []byte) {
		w := newWorld(data, nasty)
		d := checkDecision(t, w)
		checkTexts(t, &d)
	})
}

func seedWorlds(f *testing.F) {
	f.Add([]byte{})
	r := rand.New(rand.NewPCG(1, 2))
	for range 16 {
		f.Add(randomBytes(r))
	}
}

func randomBytes(r *rand.Rand) []byte {
	data := make([]byte, r.IntN(1200))
	for i := range data {
		data[i] = byte(r.UintN(256))
	}
	return data
}

// TestRandomWorlds has the properties of FuzzDecide and FuzzRefusalText for a
// second, or as long as it takes to see every outcome on a slow machine, of
// worlds that are others each time.
func TestRandomWorlds(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	nasty := nastyWords()
	outcomes := map[policy.Outcome]int{}
	for n, end := 0, time.Now().Add(time.Second); n < 200 || time.Now().Before(end); n++ {
		data := randomBytes(r)
		plain := checkDecision(t, newWorld(data, plainWords))
		d := checkDecision(t, newWorld(data, nasty))
		checkTexts(t, &d)
		outcomes[plain.Outcome]++
		if t.Failed() {
			t.Fatalf("seed %d, bytes %q", seed, data)
		}
	}
	t.Logf("seed %d: %v", seed, outcomes)
	for _, o := range []policy.Outcome{policy.Untouched, policy.Audited, policy.Equipped, policy.Refused} {
		if outcomes[o] == 0 {
			t.Errorf("seed %d: no pod was %s: %v", seed, o, outcomes)
		}
	}
}
