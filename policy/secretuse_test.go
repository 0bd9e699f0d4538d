package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSecrets(t *testing.T) {
	t.Parallel()
	source := Compile(ConfigMap{Namespace: "dev", Name: "runner-jobs", Data: map[string]string{"policy.yaml": `
apiVersion: quartermaster.dev/v1alpha1
kind: JobPolicy
name: a
match: {}
inject:
  secrets:
  - {name: dev-api-key, preset: scaleway}
  - {name: all, mountPath: /etc/all}
  - {name: file, mountPath: /etc/file/x, subPath: x}
  - {name: npm, mountPath: /etc/npm, items: [{key: npmrc, path: .npmrc}], optional: true}
  env:
  - {name: PLAIN, value: x}
  - {name: TOKEN, valueFrom: {secretKeyRef: {name: npm, key: token}}}
  - {name: KEY, valueFrom: {secretKeyRef: {name: dev-api-key, key: access}}}
---
apiVersion: quartermaster.dev/v1alpha1
kind: JobPolicy
name: b
match: {}
inject:
  secrets:
  - {name: other, preset: kubeconfig}
`}})
	if HasErrors(source.Problems) {
		t.Fatal(source.Problems)
	}
	want := []SecretUse{
		{Name: "dev-api-key", Keys: []string{"access", "config.yaml"}},
		{Name: "all"},
		{Name: "file", Keys: []string{"x"}},
		{Name: "npm", Keys: []string{"npmrc"}, Optional: true},
		{Name: "npm", Keys: []string{"token"}},
	}
	if diff := cmp.Diff(want, NewSet("dev", nil, source).Secrets("dev/runner-jobs policy.yaml a")); diff != "" {
		t.Error(diff)
	}
}
