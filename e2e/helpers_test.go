package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// jobLabel is the one by which the installed release tells a job pod.
const jobLabel = "job.runner.gitlab.com/pod"

var namespaces atomic.Int64

// namespace returns a new namespace for one test, with these labels and a service account "default".
func namespace(t *testing.T, labels map[string]string) string {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-", "#", "-").Replace(t.Name()))
	name = fmt.Sprintf("%.50s-%d", name, namespaces.Add(1))
	if err := plane.Namespace(t.Context(), name, labels); err != nil {
		t.Fatal(err)
	}
	return name
}

// policyMap is a ConfigMap that holds one policy document.
func policyMap(namespace, name, document string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"quartermaster.dev/policy": "true"}},
		Data:       map[string]string{"policy.yaml": document},
	}
}

// writePolicy writes a policy and returns when it has taken effect.
func writePolicy(t *testing.T, namespace, name, document string) {
	t.Helper()
	if err := plane.Client.Create(t.Context(), policyMap(namespace, name, document)); err != nil {
		t.Fatal(err)
	}
	if err := installed.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// jobPod is a small job pod. It asks for no token, whose volume would have another name each time.
func jobPod(namespace string) *corev1.Pod {
	no := false
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "runner-job", Labels: map[string]string{jobLabel: "runner-job"}},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: &no,
			RestartPolicy:                corev1.RestartPolicyNever,
			Containers:                   []corev1.Container{{Name: "build", Image: "build"}, {Name: "helper", Image: "helper"}},
		},
	}
}

// create asks for a pod as a dry run and returns it as it would be stored, without what differs each time.
func create(ctx context.Context, pod *corev1.Pod) (*corev1.Pod, error) {
	pod = pod.DeepCopy()
	if err := plane.Client.Create(ctx, pod, client.DryRunAll); err != nil {
		return nil, err
	}
	pod.UID, pod.CreationTimestamp, pod.ManagedFields, pod.ResourceVersion = "", metav1.Time{}, nil, ""
	return pod, nil
}

// mustCreate is create for a pod that has to be admitted.
func mustCreate(t *testing.T, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	created, err := create(t.Context(), pod)
	if err != nil {
		t.Fatal(err)
	}
	return created
}
