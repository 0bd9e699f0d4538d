package release_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"quartermaster.dev/e2e/release"
)

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
