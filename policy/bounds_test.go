package policy_test

import (
	"fmt"
	"strings"
	"testing"

	"quartermaster.dev/policy"
)

// TestWhatIsSaidIsBounded has documents as large as a ConfigMap may be: nobody
// may stall the server, or fill a log, with one.
func TestWhatIsSaidIsBounded(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: quartermaster.dev/v1alpha1\nkind: JobPolicy\n"
	var unknown, unselected, listed, documents strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&unknown, "field%d: 1\n", i)
		fmt.Fprintf(&unselected, "    key%d/x: 1\n", i)
		listed.WriteString("  - {nme: a}\n")
		documents.WriteString("---\nkind: X\n")
	}
	for name, data := range map[string]string{
		"unknown fields": head + unknown.String(),
		"a mapping":      head + "match: {}\ninject:\n  nodeSelector:\n" + unselected.String(),
		"a list":         head + "match: {}\ninject:\n  secrets:\n" + listed.String(),
		"documents":      documents.String(),
		"one name":       head + "match: {}\nname: " + strings.Repeat("x", 900_000) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, system := range []bool{false, true} {
				source := policy.Compile(policy.ConfigMap{Namespace: "dev", Name: "big", System: system, Data: map[string]string{"policy.yaml": data}})
				if !source.Broken() || len(source.Problems) > 51 {
					t.Errorf("broken: %v, %d problems", source.Broken(), len(source.Problems))
				}
				d := policy.Decide(jobRequest(), policy.NewSet("dev", nil, source))
				if said := d.Message(); d.Outcome != policy.Refused || len(said) > 50_000 {
					t.Errorf("%s, with a message of %d bytes", d.Outcome, len(said))
				}
			}
		})
	}
}

func jobRequest() policy.Request {
	return policy.Request{Namespace: "dev", Pod: &policy.Pod{
		Metadata: policy.Metadata{Labels: map[string]string{policy.DefaultJobLabel: "x"}},
		Spec:     policy.PodSpec{Containers: []policy.Container{{Name: "build"}, {Name: "helper"}}},
	}}
}

// TestSlipsThatWouldChangeWhoIsMeant are written one way and read another.
func TestSlipsThatWouldChangeWhoIsMeant(t *testing.T) {
	t.Parallel()
	for match, want := range map[string]string{
		"{projectIDs: [010]}":       "error: match.projectIDs[0]: is a number in another notation; write it in decimal digits alone\n",
		"{projectIDs: [0x4D]}":      "error: match.projectIDs[0]: is a number in another notation; write it in decimal digits alone\n",
		"{projectIDs: [1_000]}":     "error: match.projectIDs[0]: is a number in another notation; write it in decimal digits alone\n",
		"{projectIDs: [!!int '7']}": "error: match.projectIDs[0]: has a YAML tag, and tags are not read; take out what begins with an exclamation mark, or put the value in quotes\n",
		"{createdBy: [{kind: Group, name: 'system:authenticated'}], podSelector: {matchLabels: {a: b}}}": "error: match.podSelector: is not enough for a policy that hands out a credential: job authors can influence labels; add projectIDs, rootNamespaceIDs, runnerNames or createdBy, or write `match: {}` to mean every job pod of the namespace\n" +
			"warning: match.createdBy[0]: is hardly a condition: every service account of the namespace is in the group system:authenticated; name the runner's service account, or write `match: {}` to mean every job pod of the namespace\n",
		"{createdBy: [{kind: Group, name: 'system:serviceaccounts:runners'}], podSelector: {matchLabels: {a: b}}}": "",
	} {
		if got := said("apiVersion: quartermaster.dev/v1alpha1\nkind: JobPolicy\nmatch: " + match + "\ninject: {secrets: [{name: a, mountPath: /a}]}\n"); got != want {
			t.Errorf("%s:\ngot  %swant %s", match, got, want)
		}
	}
}

// TestASlipTellsNoValue has values of variables that YAML takes for something
// else: what is said of them ends up in job logs.
func TestASlipTellsNoValue(t *testing.T) {
	t.Parallel()
	for _, env := range []string{
		"[{name: A, value: x,hunter2}]", "[{name: A, value: *hunter2}]", "[{name: A, value: !hunter2 x}]",
		"[{name: A=hunter2}]", "[{name: A=hunter2, value: x}]", "[{name: A, value: {hunter2}}]", "[{name: A, value: [hunter2]}]",
	} {
		got := said("apiVersion: quartermaster.dev/v1alpha1\nkind: JobPolicy\nmatch: {}\ninject: {env: " + env + "}\n")
		if got == "" || strings.Contains(got, "hunter2") {
			t.Errorf("%s: said %q", env, got)
		}
	}
}

// TestWhatIsBrokenIsClosed has broken documents of the system namespace, of
// which nobody knows whether they are about the namespace prod.
func TestWhatIsBrokenIsClosed(t *testing.T) {
	t.Parallel()
	const allow = "allow: {secretNames: [a]}\n"
	for _, data := range []string{
		"kind: Guardrail\nnamespaces: [a]\nnamespaces: [prod]\n" + allow,
		"kind: Guardrail\nnamespaces: [a]\nNamespaces: [prod]\n" + allow,
		"kind: Guardrail\nmatch: {namespaces: [a]}\n" + allow,
		"kind: JobPolicy\nmatch: {namespaces: [a]}\nmatch: {namespaces: [prod]}\ninject: {}\n",
		"kind: JobPolicy\nnamespaces: [a]\nmatch: {namespace: [prod]}\ninject: {}\n",
		"kind: Guardrial\nnamespaces: [a]\n" + allow,
	} {
		source := policy.Compile(policy.ConfigMap{Namespace: "quartermaster", Name: "x", System: true,
			Data: map[string]string{"policy.yaml": "apiVersion: quartermaster.dev/v1alpha1\n" + data}})
		request := jobRequest()
		request.Namespace = "prod"
		if d := policy.Decide(request, policy.NewSet("prod", policy.NewSystem(source))); d.Outcome != policy.Refused {
			t.Errorf("%s under\n%s", d.Outcome, data)
		}
	}
}
