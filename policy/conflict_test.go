package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"quartermaster.dev/policy"
)

// TestConflictsAreFoundWhereTheyAreWritten has policies of one namespace that
// refuse every plain pod: by themselves, or beside another that can match it.
func TestConflictsAreFoundWhereTheyAreWritten(t *testing.T) {
	t.Parallel()
	kubeconfig := "secrets: [{name: a, preset: kubeconfig}]\nenv: [{name: KUBECONFIG, value: /x}]"
	tests := map[string]struct {
		matches, injects [2]string
		want             string
	}{
		"none":               {[2]string{"{}", "{}"}, [2]string{"env: []", "env: []"}, ""},
		"in one":             {[2]string{"{}", "{}"}, [2]string{kubeconfig, "env: []"}, "dev/p0 p.yaml: a plain job pod that this matches is refused: the variable KUBECONFIG is set to something else by dev/p0 p.yaml; let only one of the two set it, or only one of the two policies match\n"},
		"on Windows":         {[2]string{"{}", "{}"}, [2]string{"secrets: [{name: a, preset: aws}]", "nodeSelector: {kubernetes.io/os: windows}"}, "dev/p0 p.yaml: a pod that this and dev/p1 p.yaml match is refused: Secret \"a\" cannot be handed out: dev/p1 p.yaml sends the pod to nodes of Windows, and presets know the paths of Linux only; spell the Secret out with mountPath, or hand it to other jobs\n"},
		"between two":        {[2]string{"{}", "{}"}, [2]string{"env: [{name: A, value: a}]", "env: [{name: A, value: b}]"}, "dev/p1 p.yaml: a pod that this and dev/p0 p.yaml match is refused: the variable A is set to something else by dev/p0 p.yaml; let only one of the two set it, or only one of the two policies match\n"},
		"of other projects":  {[2]string{"{projectIDs: [1]}", "{projectIDs: [2]}"}, [2]string{"env: [{name: A, value: a}]", "env: [{name: A, value: b}]"}, ""},
		"of other creators":  {[2]string{"{createdBy: [{kind: User, name: a}]}", "{createdBy: [{kind: User, name: b}]}"}, [2]string{"env: [{name: A, value: a}]", "env: [{name: A, value: b}]"}, ""},
		"of groups, perhaps": {[2]string{"{createdBy: [{kind: Group, name: a}]}", "{createdBy: [{kind: Group, name: b}]}"}, [2]string{"nodeSelector: {a: b}", "nodeSelector: {a: c}"}, "dev/p1 p.yaml: a pod that this and dev/p0 p.yaml match is refused: node selector a: the policy wants \"c\" and dev/p0 p.yaml wants \"b\"; make them equal, or let only one of the two policies match\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sources []*policy.Source
			for i := range 2 {
				doc := strings.Replace(policyWith(tt.injects[i]), "match: {}", "match: "+tt.matches[i], 1)
				if strings.Contains(tt.injects[i], "nodeSelector") {
					doc = strings.Replace(doc, "  nodeSelector: {a: b}\n", "", 1)
				}
				sources = append(sources, policy.Compile(policy.ConfigMap{Namespace: "dev", Name: fmt.Sprint("p", i), Data: map[string]string{"p.yaml": doc}}))
			}
			var got strings.Builder
			for _, p := range policy.NewSet("dev", nil, sources...).Conflicts(nil) {
				if p.Severity != policy.Warning {
					t.Errorf("%s is a %s", p, p.Severity)
				}
				fmt.Fprintln(&got, p)
			}
			if diff := cmp.Diff(tt.want, got.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
