package chart_test

import (
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

// TestNotes: what Helm prints names the next command to type, and what is still missing.
func TestNotes(t *testing.T) {
	t.Parallel()
	withoutBundle := loader.MergeMaps(certificates("provided"), map[string]any{"certificates": map[string]any{
		"provided": map[string]any{"secretName": "own-certificate"},
	}})
	withoutBundle["certificates"].(map[string]any)["provided"].(map[string]any)["caBundle"] = ""
	const waiting = "kubectl -n ops wait --for=condition=Ready certificate/qm-quartermaster-tls"
	for name, test := range map[string]struct {
		values     map[string]any
		want, none []string
	}{
		"builtin":            {certificates("builtin"), nil, []string{"NO CA BUNDLE", waiting}},
		"cert-manager":       {certificates("cert-manager"), []string{waiting}, []string{"NO CA BUNDLE"}},
		"provided":           {certificates("provided"), []string{"kubectl -n ops get secret own-certificate"}, []string{"NO CA BUNDLE", waiting}},
		"provided, no trust": {withoutBundle, []string{"NO CA BUNDLE"}, []string{waiting}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rendered, err := render(test.values)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range append(test.want, "helm test qm -n ops", "kubectl -n ops rollout status deployment/qm-quartermaster") {
				if !strings.Contains(rendered.Notes, want) {
					t.Errorf("%q is missing in\n%s", want, rendered.Notes)
				}
			}
			for _, none := range test.none {
				if strings.Contains(rendered.Notes, none) {
					t.Errorf("%q stands in\n%s", none, rendered.Notes)
				}
			}
		})
	}
}
