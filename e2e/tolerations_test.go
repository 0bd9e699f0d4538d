package e2e

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestTwoTolerationsOfOneKeyAreNoConflict shows why the merge adds a toleration beside one of the same key and effect
// with another value: the API server stores, updates and deletes such a pod like any other.
func TestTwoTolerationsOfOneKeyAreNoConflict(t *testing.T) {
	t.Parallel()
	ns := namespace(t, nil)
	writePolicy(t, ns, "runner-jobs", `apiVersion: quartermaster.dev/v1alpha1
kind: JobPolicy
match: {}
inject:
  tolerations: [{key: reserved, value: dev, effect: NoSchedule}]
`)
	pod := jobPod(ns)
	pod.Spec.Tolerations = []corev1.Toleration{{Key: "reserved", Operator: corev1.TolerationOpEqual, Value: "prod", Effect: corev1.TaintEffectNoSchedule}}
	if err := plane.Client.Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	values := map[string]bool{}
	for _, toleration := range pod.Spec.Tolerations {
		if toleration.Key == "reserved" {
			values[toleration.Value] = true
		}
	}
	if !values["dev"] || !values["prod"] {
		t.Errorf("the pod was stored with the tolerations %v", pod.Spec.Tolerations)
	}
	label := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"touched":"true"}}}`))
	if err := plane.Client.Patch(t.Context(), pod, label); err != nil {
		t.Errorf("updating it: %v", err)
	}
	if err := plane.Client.Delete(t.Context(), pod); err != nil {
		t.Errorf("deleting it: %v", err)
	}
}
