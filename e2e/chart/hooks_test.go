package chart_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"quartermaster.dev/policy"
)

// TestHooksLeaveNothing: what belongs to no release is removed by nobody else, whether the hook succeeds or fails.
func TestHooksLeaveNothing(t *testing.T) {
	t.Parallel()
	for _, c := range combinations(t) {
		for _, object := range c.Hooks {
			policies := object.GetAnnotations()["helm.sh/hook-delete-policy"]
			if want := "before-hook-creation,hook-succeeded,hook-failed"; policies != want {
				t.Errorf("%s: %s %s is deleted %q, want %q", c.name, object.GetKind(), object.GetName(), policies, want)
			}
		}
		for _, object := range c.of("Job") {
			if !slices.ContainsFunc(c.Hooks, named(object.GetName())) {
				t.Errorf("%s: Job %s is no hook, so that it could not be upgraded", c.name, object.GetName())
			}
			job := decode[batchv1.Job](t, object)
			if job.Spec.BackoffLimit == nil || *job.Spec.BackoffLimit != 0 || job.Spec.ActiveDeadlineSeconds == nil || job.Spec.Template.Spec.RestartPolicy != corev1.RestartPolicyNever {
				t.Errorf("%s: Job %s is tried again, or does not end by itself", c.name, object.GetName())
			}
			if !strings.Contains(object.GetAnnotations()["helm.sh/hook-output-log-policy"], "hook-failed") {
				t.Errorf("%s: nobody sees why Job %s failed", c.name, object.GetName())
			}
		}
	}
}

// TestWhatTheHooksDo holds the commands of the hooks against what they need.
func TestWhatTheHooksDo(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"pre-upgrade": {"/usr/local/bin/quartermaster", "lint", "--from-cluster", "--all-namespaces", "--severity=error", "--system-namespace=" + namespace},
		"pre-delete": {
			"/usr/local/bin/quartermaster-certs", "remove",
			"--mutating-webhook-configuration=" + fullName, "--validating-webhook-configuration=" + fullName,
		},
		"test": {
			"/usr/local/bin/quartermaster", "check", "--namespace=default", "--job-label=job.runner.gitlab.com/pod",
			"--label=quartermaster.dev/test=" + fullName + "-test", "--expect=" + namespace + "/" + fullName + "-test", "--timeout=30s",
		},
	}
	accounts := map[string]string{"pre-upgrade": fullName + "-lint", "pre-delete": fullName + "-uninstall", "test": fullName + "-test"}
	for _, c := range everything(t) {
		got, under := map[string][]string{}, map[string]string{}
		for _, object := range c.of("Job") {
			hook, spec := object.GetAnnotations()["helm.sh/hook"], podTemplate(t, object).Spec
			got[hook] = slices.Concat(spec.Containers[0].Command, spec.Containers[0].Args)
			under[hook] = spec.ServiceAccountName
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: commands (-want +got):\n%s", c.name, diff)
		}
		if diff := cmp.Diff(accounts, under); diff != "" {
			t.Errorf("%s: accounts (-want +got):\n%s", c.name, diff)
		}
	}
}

// TestThePolicyOfHelmTest is good, is for the pod of the test alone, and hands out no credential.
func TestThePolicyOfHelmTest(t *testing.T) {
	t.Parallel()
	for _, c := range everything(t) {
		for _, object := range c.of("ConfigMap") {
			cm := decode[corev1.ConfigMap](t, object)
			source := policy.Compile(policy.ConfigMap{Namespace: cm.Namespace, Name: cm.Name, Data: cm.Data, System: true})
			if len(source.Problems) > 0 {
				t.Errorf("%s: %v", c.name, source.Problems)
			}
			const job = "job.runner.gitlab.com/pod"
			decide := func(labels map[string]string) policy.Decision {
				pod := &policy.Pod{Metadata: policy.Metadata{Labels: labels}}
				pod.Spec.Containers = []policy.Container{{Name: "build"}}
				return policy.Decide(policy.Request{Namespace: "default", Pod: pod}, policy.NewSet("default", policy.NewSystem(source)))
			}
			decision := decide(map[string]string{job: "x", "quartermaster.dev/test": fullName + "-test"})
			if decision.Outcome != policy.Equipped {
				t.Errorf("%s: the test's pod is %s: %s", c.name, decision.Outcome, decision.Message())
			}
			for _, addition := range decision.Additions {
				if addition.Parent != "/spec/nodeSelector" && addition.Parent != "/metadata/annotations" {
					t.Errorf("%s: the test's pod is given something at %s", c.name, addition.Parent)
				}
			}
			if other := decide(map[string]string{job: "x"}); other.Outcome != policy.Untouched {
				t.Errorf("%s: another pod is %s", c.name, other.Outcome)
			}
		}
	}
}
