package e2e

import (
	"cmp"
	"context"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// everyJob would place any pod of its namespace that is taken for a job.
const everyJob = `apiVersion: quartermaster.dev/v1alpha1
kind: JobPolicy
match: {}
inject:
  secrets: [{name: dev-api-key, preset: scaleway}]
  nodeSelector: {pool: ci}
`

// clusterWide is a policy for the namespace in which cluster-wide ones are kept.
const clusterWide = `apiVersion: quartermaster.dev/v1alpha1
kind: JobPolicy
match: {namespaces: [quartermaster]}
inject:
  nodeSelector: {pool: ci}
`

func TestWhoIsLeftAlone(t *testing.T) {
	t.Parallel()
	// No webhook is registered for a pod without labels, so this is what the API server alone makes of one.
	plain := jobPod(namespace(t, nil))
	plain.Labels = nil
	want := mustCreate(t, plain).Spec

	for name, test := range map[string]struct {
		namespace func(t *testing.T) string
		change    func(*corev1.Pod)
		policy    string // everyJob when empty
		touched   bool
	}{
		"a job pod is equipped": { // the control: the policy does what it says
			namespace: func(t *testing.T) string { return namespace(t, nil) },
			touched:   true,
		},
		"a job pod of an opted-out namespace": {
			namespace: func(t *testing.T) string {
				return namespace(t, map[string]string{"quartermaster.dev/inject": "disabled"})
			},
		},
		"a job pod of kube-system":     {namespace: func(t *testing.T) string { return system(t, "kube-system") }},
		"a job pod of kube-node-lease": {namespace: func(t *testing.T) string { return system(t, "kube-node-lease") }},
		"a job pod of our own": {
			namespace: func(t *testing.T) string { return system(t, installed.Namespace) },
			policy:    clusterWide,
		},
		"a pod that is no GitLab job": {namespace: func(t *testing.T) string { return namespace(t, nil) }, change: unlabel},
		"another value of the opt-out": {namespace: func(t *testing.T) string {
			return namespace(t, map[string]string{"quartermaster.dev/inject": "enabled"})
		}, touched: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := test.namespace(t)
			writePolicy(t, ns, "every-job", cmp.Or(test.policy, everyJob))
			t.Cleanup(func() { // of namespaces that are there for every test
				if err := plane.Client.Delete(context.WithoutCancel(t.Context()), policyMap(ns, "every-job", "")); err != nil {
					t.Error(err)
				}
			})
			pod := jobPod(ns)
			if test.change != nil {
				test.change(pod)
			}
			got := mustCreate(t, pod)
			if test.touched {
				if got.Spec.NodeSelector["pool"] != "ci" || len(got.Spec.Volumes) != 1 || len(got.Annotations) == 0 {
					t.Errorf("not equipped: node selector %v, %d volumes, annotations %v", got.Spec.NodeSelector, len(got.Spec.Volumes), got.Annotations)
				}
				return
			}
			if diff := gocmp.Diff(want, got.Spec); diff != "" || len(got.Annotations) > 0 {
				t.Errorf("touched: annotations %v, spec (-want +got):\n%s", got.Annotations, diff)
			}
		})
	}
}

func unlabel(pod *corev1.Pod) { pod.Labels = map[string]string{"app": "shop"} }

// system returns a namespace that is there already, able to take a pod.
func system(t *testing.T, name string) string {
	t.Helper()
	if err := plane.Namespace(t.Context(), name, nil); err != nil {
		t.Fatal(err)
	}
	return name
}
