package release_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"quartermaster.dev/e2e/release"
)

// TestLint is `helm lint --strict`.
func TestLint(t *testing.T) {
	dir, err := release.ChartDir()
	if err != nil {
		t.Fatal(err)
	}
	version, err := common.ParseKubeVersion(release.DefaultKubeVersion)
	if err != nil {
		t.Fatal(err)
	}
	for _, message := range lint.RunAll(dir, nil, "quartermaster", lint.WithKubeVersion(version)).Messages {
		if message.Severity >= support.WarningSev {
			t.Error(message)
		}
	}
}

func TestValuesThatAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		values map[string]any
		want   string
	}{
		"unknown":        {map[string]any{"replica": 3}, "'replica' not allowed"},
		"unknown nested": {map[string]any{"webhook": map[string]any{"failurePolicy": "Ignore"}}, "'failurePolicy' not allowed"},
		"wrong type":     {map[string]any{"replicas": "two"}, "replicas"},
		"out of range":   {map[string]any{"webhook": map[string]any{"timeoutSeconds": 31}}, "timeoutSeconds"},
		"no label":       {map[string]any{"jobLabel": "a b"}, "jobLabel"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := release.Render(release.Options{Values: test.values})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one that says %q", err, test.want)
			}
		})
	}
}

func TestOldKubernetesIsRefused(t *testing.T) {
	if _, err := release.Render(release.Options{KubeVersion: "v1.29.9"}); err == nil {
		t.Error("rendered for Kubernetes 1.29")
	}
	// Managed clusters add a suffix that semantic versions read as a pre-release.
	if _, err := release.Render(release.Options{KubeVersion: "v1.30.0-eks-1"}); err != nil {
		t.Error(err)
	}
}

func TestRenderLeavesTheValuesAlone(t *testing.T) {
	values := map[string]any{"webhook": map[string]any{"timeoutSeconds": 7}}
	if _, err := release.Render(release.Options{Values: values}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"webhook": map[string]any{"timeoutSeconds": 7}}, values); diff != "" {
		t.Error(diff)
	}
}

// TestRules is the whole of what the server may do, so that nobody adds a right, or a "*", unseen.
func TestRules(t *testing.T) {
	objects, err := release.Render(release.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []any{
		map[string]any{"apiGroups": []any{""}, "resources": []any{"configmaps"}, "verbs": []any{"list", "watch"}},
		map[string]any{"apiGroups": []any{""}, "resources": []any{"events"}, "verbs": []any{"create", "patch"}},
	}
	roles := 0
	for _, object := range objects {
		if !strings.HasSuffix(object.GetKind(), "Role") {
			continue
		}
		roles++
		rules, _, err := unstructured.NestedSlice(object.Object, "rules")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, rules); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", object.GetKind(), object.GetName(), diff)
		}
	}
	if roles != 1 {
		t.Errorf("%d roles, want 1", roles)
	}
}

// TestRegistration holds the webhook configuration against the words of the design.
func TestRegistration(t *testing.T) {
	objects, err := release.Render(release.Options{
		Name: "qm", Namespace: "ops",
		Values: map[string]any{
			"jobLabel":     "pod",
			"certificates": map[string]any{"caBundle": "Q0E="},
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
