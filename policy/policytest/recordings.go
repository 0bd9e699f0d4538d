package policytest

import (
	"bytes"
	"encoding/json"
	"iter"
	"testing"
)

// recordings are the cases that hold a review as a real API server sent it, by
// what is special about the job that it was recorded of.
var recordings = []struct{ name, folder string }{
	{"attach", "the-demo-job-is-handed-both-secrets-and-its-place"},
	{"attach-services", "services-are-handed-nothing"},
	{"many-variables", "a-job-with-many-variables-is-handed-its-credentials"},
	{"legacy-exec", "a-job-in-legacy-exec-mode-is-handed-its-credentials"},
	{"non-root-fsgroup", "a-job-that-is-not-root-finds-its-files-outside-root"},
	{"pod-spec-patched", "a-sidecar-patched-in-by-the-runner-is-handed-nothing"},
	{"runner-17.5", "a-pod-of-runner-17.5-is-no-job-by-default"},
	{"seed-values", "a-secret-that-the-runner-mounts-itself-is-kept-and-remarked"},
	{"service-named-build", "a-service-named-build-is-refused-a-credential"},
	{"spoofed-namespace", "a-forged-group-label-changes-nothing-for-a-policy-by-creator"},
}

// Recordings are the cases with a recorded review, by a short name, for
// benchmarks. Reviews and pods are compact, as the API server sends them.
func Recordings(t testing.TB) iter.Seq2[string, *Case] {
	t.Helper()
	byFolder := map[string]*Case{}
	for _, c := range Load(t) {
		byFolder[c.Name] = &c
	}
	return func(yield func(string, *Case) bool) {
		for _, r := range recordings {
			c := byFolder[r.folder]
			if c == nil {
				t.Fatalf("the corpus has no case %s", r.folder)
			}
			compact(t, &c.Review)
			compact(t, &c.Object)
			if !yield(r.name, c) {
				return
			}
		}
	}
}

func compact(t testing.TB, data *[]byte) {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, *data); err != nil {
		t.Fatal(err)
	}
	*data = b.Bytes()
}
