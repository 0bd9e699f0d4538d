package release

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"quartermaster.dev/policy"
)

const (
	// canarySelector is the node selector that its policy gives to every job.
	canarySelector = "quartermaster.dev/canary"
	settleTimeout  = 30 * time.Second
)

// Settle returns when the server knows every policy that was written before Settle was called.
//
// A policy takes effect some time after the write that brings it has been answered, and nothing tells when: a test that
// wrote one and went on would sometimes see the one before. But the server learns of all policies, of whatever
// namespace, by one watch, and a watch delivers changes in the order in which they were made. So Settle makes one change
// more, to a policy that gives each job a node selector with a value never used before, and asks for a job pod, as a dry
// run, until that value comes out. When it does, everything written before it has taken effect too. No sleep and no
// second look at the server's inside is needed, and that the webhooks are registered is proven on the way.
//
// Where what was written refuses every job of the cluster, the canary's included, the server's log has to do: it names each
// policy that it takes up, by its content.
//
// It may be called by many tests at once. Two releases on one cluster must differ in their job label, or the other one may
// be the one that answers.
func (r *Release) Settle(ctx context.Context) error {
	number, stamp, err := r.writeCanary(ctx)
	if err != nil {
		return err
	}
	var last string
	err = wait.PollUntilContextTimeout(ctx, 10*time.Millisecond, settleTimeout, true, func(ctx context.Context) (bool, error) {
		pod := r.canaryPod()
		if err := r.cluster.Client.Create(ctx, pod, client.DryRunAll); err != nil {
			last = err.Error()
			return apierrors.IsForbidden(err) && strings.Contains(r.server.logs.String(), stamp), nil
		}
		last = fmt.Sprintf("node selector %v", pod.Spec.NodeSelector)
		// Another test may have written a later one meanwhile, which proves the same.
		seen, err := strconv.ParseInt(pod.Spec.NodeSelector[canarySelector], 10, 64)
		return err == nil && seen >= number, nil
	})
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("the server did not take up a new policy within %s; the last pod asked for gave: %s; its log:\n%s",
			settleTimeout, last, r.server.excerpt())
	}
	return nil
}

// canaryNamespace holds one policy and never a pod. Each release has its own, for each counts by itself.
func (r *Release) canaryNamespace() string { return r.Namespace + "-canary" }

// writeCanary writes the next canary policy and returns its number, and how the server's log names it. Numbers are written
// in their order.
func (r *Release) writeCanary(ctx context.Context) (number int64, stamp string, err error) {
	r.settle.Lock()
	defer r.settle.Unlock()
	if r.settled == 0 {
		if err := r.cluster.Namespace(ctx, r.canaryNamespace(), nil); err != nil {
			return 0, "", err
		}
		// A release of the same name before this one may have counted too.
		r.settled = time.Now().UnixNano()
	}
	r.settled++
	document := fmt.Sprintf(`apiVersion: quartermaster.dev/v1alpha1
kind: JobPolicy
match: {}
inject:
  nodeSelector: {%s: "%d"}
`, canarySelector, r.settled)
	source := policy.Compile(policy.ConfigMap{Namespace: r.canaryNamespace(), Name: "canary", Data: map[string]string{"policy.yaml": document}})
	return r.settled, source.Stamp(), r.cluster.Apply(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1",
		"kind":       "ConfigMap",
		"metadata": map[string]any{
			"namespace": source.Namespace,
			"name":      source.Name,
			"labels":    map[string]any{policy.LabelPolicy: "true"},
		},
		"data": map[string]any{"policy.yaml": document},
	}})
}

// canaryPod is the least that the server takes for a job.
func (r *Release) canaryPod() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: r.canaryNamespace(),
			Name:      "canary",
			Labels:    map[string]string{r.jobLabel: "canary"},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "build", Image: "canary"}}},
	}
}
