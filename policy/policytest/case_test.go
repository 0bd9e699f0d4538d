package policytest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recorder is a test that notes its failures.
type recorder struct {
	testing.TB
	failures []string
}

func (r *recorder) Helper()           {}
func (r *recorder) Error(args ...any) { r.failures = append(r.failures, fmt.Sprint(args...)) }
func (r *recorder) Errorf(f string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(f, args...))
}

const (
	goodPolicy  = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels: {quartermaster.dev/policy: \"true\"}\ndata: {}\n"
	goodRequest = "namespace: dev\nuser: system:serviceaccount:dev:runner\npod: {metadata: {name: a}}\n"
)

func TestLoadFailsForACaseThatIsNotWhole(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		files map[string]string
		want  string
	}{
		"nothing":              {nil, "a case holds either review.json or request.yaml"},
		"no policy":            {map[string]string{requestFile: goodRequest}, "policy.yaml is missing"},
		"two requests":         {map[string]string{requestFile: goodRequest, reviewFile: "{}", policyFile: goodPolicy}, "a case holds either review.json or request.yaml"},
		"a stray file":         {map[string]string{requestFile: goodRequest, policyFile: goodPolicy, "want.yml": ""}, "a case holds no want.yml: remove it"},
		"an unknown field":     {map[string]string{requestFile: goodRequest + "users: a\n", policyFile: goodPolicy}, `unknown field "users"`},
		"neither nor":          {map[string]string{requestFile: "user: a\n", policyFile: goodPolicy}, "name either a review or a pod"},
		"a pod without user":   {map[string]string{requestFile: "namespace: dev\npod: {}\n", policyFile: goodPolicy}, "a pod goes with its namespace and user"},
		"a patch that is none": {map[string]string{requestFile: goodRequest + "patch: [{op: remove, path: /nothing}]\n", policyFile: goodPolicy}, "/nothing"},
		"no label":             {map[string]string{requestFile: goodRequest, policyFile: strings.Replace(goodPolicy, "quartermaster.dev/policy", "policy", 1)}, "must hold labelled ConfigMaps"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, text := range tt.files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			r := &recorder{TB: t}
			if _, ok := load(r, dir); ok || !strings.Contains(strings.Join(r.failures, "\n"), tt.want) {
				t.Errorf("load says %q, and not %q", r.failures, tt.want)
			}
		})
	}
}

func TestLoadBuildsAReviewAroundAPod(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for file, text := range map[string]string{requestFile: goodRequest + "patch: [{op: add, path: /metadata/labels, value: {a: b}}]\n", policyFile: goodPolicy} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, ok := load(t, dir)
	if !ok {
		t.Fatal("not loaded")
	}
	if c.Namespace != "dev" || c.User != "system:serviceaccount:dev:runner" || c.Groups[1] != "system:serviceaccounts:dev" || len(c.ConfigMaps) != 1 {
		t.Errorf("loaded as %+v", c)
	}
	if pod := c.Request(t).Pod; pod.Metadata.Labels["a"] != "b" {
		t.Errorf("the pod is %s", c.Object)
	}
	r := &recorder{TB: t}
	if Check(r, &c, Answer{Refusal: "no"}); len(r.failures) == 0 {
		t.Error("Check passes without want.yaml")
	}
	c.Want = Answer{Refusal: "no"}.marshal(t)
	if message, refused := c.Refused(); message != "no" || !refused {
		t.Errorf("Refused is %q, %v", message, refused)
	}
	Check(t, &c, Answer{Refusal: "no"})
	r = &recorder{TB: t}
	if Check(r, &c, Answer{Refusal: "yes"}); len(r.failures) == 0 {
		t.Error("Check passes for another message")
	}
}
