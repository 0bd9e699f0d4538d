package cluster_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"quartermaster.dev/e2e/cluster"
)

func TestCluster(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx := t.Context()
	c, err := cluster.Start(ctx, cluster.Options{Out: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Stop() })
	if err := c.Namespace(ctx, "dev", map[string]string{"team": "a"}); err != nil {
		t.Fatal(err)
	}

	t.Run("a service account is who its token says and may what RBAC says", func(t *testing.T) {
		cfg, err := c.ServiceAccount(ctx, "dev", "default")
		if err != nil {
			t.Fatal(err)
		}
		// By way of a file, as a child process would be given it.
		path := filepath.Join(t.TempDir(), "kubeconfig")
		if err := c.WriteKubeconfig(cfg, path); err != nil {
			t.Fatal(err)
		}
		if cfg, err = clientcmd.BuildConfigFromFlags("", path); err != nil {
			t.Fatal(err)
		}
		account, err := client.New(cfg, client.Options{Mapper: c.Client.RESTMapper()})
		if err != nil {
			t.Fatal(err)
		}
		review := &authenticationv1.SelfSubjectReview{}
		if err := account.Create(ctx, review); err != nil {
			t.Fatal(err)
		}
		if got, want := review.Status.UserInfo.Username, "system:serviceaccount:dev:default"; got != want {
			t.Errorf("user %q, want %q", got, want)
		}
		if err := account.List(ctx, &corev1.PodList{}, client.InNamespace("dev")); !apierrors.IsForbidden(err) {
			t.Errorf("listing pods: %v, want forbidden", err)
		}
	})

	t.Run("pods are given a service account and its token", func(t *testing.T) {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "dev", Name: "p"},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}},
		}
		if err := c.Client.Create(ctx, pod, client.DryRunAll); err != nil {
			t.Fatal(err)
		}
		if pod.Spec.ServiceAccountName != "default" || len(pod.Spec.Volumes) != 1 {
			t.Errorf("service account %q and %d volumes, want default and its token", pod.Spec.ServiceAccountName, len(pod.Spec.Volumes))
		}
	})

	t.Run("applying twice and a stream of documents", func(t *testing.T) {
		objects, err := cluster.Decode([]byte("# nothing\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: dev}}\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: b, namespace: dev}\n"))
		if err != nil || len(objects) != 2 {
			t.Fatalf("%d objects, %v", len(objects), err)
		}
		for range 2 {
			if err := c.Apply(ctx, objects...); err != nil {
				t.Fatal(err)
			}
		}
	})

	if err := c.Stop(); err != nil {
		t.Error(err)
	}
	if err := c.Client.List(ctx, &corev1.NamespaceList{}); err == nil {
		t.Error("the API server still answers after Stop")
	}
	assertEmpty(t, os.Getenv("TMPDIR"))
}

func TestStartCancelledLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	if _, err := cluster.Assets(t.Context(), os.Stderr); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, errors.New("enough"))
	defer cancel()
	c, err := cluster.Start(ctx, cluster.Options{})
	if err == nil {
		_ = c.Stop()
		t.Fatal("started within 300 ms: the test needs a shorter time")
	}
	if !strings.Contains(err.Error(), "enough") {
		t.Errorf("error %q does not tell the cause", err)
	}
	assertEmpty(t, os.Getenv("TMPDIR"))
}

func TestAssetsFromTheEnvironment(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("KUBEBUILDER_ASSETS", dir)
	if err := os.WriteFile(filepath.Join(dir, "etcd"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := cluster.Assets(t.Context(), os.Stderr)
	if err == nil || !strings.Contains(err.Error(), "no kube-apiserver in") {
		t.Errorf("got %v, want an error that names what is missing", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "kube-apiserver"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := cluster.Assets(t.Context(), os.Stderr); got != dir || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, dir)
	}
}

func assertEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		t.Errorf("left behind: %s", entry.Name())
	}
}
