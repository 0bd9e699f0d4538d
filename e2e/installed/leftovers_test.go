//go:build e2e

package installed

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/metadata"
)

// transient are kinds of object that come and go by themselves: what happened lately, and who is alive.
var transient = []string{"events", "leases"}

// inventory is every object of every kind in the cluster, by discovery. Namespaces that are being deleted are left out, with
// all that is in them: those of earlier tests.
func inventory(ctx context.Context) (map[string]bool, error) {
	discoverer, err := discovery.NewDiscoveryClientForConfig(adminConfig)
	if err != nil {
		return nil, err
	}
	reader, err := metadata.NewForConfig(adminConfig)
	if err != nil {
		return nil, err
	}
	lists, err := discoverer.ServerPreferredResources()
	if err != nil {
		return nil, err
	}
	leaving, err := namespacesThatLeave(ctx)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, resource := range list.APIResources {
			if !slices.Contains(resource.Verbs, "list") || slices.Contains(transient, resource.Name) {
				continue
			}
			objects, err := reader.Resource(version.WithResource(resource.Name)).List(ctx, metav1.ListOptions{})
			if apierrors.IsNotFound(err) { // a CustomResourceDefinition that has just gone
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", resource.Name, err)
			}
			for _, object := range objects.Items {
				if !leaving[object.Namespace] && (resource.Name != "namespaces" || !leaving[object.Name]) {
					found[strings.TrimPrefix(fmt.Sprintf("%s %s/%s", resource.Name, object.Namespace, object.Name), " ")] = true
				}
			}
		}
	}
	return found, nil
}

func namespacesThatLeave(ctx context.Context) (map[string]bool, error) {
	namespaces := &corev1.NamespaceList{}
	if err := admin.List(ctx, namespaces); err != nil {
		return nil, err
	}
	leaving := map[string]bool{}
	for _, namespace := range namespaces.Items {
		leaving[namespace.Name] = namespace.DeletionTimestamp != nil
	}
	return leaving, nil
}

// takeInventory is inventory for a test.
func takeInventory(t *testing.T) map[string]bool {
	t.Helper()
	found, err := inventory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// awaitNothingBut waits until the cluster holds nothing that was not there before: what is deleted takes the garbage
// collector and the kubelet a moment.
func awaitNothingBut(t *testing.T, before map[string]bool) {
	t.Helper()
	eventually(t, "nothing is in the cluster that was not there before", func(ctx context.Context) (bool, string) {
		now, err := inventory(ctx)
		if err != nil {
			return false, err.Error()
		}
		maps.DeleteFunc(now, func(object string, _ bool) bool { return before[object] })
		return len(now) == 0, strings.Join(slices.Sorted(maps.Keys(now)), "\n")
	})
}
