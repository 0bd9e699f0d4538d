//go:build e2e

package installed

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"quartermaster.dev/policy"
)

// releaseName is the name of every release, and of its namespace: a user's first choice.
const releaseName = "quartermaster"

// A release is the chart, installed by Helm.
type release struct{ name, namespace string }

// installChart installs the chart with these values, YAML, on top of those that every test needs. After the test it is
// uninstalled and its namespace deleted, where the test has not done that itself. The test must not be parallel.
func installChart(t *testing.T, values string) *release {
	t.Helper()
	return installChartFrom(t, chartDir(), values)
}

// installChartFrom is installChart for a chart in another folder.
func installChartFrom(t *testing.T, chart, values string) *release {
	t.Helper()
	t.Cleanup(func() {
		if err := take(context.Background(), releaseName); err != nil {
			t.Error(err)
		}
		awaitGone(t, releaseName)
	})
	step(t, "helm install %s charts/quartermaster", releaseName)
	r, err := install(t.Context(), chart, values)
	if err != nil {
		t.Fatal(err)
	}
	r.tellWhenFailed(t)
	return r
}

// installShared installs the release that parallel tests share.
var installShared = sync.OnceValues(func() (*release, error) { return install(context.Background(), chartDir(), "") })

// shared returns the release that parallel tests share: the chart with its own defaults. TestMain takes it down.
func shared(t *testing.T) *release {
	t.Helper()
	step(t, "helm install %s charts/quartermaster, or wait until another test has done so", releaseName)
	r, err := installShared()
	if err != nil {
		t.Fatal(err)
	}
	r.tellWhenFailed(t)
	return r
}

func install(ctx context.Context, chart, values string) (*release, error) {
	r := &release{name: releaseName, namespace: releaseName}
	bring(r.namespace, r)
	if err := r.helm(ctx, chart, values, "install", "--create-namespace"); err != nil {
		return nil, err
	}
	return r, r.awaitService(ctx)
}

// awaitService waits until the API server reaches the release, as it sees by asking for a job pod by a dry run. Helm is
// content when the replicas are ready, and only then kube-proxy learns of them: until it has, the Service refuses
// connections. Nothing else may go wrong any more.
func (r *release) awaitService(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := admin.Create(ctx, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "e2e-probe", Labels: map[string]string{policy.DefaultJobLabel: "e2e-probe"}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "build", Image: *jobImage}}},
		}, client.DryRunAll)
		if err == nil || !strings.Contains(err.Error(), "connection refused") {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func chartDir() string { return filepath.Join(root, "charts", "quartermaster") }

// defaultValues are what the tests' cluster calls for: the image, which comes from no registry, and, as it may have no
// other node, the right to run where jobs do.
func defaultValues() string {
	colon := strings.LastIndex(*image, ":")
	return fmt.Sprintf(`
image:
  repository: %s
  tag: %q
  pullPolicy: IfNotPresent
tolerations:
- {key: %s, operator: Equal, value: "true", effect: NoSchedule}
`, (*image)[:colon], (*image)[colon+1:], reservedTaint)
}

// upgrade is `helm upgrade --wait` with these values on top of those that every test needs.
func (r *release) upgrade(t *testing.T, values string) {
	t.Helper()
	if err := r.helm(t.Context(), chartDir(), values, "upgrade"); err != nil {
		t.Fatal(err)
	}
}

// helm runs `helm COMMAND NAME CHART --wait` with values.
func (r *release) helm(ctx context.Context, chart, values string, command ...string) error {
	dir, err := os.MkdirTemp("", "values-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	args := append(command, r.name, chart, "--namespace", r.namespace, "--wait", "--timeout", "2m")
	for i, text := range []string{defaultValues(), values} {
		file := filepath.Join(dir, fmt.Sprintf("values-%d.yaml", i))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return err
		}
		args = append(args, "--values", file)
	}
	if out, err := helm(ctx, args...); err != nil {
		return fmt.Errorf("%w\n%s%s", err, out, r.logs(context.WithoutCancel(ctx)))
	}
	return nil
}

// helm runs Helm as an administrator and returns what it wrote to stdout.
func helm(ctx context.Context, args ...string) (string, error) {
	return run(ctx, "", *helmPath, append([]string{"--kubeconfig", *kubeconfig}, args...)...)
}

// test is `helm test`. It returns what that and its job said.
func (r *release) test(ctx context.Context) (string, error) {
	args := []string{"--kubeconfig", *kubeconfig, "test", r.name, "--namespace", r.namespace, "--timeout", "2m"}
	out, err := exec.CommandContext(ctx, *helmPath, args...).CombinedOutput() // Helm prints the log of a hook to stderr
	return string(out), err
}

// uninstall uninstalls the release, where it is installed. Its namespace stays.
func (r *release) uninstall(ctx context.Context) error {
	_, err := helm(ctx, "uninstall", r.name, "--namespace", r.namespace, "--ignore-not-found", "--wait", "--timeout", "2m")
	return err
}

// pods are the server's, those that are on their way out left aside.
func (r *release) pods(ctx context.Context) ([]corev1.Pod, error) {
	list := &corev1.PodList{}
	if err := admin.List(ctx, list, client.InNamespace(r.namespace), client.MatchingLabels{
		"app.kubernetes.io/instance": r.name,
		"app.kubernetes.io/name":     "quartermaster",
	}); err != nil {
		return nil, err
	}
	var pods []corev1.Pod
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil {
			pods = append(pods, pod)
		}
	}
	return pods, nil
}

// settle waits until every replica of the server has taken up the policies of a namespace as they are now: each logs the
// stamp of what it takes up.
func (r *release) settle(t *testing.T, namespace string) {
	t.Helper()
	list := &corev1.ConfigMapList{}
	if err := admin.List(t.Context(), list, client.InNamespace(namespace), client.MatchingLabels{policy.LabelPolicy: "true"}); err != nil {
		t.Fatal(err)
	}
	for _, object := range list.Items {
		source := policy.Compile(policy.ConfigMap{Namespace: object.Namespace, Name: object.Name, Data: object.Data})
		eventually(t, "every replica has taken up "+source.Stamp(), func(ctx context.Context) (bool, string) {
			pods, err := r.pods(ctx)
			if err != nil || len(pods) == 0 {
				return false, fmt.Sprint("no replica: ", err)
			}
			for _, pod := range pods {
				log, err := run(ctx, "", *kubectlPath, "--kubeconfig", *kubeconfig, "logs", "-n", pod.Namespace, pod.Name)
				if err != nil || !strings.Contains(log, source.Stamp()) {
					return false, fmt.Sprintf("pod %s has not: %v", pod.Name, err)
				}
			}
			return true, ""
		})
	}
}

// tellWhenFailed adds the release's logs to what is told of a test that has failed.
func (r *release) tellWhenFailed(t *testing.T) {
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(r.logs(context.Background()))
		}
	})
}

// logs are the state and the last words of all pods of the release, for an error.
func (r *release) logs(ctx context.Context) string {
	list := &corev1.PodList{}
	if err := admin.List(ctx, list, client.InNamespace(r.namespace)); err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, pod := range list.Items {
		fmt.Fprintf(&b, "pod %s: %s\n", pod.Name, describe(&pod))
		log, err := run(ctx, "", *kubectlPath, "--kubeconfig", *kubeconfig, "logs", "-n", pod.Namespace, pod.Name, "--all-containers", "--tail=20")
		fmt.Fprintln(&b, log, errorsOf(err))
	}
	return b.String()
}
