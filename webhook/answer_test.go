package webhook

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAnswersAreWrittenAsAnEncoderDoes holds what is appended by hand against
// what the fields' tags say.
func TestAnswersAreWrittenAsAnEncoderDoes(t *testing.T) {
	t.Parallel()
	for _, want := range []response{
		{UID: "u-1", Allowed: true},
		{UID: "u-1", Status: &status{Code: 403, Reason: "Forbidden", Message: "one\n\"two\" <é>"}},
		{UID: "\"", Allowed: true, Patch: []byte(`[{"op":"add"}]`), PatchType: "JSONPatch"},
		{UID: "u", AuditAnnotations: map[string]string{"outcome": "equipped", "a": "\x00", "notes": ""}, Warnings: []string{"a", "b\u2028"}},
	} {
		var got answer
		data := want.append(nil)
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatalf("%v: %s", err, data)
		}
		if diff := cmp.Diff(answer{reviewVersion, reviewKind, want}, got); diff != "" {
			t.Errorf("want - got +:\n%s", diff)
		}
	}
}
