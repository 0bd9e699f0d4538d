package e2e

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// TestTheServersPodIsRestricted has Pod Security judge the pod that the chart's Deployment would make, by its strictest
// standard.
func TestTheServersPodIsRestricted(t *testing.T) {
	t.Parallel()
	ns := namespace(t, map[string]string{"pod-security.kubernetes.io/enforce": "restricted"})

	loose := jobPod(ns)
	loose.Labels = nil
	if _, err := create(t.Context(), loose); err == nil {
		t.Fatal("a pod without any security context was admitted: the standard is not enforced")
	}

	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: installed.ServiceAccount}}
	if err := plane.Client.Create(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	for _, object := range installed.Objects {
		if object.GetKind() != "Deployment" {
			continue
		}
		template, _, err := unstructured.NestedMap(object.Object, "spec", "template")
		if err != nil {
			t.Fatal(err)
		}
		pod := &corev1.Pod{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(template, pod, true); err != nil {
			t.Fatal(err)
		}
		pod.Namespace, pod.Name = ns, "server"
		if _, err := create(t.Context(), pod); err != nil {
			t.Error(err)
		}
		return
	}
	t.Error("the chart has no Deployment")
}
