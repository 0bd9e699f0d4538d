//go:build e2e

package installed

import (
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"quartermaster.dev/e2e/internal/build"
	"quartermaster.dev/e2e/internal/guard"
	"quartermaster.dev/e2e/internal/output"
)

var certificateKind = schema.GroupVersionKind{Group: "cert-manager.io", Version: "v1", Kind: "Certificate"}

// runCertManager installs cert-manager for as long as the test runs: its resource definitions, and its controllers and
// its CA injector as a process beside the cluster. A cluster that knows the definitions has a cert-manager already.
func runCertManager(t *testing.T) {
	t.Helper()
	// Not by the client's mapping of kinds, which would remember what an earlier test has deleted.
	definition := &metav1.PartialObjectMetadata{}
	definition.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	err := admin.Get(t.Context(), types.NamespacedName{Name: "certificates.cert-manager.io"}, definition)
	switch {
	case err == nil:
		step(t, "the cluster has a cert-manager of its own")
		return
	case !apierrors.IsNotFound(err):
		t.Fatal(err)
	}
	installDefinitions(t)
	step(t, "cert-manager's controllers and its CA injector are started")
	logs := &output.Tail{Max: 64 << 10}
	dir := t.TempDir()
	watch, err := guard.Watch(dir)
	if err != nil {
		t.Fatal(err)
	}
	program, err := watch.Wrap(*certManagerPath)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--kubeconfig", *kubeconfig)
	cmd.Stdout, cmd.Stderr = logs, logs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's Ctrl-C must not end it before the test
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		kill := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("cert-manager ended badly: %v", err)
		}
		watch.Relieve()
		if t.Failed() {
			t.Logf("cert-manager's log ends with\n%s", logs)
		}
	})
}

// installDefinitions applies cert-manager's resource definitions, and deletes them after the test.
func installDefinitions(t *testing.T) {
	t.Helper()
	dir, err := build.CertManagerCRDs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no definitions in %s: %v", dir, err)
	}
	step(t, "kubectl apply cert-manager's resource definitions")
	args := []string{"--server-side"}
	for _, file := range files {
		args = append(args, "-f", file)
	}
	t.Cleanup(func() {
		for _, file := range files {
			if _, err := run(context.Background(), "", *kubectlPath, "--kubeconfig", *kubeconfig, "delete", "--ignore-not-found", "-f", file); err != nil {
				t.Error(err)
			}
		}
	})
	kubectl(t, append([]string{"apply"}, args...)...)
	kubectl(t, append([]string{"wait", "--for=condition=Established", "--timeout=1m"}, args[1:]...)...)
}

// renew has cert-manager renew a Certificate as `cmctl renew` does, and waits until it has.
func (r *release) renew(t *testing.T, name string) {
	t.Helper()
	revision := r.revision(t, name)
	condition, err := json.Marshal([]any{map[string]any{
		"op": "add", "path": "/status/conditions/-", "value": map[string]any{
			"type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "renewal forced",
			"lastTransitionTime": time.Now().UTC().Format(time.RFC3339),
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	kubectl(t, "patch", "certificate", name, "-n", r.namespace, "--subresource=status", "--type=json", "-p", string(condition))
	eventually(t, "Certificate "+name+" is renewed", func(context.Context) (bool, string) {
		now := r.revision(t, name)
		return now > revision, "revision " + strconv.FormatInt(now, 10)
	})
}

// revision counts how often a Certificate was issued.
func (r *release) revision(t *testing.T, name string) int64 {
	t.Helper()
	certificate := &unstructured.Unstructured{}
	certificate.SetGroupVersionKind(certificateKind)
	if err := admin.Get(t.Context(), types.NamespacedName{Namespace: r.namespace, Name: name}, certificate); err != nil {
		t.Fatal(err)
	}
	revision, _, err := unstructured.NestedInt64(certificate.Object, "status", "revision")
	if err != nil {
		t.Fatal(err)
	}
	return revision
}
