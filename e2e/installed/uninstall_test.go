//go:build e2e

package installed

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"quartermaster.dev/policy"
)

// TestUninstallLeavesNothing installs the chart, lets its hooks run, and uninstalls it while job pods are asked for: none is
// refused, nothing is left of the release or its hooks, and a job of a namespace with a policy starts as if there had
// never been one.
func TestUninstallLeavesNothing(t *testing.T) {
	t.Run("builtin", func(t *testing.T) {
		uninstallLeavesNothing(t, "", func(r *release) {
			step(t, "helm test must fail in a namespace that is switched off")
			off := namespace(t, map[string]string{"quartermaster.dev/inject": "disabled"})
			r.upgrade(t, "test: {namespace: "+off+"}")
			if out, err := r.test(t.Context()); err == nil || !strings.Contains(out, "left alone") {
				t.Errorf("helm test in a namespace that is switched off: %v; it said\n%s", err, out)
			}
			if err := deleteNamespace(t.Context(), off); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("cert-manager", func(t *testing.T) {
		runCertManager(t)
		uninstallLeavesNothing(t, "certificates: {mode: cert-manager}", func(*release) {})
	})
	t.Run("hook for Helm 3", func(t *testing.T) {
		uninstallLeavesNothing(t, "uninstallHook: {enabled: true}", func(*release) {})
	})
}

// uninstallLeavesNothing does so with a release of these values, for which meanwhile is called in between.
func uninstallLeavesNothing(t *testing.T, values string, meanwhile func(*release)) {
	ns := namespace(t, nil)
	applyExample(t, ns, "dev/*.yaml")
	// Helm makes the release's namespace and leaves it. It is made here, so that what is left in it counts.
	if err := admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: releaseName}}); err != nil {
		t.Fatal(err)
	}
	bring(releaseName, nil)
	awaitFurnished(t, releaseName)
	before := takeInventory(t)
	step(t, "the cluster holds %d objects", len(before))

	r := installChart(t, values)
	r.settle(t, ns)
	step(t, "helm test")
	if out, err := r.test(t.Context()); err != nil || !strings.Contains(out, "equipped in namespace") {
		t.Errorf("helm test: %v; it said\n%s", err, out)
	}
	meanwhile(r)

	runner := newRunner(t, ns)
	stream := startStream(t, runner, jobPod(t, "stream", "attach"))
	step(t, "helm uninstall, while job pods are asked for")
	if err := r.uninstall(t.Context()); err != nil {
		t.Fatal(err)
	}
	stream.stop(t)
	pod := runner.create(t, jobPod(t, "after", "attach"))
	if pod.Annotations[policy.AnnotationApplied] != "" || len(pod.Spec.NodeSelector) > 0 {
		t.Errorf("without a release a job is equipped by %q", pod.Annotations[policy.AnnotationApplied])
	}
	step(t, "a job's pod is created as it comes; what is left of the release?")
	if err := admin.Delete(t.Context(), pod, client.GracePeriodSeconds(0)); err != nil {
		t.Error(err)
	}
	awaitNothingBut(t, before)
	step(t, "nothing")
}
