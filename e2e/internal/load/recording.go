// Package load creates pods of recorded GitLab jobs, always as dry runs, and tells how long that took.
package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"quartermaster.dev/e2e/internal/build"
)

// The accounts that a recorded job's namespace must have: who creates the pod, and as whom it runs.
const (
	Runner = "gitlab-runner"
	Runs   = "app-deployer"
)

// folders are the corpus' cases with a recorded review, by what is special about the job.
var folders = map[string]string{
	"attach":          "the-demo-job-is-handed-both-secrets-and-its-place",
	"attach-services": "services-are-handed-nothing",
	"many-variables":  "a-job-with-many-variables-is-handed-its-credentials",
}

// A Recording is the pod of a job of a real runner.
type Recording struct {
	// Name says what is special about the job.
	Name string
	// Object is the pod as an API server showed it to a webhook.
	Object []byte
	// Body creates the pod anew, in whatever namespace.
	Body []byte
	// Refused says that the pod is not to be created, but refused.
	Refused bool
}

// Recorded returns the recording of that name.
func Recorded(name string) (*Recording, error) {
	folder, ok := folders[name]
	if !ok {
		return nil, fmt.Errorf("there is no recording %q; choose of attach, attach-services and many-variables", name)
	}
	root, err := build.Root()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(root, "policy", "testdata", folder, "review.json")
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var review struct {
		Request struct {
			Object json.RawMessage `json:"object"`
		} `json:"request"`
	}
	if err := json.Unmarshal(text, &review); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	r := &Recording{Name: name}
	if r.Body, err = fresh(review.Request.Object); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, review.Request.Object); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	r.Object = compact.Bytes()
	return r, nil
}

// With is the same pod with something else in its spec.
func (r *Recording) With(name, member string, value any) (*Recording, error) {
	var pod map[string]any
	if err := json.Unmarshal(r.Body, &pod); err != nil {
		return nil, err
	}
	pod["spec"].(map[string]any)[member] = value
	body, err := json.Marshal(pod)
	return &Recording{Name: name, Object: r.Object, Body: body}, err
}

func (r *Recording) status() int {
	if r.Refused {
		return http.StatusForbidden
	}
	return http.StatusCreated
}

// fresh is the pod without what the API server writes into every object, and without its namespace.
func fresh(object []byte) ([]byte, error) {
	var pod, metadata map[string]json.RawMessage
	if err := json.Unmarshal(object, &pod); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(pod["metadata"], &metadata); err != nil {
		return nil, err
	}
	for _, key := range []string{"namespace", "creationTimestamp", "generation", "uid", "managedFields", "resourceVersion"} {
		delete(metadata, key)
	}
	delete(pod, "status")
	var err error
	if pod["metadata"], err = json.Marshal(metadata); err != nil {
		return nil, err
	}
	return json.Marshal(pod)
}
