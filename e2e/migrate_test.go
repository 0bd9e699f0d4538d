package e2e

import (
	"encoding/json"
	"os"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"quartermaster.dev/e2e/cluster"
	"quartermaster.dev/policy"
	"quartermaster.dev/policy/policytest"
)

// TestAMigratedPolicyEquipsTheRecordedJobs applies what `quartermaster migrate` makes of the values of a runner that was
// seen in the field, and creates the recorded job pods under it.
func TestAMigratedPolicyEquipsTheRecordedJobs(t *testing.T) {
	t.Parallel()
	manifest, err := os.ReadFile("../cmd/internal/migrate/testdata/seed.policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	objects, err := cluster.Decode(manifest)
	if err != nil {
		t.Fatal(err)
	}
	if err := plane.Namespace(t.Context(), "dev", nil); err != nil {
		t.Fatal(err)
	}
	if err := plane.Apply(t.Context(), objects...); err != nil {
		t.Fatal(err)
	}
	account := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ServiceAccount", "metadata": map[string]any{"namespace": "dev", "name": "app-deployer"},
	}}
	if err := plane.Apply(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	if err := installed.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	read := policy.ReadManifest("seed.policy.yaml", "dev", manifest)
	set := policy.NewSet("dev", nil, policy.Compile(read.ConfigMaps[0]))
	for name, c := range policytest.Recordings(t) {
		t.Run(name, func(t *testing.T) { equips(t, c, set) })
	}
}

// equips creates the recorded pod and holds what comes out against the decision made here.
func equips(t *testing.T, c *policytest.Case, set *policy.Set) {
	request := c.Request(t)
	request.JobLabel = jobLabel
	d := policy.Decide(request, set)
	user, _ := as(t, c.User, append([]string{"system:masters"}, c.Groups...)...)
	pod := &unstructured.Unstructured{}
	if err := json.Unmarshal(c.Object, &pod.Object); err != nil {
		t.Fatal(err)
	}
	unstructured.RemoveNestedField(pod.Object, "metadata", "managedFields")
	err := user.Create(t.Context(), pod, client.DryRunAll)
	if d.Outcome == policy.Refused {
		if !apierrors.IsForbidden(err) {
			t.Errorf("got %v, want the refusal %s", err, d.Message())
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	stored, err := json.Marshal(pod.Object["spec"])
	if err != nil {
		t.Fatal(err)
	}
	if want := decided(t, c, &d); !jsonpatch.Equal(stored, want) {
		t.Errorf("the API server stored %s, and the decision was %s", stored, want)
	}
}

// decided is the spec of the pod after the decision.
func decided(t *testing.T, c *policytest.Case, d *policy.Decision) []byte {
	t.Helper()
	after := c.Object
	if ops, err := d.Additions.Patch(); err != nil {
		t.Fatal(err)
	} else if ops != nil {
		patch, err := jsonpatch.DecodePatch(ops)
		if err != nil {
			t.Fatal(err)
		}
		if after, err = patch.Apply(c.Object); err != nil {
			t.Fatal(err)
		}
	}
	var pod struct{ Spec json.RawMessage }
	if err := json.Unmarshal(after, &pod); err != nil {
		t.Fatal(err)
	}
	return pod.Spec
}
