package chart_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"quartermaster.dev/e2e/release"
)

// The release that the tests render, so that no name is right by accident.
const (
	releaseName = "qm"
	fullName    = "qm-quartermaster"
	namespace   = "ops"
)

// modes are the certificate modes, each with what it takes.
var modes = map[string]map[string]any{
	"builtin":      nil,
	"cert-manager": nil,
	"provided":     {"provided": map[string]any{"secretName": "own-certificate", "caBundle": "Q0E="}},
}

// certificates are the values of a mode.
func certificates(mode string) map[string]any {
	return map[string]any{"certificates": loader.MergeMaps(modes[mode], map[string]any{"mode": mode})}
}

// parts are the switches of the chart.
var parts = []string{
	"podDisruptionBudget.enabled",
	"networkPolicy.enabled",
	"serviceMonitor.enabled",
	"prometheusRule.enabled",
	"upgradeCheck.enabled",
	"uninstallHook.enabled",
	"validation.enabled",
	"validation.writersMustCreatePods",
}

// switches are values that turn some of the parts on, those of the bits set, and the others off.
func switches(bits int) map[string]any {
	values := map[string]any{}
	for i, part := range parts {
		section, field, _ := strings.Cut(part, ".")
		values = loader.MergeMaps(values, map[string]any{section: map[string]any{field: bits&(1<<i) != 0}})
	}
	return values
}

// A combination is one way to install the chart, rendered.
type combination struct {
	name, mode string
	*release.Rendered
}

// all are the objects of the release and of its hooks.
func (c *combination) all() []*unstructured.Unstructured { return slices.Concat(c.Objects, c.Hooks) }

// of are the objects of a kind.
func (c *combination) of(kind string) []*unstructured.Unstructured {
	return slices.DeleteFunc(c.all(), func(o *unstructured.Unstructured) bool { return o.GetKind() != kind })
}

// render renders the chart for the tests' release, with later values over earlier ones.
func render(values ...map[string]any) (*release.Rendered, error) {
	var merged map[string]any
	for _, v := range values {
		merged = loader.MergeMaps(merged, v)
	}
	return release.RenderAll(release.Options{Name: releaseName, Namespace: namespace, Values: merged})
}

// combinations returns every certificate mode with every combination of parts, rendered once for all tests, which only
// read them.
func combinations(t *testing.T) []*combination {
	t.Helper()
	all, err := renderCombinations()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var renderCombinations = sync.OnceValues(func() ([]*combination, error) {
	var all []*combination
	for _, mode := range slices.Sorted(maps.Keys(modes)) {
		for bits := range 1 << len(parts) {
			rendered, err := render(certificates(mode), switches(bits))
			if err != nil {
				return nil, err
			}
			all = append(all, &combination{name: fmt.Sprintf("%s with parts %08b", mode, bits), mode: mode, Rendered: rendered})
		}
	}
	return all, nil
})

// everything renders each mode with all parts.
func everything(t *testing.T, values ...map[string]any) []*combination {
	t.Helper()
	var all []*combination
	for _, mode := range slices.Sorted(maps.Keys(modes)) {
		given := slices.Concat([]map[string]any{certificates(mode), switches(1<<len(parts) - 1)}, values)
		rendered, err := render(given...)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &combination{name: mode, mode: mode, Rendered: rendered})
	}
	return all
}

// TestSwitches holds the list of parts against the chart: a switch more would go untested.
func TestSwitches(t *testing.T) {
	t.Parallel()
	dir, err := release.ChartDir()
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := loader.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for section, fields := range loaded.Values {
		fields, _ := fields.(map[string]any)
		for field, standard := range fields {
			if _, ok := standard.(bool); ok {
				found = append(found, section+"."+field)
			}
		}
	}
	slices.Sort(found)
	if want := slices.Sorted(slices.Values(parts)); !slices.Equal(want, found) {
		t.Errorf("the chart's switches are %v, tested are %v", found, want)
	}
}
