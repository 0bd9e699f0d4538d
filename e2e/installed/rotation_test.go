//go:build e2e

package installed

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestAChangedKeyReachesJobs replaces a Secret in the way of tools that know no other: by deleting it and creating it
// anew. A job that runs has the new key after a while, for a mounted Secret is one that the node keeps up to date; and the
// next job has it from the start.
func TestAChangedKeyReachesJobs(t *testing.T) {
	t.Parallel()
	r := shared(t)
	ns := example(t, r, "dev")
	before, after := newAPIKey(), newAPIKey()
	putSecret(t, ns, "dev-api-key", map[string]string{"config.yaml": before})
	runner := newRunner(t, ns)
	const read = `cat "$SCW_CONFIG_PATH"`

	running := runner.start(t, jobPod(t, "running", "attach"))
	if got := runner.mustExec(t, running, "build", read); got != before {
		t.Fatalf("the job has the key\n%s\nwant\n%s", got, before)
	}
	step(t, "a job runs; its Secret is deleted and created anew, with another key")
	if err := admin.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "dev-api-key"}}); err != nil {
		t.Fatal(err)
	}
	if got := runner.mustExec(t, running, "build", read); got != before {
		t.Errorf("with its Secret deleted the job has the key\n%s\nwant still\n%s", got, before)
	}
	putSecret(t, ns, "dev-api-key", map[string]string{"config.yaml": after})

	next := runner.start(t, jobPod(t, "next", "attach"))
	if got := runner.mustExec(t, next, "build", read); got != after {
		t.Errorf("the next job has the key\n%s\nwant\n%s", got, after)
	}
	step(t, "the next job has the new key from its start")
	eventually(t, "the running job has the new key", func(context.Context) (bool, string) {
		got := runner.mustExec(t, running, "build", read)
		if got != before && got != after {
			t.Fatalf("the running job has neither key, but\n%s", got)
		}
		return got == after, got
	})
	step(t, "the running job has the new key")
}
