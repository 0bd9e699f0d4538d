package policytest

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"quartermaster.dev/policy"
)

// Case is one folder of the corpus.
type Case struct {
	// Name of the folder.
	Name string
	// Dir is the path of the folder.
	Dir string
	// Namespace that the pod is created in.
	Namespace string
	// User who creates it, and the groups of that user.
	User   string
	Groups []string
	// JobLabel is how the server is configured to tell job pods, or empty for its default.
	JobLabel string
	// NotStored says why a real API server would not store this pod, whatever
	// is decided; it is empty for nearly all cases. Such a case proves
	// something about the decision alone.
	NotStored string
	// Review is the AdmissionReview, complete, as JSON.
	Review []byte
	// Object is the pod in it, as JSON.
	Object []byte
	// ConfigMaps are those in PolicyFile, whatever their namespace.
	ConfigMaps []policy.ConfigMap
	// PolicyFile is the path of policy.yaml.
	PolicyFile string
	// Want is the content of want.yaml, or nil where the file is missing.
	Want []byte
	// Notes is the content of notes.txt, or empty where there is none.
	Notes string
}

const (
	reviewFile  = "review.json"
	requestFile = "request.yaml"
	policyFile  = "policy.yaml"
	wantFile    = "want.yaml"
	notesFile   = "notes.txt"

	// fuzzDir is where `go test -fuzz` keeps its own corpora.
	fuzzDir = "fuzz"
)

// Load reads every case, in the order of their names. It fails the test for a
// file that is missing, unreadable or none of a case's; a missing want.yaml is
// left to [Check].
func Load(t testing.TB) []Case {
	t.Helper()
	dir := root(t)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var cases []Case
	for _, entry := range entries {
		switch {
		case entry.Name() == fuzzDir:
		case !entry.IsDir():
			t.Errorf("%s is no case of the corpus: remove it", filepath.Join(dir, entry.Name()))
		default:
			if c, ok := load(t, filepath.Join(dir, entry.Name())); ok {
				cases = append(cases, c)
			}
		}
	}
	if len(cases) == 0 {
		t.Fatalf("%s holds no case", dir)
	}
	return cases
}

// Request is what the case asks of a decision.
func (c *Case) Request(t testing.TB) policy.Request {
	t.Helper()
	pod, err := policy.DecodePod(c.Object)
	if err != nil {
		t.Fatal(err)
	}
	return policy.Request{Namespace: c.Namespace, User: c.User, Groups: c.Groups, JobLabel: c.JobLabel, Pod: pod}
}

// SystemNamespace is where the cases keep cluster-wide policies and guardrails.
const SystemNamespace = "quartermaster"

// Set is what is in force in the case's namespace.
func (c *Case) Set() *policy.Set {
	var sources, system []*policy.Source
	for _, cm := range c.ConfigMaps {
		switch cm.Namespace {
		case SystemNamespace:
			cm.System = true
			system = append(system, policy.Compile(cm))
		case c.Namespace:
			sources = append(sources, policy.Compile(cm))
		}
	}
	return policy.NewSet(c.Namespace, policy.NewSystem(system...), sources...)
}

// root is policy/testdata, wherever below the module's root the test runs.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "policy", "policytest")); err == nil {
			return filepath.Join(dir, "policy", "testdata")
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("the corpus is found only from below the module's root")
		}
		dir = parent
	}
}

func load(t testing.TB, dir string) (Case, bool) {
	t.Helper()
	c := Case{Name: filepath.Base(dir), Dir: dir, PolicyFile: filepath.Join(dir, policyFile)}
	if !c.checkFiles(t) {
		return c, false
	}
	if err := c.loadRequest(); err != nil {
		t.Errorf("%s: %v", dir, err)
		return c, false
	}
	manifests, err := os.ReadFile(c.PolicyFile)
	if err != nil {
		t.Error(err)
		return c, false
	}
	m := policy.ReadManifest(policyFile, c.Namespace, manifests)
	if m.Bare != nil || len(m.Unlabelled) > 0 || len(m.Problems) > 0 || len(m.ConfigMaps) == 0 {
		t.Errorf("%s: must hold labelled ConfigMaps and nothing else of ours: %v", c.PolicyFile, m.Problems)
		return c, false
	}
	c.ConfigMaps = m.ConfigMaps
	c.Want, _ = os.ReadFile(filepath.Join(dir, wantFile))
	notes, _ := os.ReadFile(filepath.Join(dir, notesFile))
	c.Notes = string(notes)
	return c, true
}

// checkFiles holds the folder against what a case may and must hold.
func (c *Case) checkFiles(t testing.TB) bool {
	t.Helper()
	entries, err := os.ReadDir(c.Dir)
	if err != nil {
		t.Error(err)
		return false
	}
	ok := true
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
		if entry.IsDir() || !slices.Contains([]string{reviewFile, requestFile, policyFile, wantFile, notesFile}, entry.Name()) {
			t.Errorf("%s: a case holds no %s: remove it", c.Dir, entry.Name())
			ok = false
		}
	}
	if slices.Contains(names, reviewFile) == slices.Contains(names, requestFile) {
		t.Errorf("%s: a case holds either %s or %s", c.Dir, reviewFile, requestFile)
		ok = false
	}
	if !slices.Contains(names, policyFile) {
		t.Errorf("%s: %s is missing", c.Dir, policyFile)
		ok = false
	}
	return ok
}
