//go:build e2e

package installed

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// brought is what the tests have brought into the cluster and not yet taken from it: namespaces, by name, with the release
// that is installed in one or nil.
var brought = struct {
	sync.Mutex
	namespaces map[string]*release
}{namespaces: map[string]*release{}}

func bring(namespace string, r *release) {
	brought.Lock()
	defer brought.Unlock()
	brought.namespaces[namespace] = r
}

// take takes from the cluster what bring was told of.
func take(ctx context.Context, namespace string) error {
	brought.Lock()
	r, ok := brought.namespaces[namespace]
	delete(brought.namespaces, namespace)
	brought.Unlock()
	if !ok {
		return nil
	}
	var err error
	if r != nil {
		err = r.uninstall(ctx)
	}
	return errors.Join(err, deleteNamespace(ctx, namespace))
}

// sweep takes all from the cluster that is still there: the shared release, and after an interrupt the rest.
func sweep() (err error) {
	brought.Lock()
	namespaces := slices.Sorted(maps.Keys(brought.namespaces))
	brought.Unlock()
	for _, namespace := range namespaces {
		err = errors.Join(err, take(context.Background(), namespace))
	}
	return err
}

// deleteNamespace deletes a namespace, without waiting for the end of that. Its pods are given no time: a job's shell,
// the first process of its container, does not end when it is asked to.
func deleteNamespace(ctx context.Context, name string) error {
	now := client.GracePeriodSeconds(0)
	if err := admin.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(name), now); err != nil {
		return err
	}
	err := admin.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	return client.IgnoreNotFound(err)
}

// awaitGone waits until a namespace is deleted.
func awaitGone(t *testing.T, name string) {
	t.Helper()
	eventually(t, "namespace "+name+" is gone", func(ctx context.Context) (bool, string) {
		object := &corev1.Namespace{}
		err := admin.Get(ctx, types.NamespacedName{Name: name}, object)
		return apierrors.IsNotFound(err), errorsOf(err)
	})
}

// namespace returns a new namespace for one test, with these labels, and with what controllers put into each. It is
// deleted after the test, without waiting for the end of that.
func namespace(t *testing.T, labels map[string]string) string {
	t.Helper()
	name := "e2e-" + rand.String(6)
	bring(name, nil)
	t.Cleanup(func() {
		if t.Failed() {
			out, err := run(context.Background(), "", *kubectlPath, "--kubeconfig", *kubeconfig, "get", "pods,events", "-n", name)
			t.Logf("namespace %s at the end:\n%s%s", name, out, errorsOf(err))
		}
		if err := take(context.Background(), name); err != nil {
			t.Error(err)
		}
	})
	if err := admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}); err != nil {
		t.Fatal(err)
	}
	awaitFurnished(t, name)
	return name
}

// awaitFurnished waits until controllers have put into a new namespace what they put into each.
func awaitFurnished(t *testing.T, name string) {
	t.Helper()
	eventually(t, "the controllers have furnished namespace "+name, func(ctx context.Context) (bool, string) {
		saw := errorsOf(
			admin.Get(ctx, types.NamespacedName{Namespace: name, Name: "default"}, &corev1.ServiceAccount{}),
			admin.Get(ctx, types.NamespacedName{Namespace: name, Name: "kube-root-ca.crt"}, &corev1.ConfigMap{}))
		return saw == "", saw
	})
}
