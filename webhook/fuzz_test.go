package webhook

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode"

	jsonpatch "github.com/evanphx/json-patch/v5"
)

// FuzzDecodeReview posts any bytes: the answer is a review whose patch can be
// applied to the object as it came, or a 4xx in one line, and never a 500.
func FuzzDecodeReview(f *testing.F) {
	f.Add([]byte(reviewOf(jobPod(`{"containers":[{"name":"build"}]}`))))
	f.Add([]byte(reviewOf(jobPod(`{"containers":[{"name":"build","env":[{"name":"A","value":"hunter2"}],"volumeMounts":null}],"nodeSelector":{"pool":"x"}}`))))
	f.Add([]byte(strings.Replace(reviewOf("null"), "CREATE", "UPDATE", 1)))
	f.Add([]byte(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u-1","object":{`))
	f.Add([]byte(`[{"request":null}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		h := newFixture(t, demoPolicy)
		code, answered := h.post(t, bytes.NewReader(body))
		if code != http.StatusOK {
			if line := strings.TrimSuffix(answered, "\n"); code < 400 || code > 499 || line == "" || strings.ContainsFunc(line, unicode.IsControl) {
				t.Errorf("%d: %q", code, answered)
			}
			return
		}
		var a answer
		if err := json.Unmarshal([]byte(answered), &a); err != nil {
			t.Fatalf("%v: %s", err, answered)
		}
		if res := a.Response; a.Kind != reviewKind || res.UID == "" || res.Allowed == (res.Status != nil) {
			t.Errorf("no answer: %s", answered)
		}
		checkPatch(t, body, a.Response.Patch)
	})
}

// checkPatch applies the patch to the object of a review, if there is one.
func checkPatch(t *testing.T, body, patch []byte) {
	t.Helper()
	if patch == nil {
		return
	}
	var in struct {
		Request struct {
			Object json.RawMessage `json:"object"`
		} `json:"request"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		t.Fatal(err)
	}
	ops, err := jsonpatch.DecodePatch(patch)
	if err != nil {
		t.Fatalf("%v: %s", err, patch)
	}
	after, err := ops.Apply(in.Request.Object)
	if err != nil {
		t.Skipf("keys stand twice, or in another case: %v", err)
	}
	if err := contains(decodeAny(t, after), decodeAny(t, in.Request.Object), ""); err != nil {
		t.Errorf("%v\nbefore %s\nafter %s", err, in.Request.Object, after)
	}
}
