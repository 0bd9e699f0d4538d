//go:build e2e

package installed

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"quartermaster.dev/e2e/internal/load"
)

// A runner does in one namespace what GitLab Runner does there, as the same account and with no other rights: it creates
// job pods and runs scripts in their containers.
type runner struct {
	namespace  string
	client     client.Client
	kubeconfig string // file
}

// newRunner returns the runner of a namespace, in which manifests/examples/dev/2-accounts.yaml must have been applied.
func newRunner(t *testing.T, namespace string) *runner {
	t.Helper()
	text := serviceAccountKubeconfig(t, adminConfig.Host, namespace, load.Runner)
	r := &runner{namespace: namespace, kubeconfig: filepath.Join(t.TempDir(), "runner.kubeconfig")}
	if err := os.WriteFile(r.kubeconfig, text, 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.RESTConfigFromKubeConfig(text)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.WarningHandler = -1, rest.NoWarnings{}
	if r.client, err = client.New(config, client.Options{Mapper: admin.RESTMapper()}); err != nil {
		t.Fatal(err)
	}
	return r
}

// jobPod is the pod of a real runner's job, as load.Recorded has it under that name ("attach", "attach-services"), under
// another name and with the images of this test run.
func jobPod(t *testing.T, name, recording string) *corev1.Pod {
	t.Helper()
	recorded, err := load.Recorded(recording)
	if err != nil {
		t.Fatal(err)
	}
	pod := &corev1.Pod{}
	if err := json.Unmarshal(recorded.Body, pod); err != nil {
		t.Fatal(err)
	}
	pod.Name = name
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			containers[i].Image = *jobImage
		}
	}
	return pod
}

// create creates a pod and returns it as it was stored.
func (r *runner) create(t *testing.T, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	pod = pod.DeepCopy()
	pod.Namespace = r.namespace
	if err := r.client.Create(t.Context(), pod); err != nil {
		t.Fatal(err)
	}
	return pod
}

// start creates a pod and waits until all of its containers run.
func (r *runner) start(t *testing.T, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	pod = r.create(t, pod)
	eventually(t, "all containers of pod "+pod.Name+" run", func(ctx context.Context) (bool, string) {
		if err := r.client.Get(ctx, client.ObjectKeyFromObject(pod), pod); err != nil {
			return false, err.Error()
		}
		return allRun(pod), describe(pod)
	})
	return pod
}

// exec runs a shell script in a container, and returns what it wrote to stdout. What it wrote to stderr is part of the
// error, as is a nonzero exit code.
func (r *runner) exec(t *testing.T, pod *corev1.Pod, container, script string) (stdout string, err error) {
	t.Helper()
	return run(t.Context(), "", *kubectlPath, "--kubeconfig", r.kubeconfig, "exec", "-n", pod.Namespace, pod.Name,
		"-c", container, "--", "sh", "-ec", script)
}

// mustExec is exec for a script that has to succeed.
func (r *runner) mustExec(t *testing.T, pod *corev1.Pod, container, script string) string {
	t.Helper()
	out, err := r.exec(t, pod, container, script)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func allRun(pod *corev1.Pod) bool {
	if len(pod.Status.ContainerStatuses) < len(pod.Spec.Containers) {
		return false
	}
	for _, status := range pod.Status.ContainerStatuses {
		if status.State.Running == nil {
			return false
		}
	}
	return true
}

// describe is the state of a pod in a line: its phase, what holds it up, and what its containers wait for or died of.
func describe(pod *corev1.Pod) string {
	says := []string{string(pod.Status.Phase)}
	for _, condition := range pod.Status.Conditions {
		if condition.Status != corev1.ConditionTrue && condition.Message != "" {
			says = append(says, fmt.Sprintf("%s: %s", condition.Type, condition.Message))
		}
	}
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, status := range statuses {
			switch {
			case status.State.Waiting != nil:
				says = append(says, fmt.Sprintf("%s waits: %s %s", status.Name, status.State.Waiting.Reason, status.State.Waiting.Message))
			case status.State.Terminated != nil:
				says = append(says, fmt.Sprintf("%s ended: %s, code %d", status.Name, status.State.Terminated.Reason, status.State.Terminated.ExitCode))
			}
		}
	}
	return strings.Join(says, "; ")
}
