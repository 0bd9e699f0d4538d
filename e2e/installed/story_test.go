//go:build e2e

package installed

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// TestAJobRunsWithItsKey is what Quartermaster is for: manifests/examples/dev is applied, and a job of a real runner, with
// two services, is scheduled onto the reserved node, where its script, and nobody else, finds the credentials.
func TestAJobRunsWithItsKey(t *testing.T) {
	t.Parallel()
	r := shared(t)
	step(t, "apply manifests/examples/dev, with an API key and a kubeconfig that are real")
	ns := example(t, r, "dev")
	key := newAPIKey()
	putSecret(t, ns, "dev-api-key", map[string]string{"config.yaml": key})
	config := newKapsuleConfig(t, ns)
	putSecret(t, ns, "dev-kapsule-config", map[string]string{"config": config})

	step(t, "gitlab-runner creates a job pod")
	runner := newRunner(t, ns)
	pod := runner.start(t, jobPod(t, "job", "attach-services"))
	checkPlace(t, pod)
	step(t, "it runs on node %s, equipped by %s", pod.Spec.NodeName, pod.Annotations["quartermaster.dev/applied"])

	for path, want := range map[string]string{"/root/.config/scw/config.yaml": key, "/root/.kube/config": config} {
		if got := runner.mustExec(t, pod, "build", "cat "+path); got != want {
			t.Errorf("in build, %s holds\n%s\nwant\n%s", path, got, want)
		}
		if got := runner.mustExec(t, pod, "build", "stat -Lc '%a %U' "+path); got != "600 root\n" {
			t.Errorf("in build, %s has mode and owner %q, want 600 and root", path, got)
		}
		step(t, "build reads %s, which has mode 600", path)
		for _, container := range pod.Spec.Containers {
			if container.Name == "build" {
				continue
			}
			out, err := runner.exec(t, pod, container.Name, "cat "+path)
			if err == nil || !strings.Contains(err.Error(), "No such file or directory") {
				t.Errorf("%s must not have %s; reading it gave %q, %v", container.Name, path, out, err)
			}
			step(t, "%s has no such file", container.Name)
		}
	}

	env := runner.mustExec(t, pod, "build", `echo "$SCW_CONFIG_PATH $KUBECONFIG"`)
	if env != "/root/.config/scw/config.yaml /root/.kube/config\n" {
		t.Errorf("in build, SCW_CONFIG_PATH and KUBECONFIG are %q", env)
	}
	who := runner.mustExec(t, pod, "build", "kubectl auth whoami -o jsonpath='{.status.userInfo.username}'")
	if want := fmt.Sprintf("system:serviceaccount:%s:%s", ns, kapsuleAccount); who != want {
		t.Errorf("in build, kubectl is %q to the API server, want %q", who, want)
	}
	step(t, "kubectl in build is %s to the API server", who)
}

// TestAJobWithoutAPolicyFindsNoPlace is the other half of the story: what puts a job onto the reserved node, and hands it
// its key, is the policy.
func TestAJobWithoutAPolicyFindsNoPlace(t *testing.T) {
	t.Parallel()
	shared(t)
	ns := namespace(t, nil)
	applyExample(t, ns, "dev/2-accounts.yaml")
	runner := newRunner(t, ns)
	step(t, "gitlab-runner creates a job pod in a namespace without a policy")
	pod := runner.create(t, jobPod(t, "job", "attach-services"))
	for _, volume := range pod.Spec.Volumes {
		if volume.Secret != nil {
			t.Errorf("the pod mounts Secret %s", volume.Secret.SecretName)
		}
	}
	if stamp, ok := pod.Annotations["quartermaster.dev/applied"]; ok {
		t.Errorf("the pod carries the stamp %q", stamp)
	}
	var reason string
	eventually(t, "the scheduler finds no node for the pod", func(ctx context.Context) (bool, string) {
		if err := runner.client.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
			return false, err.Error()
		}
		reason = unschedulable(pod)
		return reason != "", describe(pod)
	})
	if !strings.Contains(reason, "untolerated taint") {
		t.Errorf("the pod is kept off for another reason than the taint: %s", reason)
	}
	step(t, "it stays %s: %s", pod.Status.Phase, reason)
}

// unschedulable says why the scheduler finds no node for a pod, "" when it does or has not tried yet.
func unschedulable(pod *corev1.Pod) string {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse && condition.Reason == corev1.PodReasonUnschedulable {
			return condition.Message
		}
	}
	return ""
}

// checkPlace checks that a pod runs on a node that is reserved for jobs, and that the policy has put it there.
func checkPlace(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	node := &corev1.Node{}
	if err := admin.Get(t.Context(), types.NamespacedName{Name: pod.Spec.NodeName}, node); err != nil {
		t.Fatal(err)
	}
	if node.Labels[poolLabel] != pool || pod.Spec.NodeSelector[poolLabel] != pool {
		t.Errorf("the pod selects nodes of pool %q and runs on one of pool %q, want %q", pod.Spec.NodeSelector[poolLabel], node.Labels[poolLabel], pool)
	}
	if stamp := pod.Annotations["quartermaster.dev/applied"]; !strings.HasPrefix(stamp, pod.Namespace+"/runner-jobs@") {
		t.Errorf("the pod carries the stamp %q, want that of ConfigMap %s/runner-jobs", stamp, pod.Namespace)
	}
}

// newAPIKey is a Scaleway configuration like that of manifests/examples/dev, with a key that nobody has ever seen.
func newAPIKey() string {
	return fmt.Sprintf("access_key: SCW%s\nsecret_key: %s\ndefault_region: fr-par\ndefault_zone: fr-par-1\n",
		strings.ToUpper(rand.String(17)), uuid.NewUUID())
}

// kapsuleAccount is the account as which jobs talk to the cluster that they deploy to: here, the one that they run on.
const kapsuleAccount = "kapsule"

// newKapsuleConfig makes the account, and returns a kubeconfig for it that works in pods.
func newKapsuleConfig(t *testing.T, namespace string) string {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: kapsuleAccount}}
	if err := admin.Create(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	service := &corev1.Service{}
	if err := admin.Get(t.Context(), types.NamespacedName{Namespace: "default", Name: "kubernetes"}, service); err != nil {
		t.Fatal(err)
	}
	server := "https://" + net.JoinHostPort(service.Spec.ClusterIP, "443")
	return string(serviceAccountKubeconfig(t, server, namespace, kapsuleAccount))
}
