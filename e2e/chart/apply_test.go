package chart_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"quartermaster.dev/e2e/cluster"
	"quartermaster.dev/e2e/internal/build"
)

// TestTheAPIServerTakesEveryCombination is `kubectl create --dry-run=server --validate=strict` for each certificate mode
// with each combination of optional parts, hooks included.
func TestTheAPIServerTakesEveryCombination(t *testing.T) {
	t.Parallel()
	if err := plane.Namespace(t.Context(), namespace, nil); err != nil {
		t.Fatal(err)
	}
	taken := map[string]bool{} // what is rendered alike is not asked about again
	for _, c := range combinations(t) {
		for _, object := range c.all() {
			text, err := object.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			if taken[string(text)] {
				continue
			}
			taken[string(text)] = true
			if err := dryRun(t, object); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
	if len(taken) < 40 {
		t.Errorf("only %d objects were asked about", len(taken))
	}
}

// TestTheAPIServerTakesFurtherValues is the same for values that are lists and mappings.
func TestTheAPIServerTakesFurtherValues(t *testing.T) {
	t.Parallel()
	const namespace = "further"
	if err := plane.Namespace(t.Context(), namespace, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range everything(t, placement, map[string]any{
		"image":               map[string]any{"digest": "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"},
		"podDisruptionBudget": map[string]any{"minAvailable": "50%"},
		"networkPolicy": map[string]any{"metricsFrom": []any{map[string]any{
			"namespaceSelector": map[string]any{"matchLabels": map[string]any{"kubernetes.io/metadata.name": "monitoring"}},
		}}},
		"serviceMonitor": map[string]any{"interval": "1m", "labels": map[string]any{"release": "prometheus"}},
		"prometheusRule": map[string]any{"labels": map[string]any{"release": "prometheus"}},
		"webhook": map[string]any{"port": 10250, "namespaceSelector": map[string]any{"matchExpressions": []any{
			map[string]any{"key": "ci", "operator": "In", "values": []any{"a", "b"}},
		}}},
	}) {
		for _, object := range c.all() {
			if object.GetNamespace() != "" {
				object.SetNamespace(namespace)
			}
			if err := dryRun(t, object); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
}

// TestTheAPIServerTakesTheManifest is the same for manifests/install.yaml.
func TestTheAPIServerTakesTheManifest(t *testing.T) {
	t.Parallel()
	root, err := build.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "manifests", "install.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := cluster.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	if objects[0].GetKind() != "Namespace" {
		t.Errorf("the first object is a %s, and not the namespace of all others", objects[0].GetKind())
	}
	// The others are not taken without it, and a dry run creates none.
	if err := plane.Namespace(t.Context(), "quartermaster", nil); err != nil {
		t.Fatal(err)
	}
	for _, object := range objects[1:] {
		if object.GetNamespace() != "" && object.GetNamespace() != "quartermaster" {
			t.Errorf("%s %s is in namespace %q", object.GetKind(), object.GetName(), object.GetNamespace())
		}
		for key := range object.GetLabels() {
			if key == "helm.sh/chart" || key == "app.kubernetes.io/managed-by" {
				t.Errorf("%s %s carries the label %s", object.GetKind(), object.GetName(), key)
			}
		}
		if err := dryRun(t, object); err != nil {
			t.Error(err)
		}
	}
}

// dryRun asks the API server to create an object, without doing so.
func dryRun(t *testing.T, object *unstructured.Unstructured) error {
	t.Helper()
	err := plane.Client.Create(t.Context(), object.DeepCopy(), client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))
	if err != nil {
		return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
	}
	return nil
}
