//go:build promtool

package chart_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"quartermaster.dev/e2e/internal/build"
)

// rulesFile writes the rules of a combination as Prometheus reads them, and returns the file.
func rulesFile(t *testing.T, c *combination) string {
	t.Helper()
	rules := c.of("PrometheusRule")
	if len(rules) != 1 {
		t.Fatalf("%s: %d PrometheusRules", c.name, len(rules))
	}
	spec, _, err := unstructured.NestedMap(rules[0].Object, "spec")
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func promtool(t *testing.T, args ...string) {
	t.Helper()
	dir, err := build.Promtool(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(dir, "promtool"), args...).CombinedOutput()
	if err != nil {
		t.Errorf("promtool %v: %v\n%s", args, err, out)
	}
}

// TestPromtoolChecksTheRules is `promtool check rules`, in each certificate mode.
func TestPromtoolChecksTheRules(t *testing.T) {
	t.Parallel()
	for _, c := range everything(t) {
		promtool(t, "check", "rules", "--lint=all", "--lint-fatal", rulesFile(t, c))
	}
}

// TestPromtoolTestsTheRules plays good and bad days to the rules: testdata/alerts.yaml says which alerts fire on them. The
// rules are those of mode builtin, which has the most.
func TestPromtoolTestsTheRules(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("testdata", "alerts.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range everything(t) {
		if c.mode != "builtin" {
			continue
		}
		rules := rulesFile(t, c)
		days := filepath.Join(filepath.Dir(rules), "alerts.yaml") // which names the file beside it
		if err := os.WriteFile(days, text, 0o600); err != nil {
			t.Fatal(err)
		}
		promtool(t, "test", "rules", days)
	}
}
