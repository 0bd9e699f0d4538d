package chart_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"quartermaster.dev/e2e/release"
)

// TestRegistration holds the webhook configuration against the words of the design.
func TestRegistration(t *testing.T) {
	objects, err := release.Render(release.Options{
		Name: "qm", Namespace: "ops",
		Values: map[string]any{
			"jobLabel": "pod",
			"certificates": map[string]any{
				"mode": "provided", "provided": map[string]any{"secretName": "own", "caBundle": "Q0E="},
			},
			"webhook": map[string]any{"namespaceSelector": map[string]any{"matchExpressions": []any{
				map[string]any{"key": "ci", "operator": "Exists"},
			}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	webhook := func(name, label, failurePolicy string) any {
		return map[string]any{
			"name":                    name,
			"admissionReviewVersions": []any{"v1"},
			"clientConfig": map[string]any{
				"caBundle": "Q0E=",
				"service":  map[string]any{"name": "qm-quartermaster", "namespace": "ops", "path": "/mutate", "port": int64(443)},
			},
			"rules": []any{map[string]any{
				"apiGroups": []any{""}, "apiVersions": []any{"v1"}, "operations": []any{"CREATE"}, "resources": []any{"pods"},
				"scope": "Namespaced",
			}},
			"objectSelector": map[string]any{"matchExpressions": []any{
				map[string]any{"key": label, "operator": "Exists"},
			}},
			"namespaceSelector": map[string]any{"matchExpressions": []any{
				map[string]any{"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": []any{"kube-system", "kube-node-lease", "ops"}},
				map[string]any{"key": "quartermaster.dev/inject", "operator": "NotIn", "values": []any{"disabled"}},
				map[string]any{"key": "ci", "operator": "Exists"},
			}},
			"failurePolicy":      failurePolicy,
			"matchPolicy":        "Equivalent",
			"reinvocationPolicy": "IfNeeded",
			"sideEffects":        "None",
			"timeoutSeconds":     int64(5),
		}
	}
	want := []any{
		webhook("job.pods.quartermaster.dev", "pod", "Fail"),
		webhook("pause.pods.quartermaster.dev", "runner.gitlab.com/pause-pod", "Ignore"),
	}
	for _, object := range objects {
		if object.GetKind() == "MutatingWebhookConfiguration" {
			if diff := cmp.Diff(want, object.Object["webhooks"]); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			return
		}
	}
	t.Error("no MutatingWebhookConfiguration")
}
