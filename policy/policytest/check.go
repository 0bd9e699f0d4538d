package policytest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// Answer is what became of a case's pod: either Pod, as JSON, or Refusal.
type Answer struct {
	// Pod as it is stored.
	Pod []byte
	// Refusal is the webhook's message, without what the API server puts before it.
	Refusal string
}

// perCreation are the members of a pod's metadata that no two creations have in common.
var perCreation = []string{"creationTimestamp", "generation", "managedFields", "resourceVersion", "uid"}

// status is a refusal as the API server answers it.
type status struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Status     string `json:"status"`
	Message    string `json:"message"`
	Reason     string `json:"reason"`
	Code       int    `json:"code"`
}

// Check fails the test where the answer is not what the case's want.yaml says.
func Check(t testing.TB, c *Case, got Answer) {
	t.Helper()
	if c.Want == nil {
		t.Errorf("%s/%s is missing: `go test ./policy -run TestCorpus -update` writes it", c.Dir, wantFile)
		return
	}
	if diff := cmp.Diff(normal(t, c.Want), normal(t, got.marshal(t))); diff != "" {
		t.Errorf("%s/%s (-) is not what came out (+):\n%s", c.Dir, wantFile, diff)
	}
}

// Rewrite makes the answer, and the notes, the case's own.
func Rewrite(t testing.TB, c *Case, got Answer, notes string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(c.Dir, wantFile), got.marshal(t), 0o644); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(c.Dir, notesFile)
	if notes == "" {
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		return
	}
	if err := os.WriteFile(file, []byte(notes), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Refused is the message with which the case's pod is refused, and whether it is.
func (c *Case) Refused() (message string, refused bool) {
	var s status
	if yaml.Unmarshal(c.Want, &s) != nil || s.Kind != "Status" {
		return "", false
	}
	return s.Message, true
}

// marshal is the answer as want.yaml has it.
func (a Answer) marshal(t testing.TB) []byte {
	t.Helper()
	var answer any = status{"v1", "Status", "Failure", a.Refusal, "Forbidden", 403}
	if a.Refusal == "" {
		var pod map[string]any
		if err := json.Unmarshal(a.Pod, &pod); err != nil {
			t.Fatalf("the answer is neither a refusal nor a pod: %v", err)
		}
		delete(pod, "status")
		if metadata, ok := pod["metadata"].(map[string]any); ok {
			for _, key := range perCreation {
				delete(metadata, key)
			}
		}
		answer = pod
	}
	data, err := yaml.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// normal is the same for want.yaml and an answer that say the same, however
// they are written.
func normal(t testing.TB, data []byte) string {
	t.Helper()
	var tree any
	if err := yaml.Unmarshal(data, &tree); err != nil {
		t.Fatalf("%v:\n%s", err, data)
	}
	data, err := yaml.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
