package webhook

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"quartermaster.dev/policy/policytest"
)

// TestCorpus runs the corpus of decisions through the handler: the recorded
// review goes in, and the patch that comes out is applied by a library of its own.
func TestCorpus(t *testing.T) {
	t.Parallel()
	for _, c := range policytest.Load(t) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			store := NewStore(policytest.SystemNamespace, nil)
			for _, cm := range c.ConfigMaps {
				store.Put(cm)
			}
			store.MarkSynced()
			f := &fixture{Handler: &Handler{
				Policies: store, JobLabel: c.JobLabel, Metrics: NewMetrics(), Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
			}}
			code, body := f.post(t, bytes.NewReader(c.Review))
			if code != http.StatusOK {
				t.Fatalf("got %d: %s", code, body)
			}
			var a answer
			if err := json.Unmarshal([]byte(body), &a); err != nil {
				t.Fatal(err)
			}
			policytest.Check(t, &c, a.Response.applied(t, c.Object))
		})
	}
}

// applied is what becomes of the object.
func (r *response) applied(t *testing.T, object []byte) policytest.Answer {
	t.Helper()
	if !r.Allowed {
		if r.Status.Code != http.StatusForbidden || r.Status.Reason != "Forbidden" || r.Patch != nil {
			t.Errorf("refused with code %d, reason %s and the patch %s", r.Status.Code, r.Status.Reason, r.Patch)
		}
		return policytest.Answer{Refusal: r.Status.Message}
	}
	if r.Patch == nil {
		return policytest.Answer{Pod: object}
	}
	patch, err := jsonpatch.DecodePatch(r.Patch)
	if err != nil {
		t.Fatal(err)
	}
	after, err := patch.Apply(object)
	if err != nil {
		t.Fatalf("%v: %s", err, r.Patch)
	}
	return policytest.Answer{Pod: after}
}
