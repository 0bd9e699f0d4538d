package policy_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	kubejson "sigs.k8s.io/json"

	"quartermaster.dev/policy"
	"quartermaster.dev/policy/policytest"
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

// FuzzDecodePod holds what is read of a pod against Kubernetes' own types: what
// those take, we take, and read the same in it.
func FuzzDecodePod(f *testing.F) {
	f.Add([]byte(plainPod))
	f.Add([]byte(`{"metadata":null,"spec":{"containers":[{"name":"build","env":[{"name":"A","value":null,"valueFrom":{"secretKeyRef":{"key":"k"}}}],"resources":{"limits":{"cpu":"1e3"}}}]}}`))
	f.Fuzz(func(t *testing.T, object []byte) {
		pod, err := policy.DecodePod(object)
		if err != nil && (strings.Contains(err.Error(), "unexpected EOF") || strings.ContainsFunc(err.Error(), unicode.IsControl)) {
			t.Errorf("an error that no job log may hold: %q", err)
		}
		var known corev1.Pod
		if kubejson.UnmarshalCaseSensitivePreserveInts(object, &known) != nil {
			return
		}
		if err != nil {
			t.Fatalf("Kubernetes takes %q: %v", object, err)
		}
		sent, err := json.Marshal(&known)
		if err != nil {
			t.Skip("Kubernetes would not send it")
		}
		same, err := policy.DecodePod(sent)
		if err != nil {
			t.Fatal(err)
		}
		ignoreEnv := cmpopts.IgnoreFields(policy.Container{}, "Env")
		if diff := cmp.Diff(same, pod, cmpopts.EquateEmpty(), ignoreEnv); diff != "" {
			t.Errorf("as Kubernetes reads it (-), as we do (+):\n%s", diff)
		}
	})
}

// FuzzReadManifest has any bytes for a file of manifests.
func FuzzReadManifest(f *testing.F) {
	f.Add([]byte("---\n" + document))
	f.Add([]byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {quartermaster.dev/policy: \"true\"}}\ndata:\n  policy.yaml: |\n    a: 1\n"))
	f.Add([]byte(`{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"ConfigMap","data":{"a.yaml":"a: 1"}}]} {}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := policy.ReadManifest("file.yaml", "dev", data)
		if diff := cmp.Diff(m, policy.ReadManifest("file.yaml", "dev", data)); diff != "" {
			t.Errorf("read again it is another:\n%s", diff)
		}
		checkProblems(t, slices.DeleteFunc(m.Problems, func(p policy.Problem) bool { return p.Hint == "" }), "")
		for _, cm := range slices.Concat(m.ConfigMaps, m.Unlabelled) {
			checkProblems(t, policy.Compile(cm).Problems, "")
		}
		if m.Bare != nil {
			checkProblems(t, policy.Compile(*m.Bare).Problems, "file.yaml")
		}
	})
}

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
	data := make([]byte, r.IntN(600))
	for i := range data {
		data[i] = byte(r.UintN(256))
	}
	return data
}

// TestRandomWorlds has the properties of FuzzDecide and FuzzRefusalText for a
// second, of worlds that are others each time.
func TestRandomWorlds(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	nasty := nastyWords()
	outcomes := map[policy.Outcome]int{}
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
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

// TestCorpusTexts has the same for the texts of the corpus.
func TestCorpusTexts(t *testing.T) {
	t.Parallel()
	for _, c := range policytest.Load(t) {
		d := policy.Decide(c.Request(t), c.Set())
		checkOutcome(t, &d)
		if text := fmt.Sprint(d.Message(), d.Notes, d.WouldAdd, d.Additions); strings.Contains(text, "hunter2") {
			t.Errorf("%s tells a value: %s", c.Name, text)
		}
	}
}
