package e2e

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const goodPolicy = `apiVersion: quartermaster.dev/v1alpha1
kind: JobPolicy
match: {}
inject:
  nodeSelector: {pool: dev}
`

// heard keeps the warnings that kubectl would print.
type heard struct {
	mu    sync.Mutex
	lines []string
}

// HandleWarningHeader implements rest.WarningHandler.
func (h *heard) HandleWarningHeader(_ int, _, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, text)
}

// as is a client of a user, and what that user is warned of.
func as(t *testing.T, user string, groups ...string) (client.Client, *heard) {
	t.Helper()
	config, warnings := rest.CopyConfig(plane.Config), &heard{}
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups}
	config.WarningHandler = warnings
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c, warnings
}

// eventually waits until the condition holds, and fails the test with what it last said.
func eventually(t *testing.T, condition func(ctx context.Context) string) {
	t.Helper()
	last := ""
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		last = condition(ctx)
		return last == "", nil
	})
	if err != nil {
		t.Fatalf("%v; at last: %s", err, last)
	}
}

func TestABrokenPolicyIsRefusedWhereItIsWritten(t *testing.T) {
	t.Parallel()
	ns := namespace(t, nil)
	admin, warnings := as(t, "admin", "system:masters")
	err := admin.Create(t.Context(), policyMap(ns, "typo", strings.Replace(goodPolicy, "nodeSelector", "nodeselector", 1)))
	want := ns + `/typo policy.yaml: inject.nodeselector: unknown field; did you mean "nodeSelector"?`
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	good := policyMap(ns, "runner-jobs", goodPolicy)
	if err := admin.Create(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	good.Data["policy.yaml"] += "  tolerations: [{key: a, operator: Exists, value: b}]\n"
	if err := admin.Update(t.Context(), good); !apierrors.IsForbidden(err) {
		t.Errorf("an update that breaks it: %v", err)
	}
	other := policyMap(ns, "other", strings.Replace(goodPolicy, "pool: dev", "pool: prod", 1))
	if err := admin.Create(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	conflict := ns + `/runner-jobs policy.yaml: a pod that this and ` + ns + `/other policy.yaml match is refused: node selector pool: ` +
		`the policy wants "dev" and ` + ns + `/other policy.yaml wants "prod"; make them equal, or let only one of the two policies match`
	if diff := cmp.Diff([]string{conflict}, warnings.lines); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestTakingAPolicyAwayAlwaysPasses(t *testing.T) {
	t.Parallel()
	ns := namespace(t, nil)
	writer := mayOnlyWriteConfigMaps(t, ns)
	for _, name := range []string{"to-unlabel", "to-delete"} {
		writePolicy(t, ns, name, goodPolicy)
	}
	if pod := mustCreate(t, jobPod(ns)); pod.Spec.NodeSelector["pool"] != "dev" {
		t.Fatalf("the policies do not count: the pod has the node selector %v", pod.Spec.NodeSelector)
	}
	unlabel := []byte(`{"metadata":{"labels":{"quartermaster.dev/policy":null}},"data":{"policy.yaml":"broken"}}`)
	if err := writer.Patch(t.Context(), policyMap(ns, "to-unlabel", ""), client.RawPatch(types.MergePatchType, unlabel)); err != nil {
		t.Error(err)
	}
	if err := writer.Delete(t.Context(), policyMap(ns, "to-delete", "")); err != nil {
		t.Error(err)
	}
	if err := installed.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if pod := mustCreate(t, jobPod(ns)); len(pod.Spec.NodeSelector) > 0 || len(pod.Annotations) > 0 {
		t.Errorf("without a policy the pod has the node selector %v and the annotations %v", pod.Spec.NodeSelector, pod.Annotations)
	}
}

// mayOnlyWriteConfigMaps is a client of a user who may do all with ConfigMaps and nothing with pods.
func mayOnlyWriteConfigMaps(t *testing.T, ns string) client.Client {
	t.Helper()
	grant(t, ns, "writer", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"*"}})
	c, _ := as(t, "writer")
	return c
}

func grant(t *testing.T, ns, user string, rule rbacv1.PolicyRule) {
	t.Helper()
	name := user + "-" + rule.Resources[0]
	for _, o := range []client.Object{
		&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}, Rules: []rbacv1.PolicyRule{rule}},
		&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
			Subjects:   []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: user}},
		},
	} {
		if err := plane.Client.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOnlyWhoMayCreatePodsMayWriteAPolicy(t *testing.T) {
	t.Parallel()
	ns := namespace(t, nil)
	writer := mayOnlyWriteConfigMaps(t, ns)
	// The API server takes up an admission policy some time after it was applied.
	eventually(t, func(ctx context.Context) string {
		err := writer.Create(ctx, policyMap(ns, "runner-jobs", goodPolicy), client.DryRunAll)
		if want := "takes the right to create pods there, which writer does not have"; !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), want) {
			return "a policy is not refused: " + errorText(err)
		}
		return ""
	})
	plain := policyMap(ns, "plain", goodPolicy)
	plain.Labels = nil
	if err := writer.Create(t.Context(), plain); err != nil {
		t.Errorf("a ConfigMap that is no policy: %v", err)
	}
	plain.Labels = map[string]string{"quartermaster.dev/policy": "true"}
	if err := writer.Update(t.Context(), plain, client.DryRunAll); !apierrors.IsForbidden(err) {
		t.Errorf("labelling it: %v", err)
	}
	if err := plane.Client.Create(t.Context(), policyMap(ns, "runner-jobs", goodPolicy)); err != nil {
		t.Fatal(err)
	}
	touch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":[]}}`))
	if err := writer.Patch(t.Context(), policyMap(ns, "runner-jobs", ""), touch); err != nil {
		t.Errorf("a change that leaves the policy as it is: %v", err)
	}
	grant(t, ns, "writer", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"create"}})
	eventually(t, func(ctx context.Context) string {
		return errorText(writer.Create(ctx, policyMap(ns, "another", goodPolicy), client.DryRunAll))
	})
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestWhatBecomesOfAPolicyIsToldAsEvents(t *testing.T) {
	t.Parallel()
	ns := namespace(t, nil)
	writePolicy(t, ns, "runner-jobs", goodPolicy)
	rail := policyMap(installed.Namespace, ns, `apiVersion: quartermaster.dev/v1alpha1
kind: Guardrail
namespaces: [`+ns+`]
allow: {nodeSelector: {pool: [prod]}}
`)
	admin, warnings := as(t, "admin", "system:masters")
	if err := admin.Create(t.Context(), rail); err != nil {
		t.Fatal(err)
	}
	broken := ns + `/runner-jobs policy.yaml: inject.nodeSelector[pool]: %snode selector pool of "dev" is not allowed by the guardrail quartermaster/` + ns + ` policy.yaml; allowed: prod`
	if diff := cmp.Diff([]string{strings.Replace(broken, "%s", "becomes broken: ", 1)}, warnings.lines); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	broken = strings.Replace(broken, "%s", "", 1)
	eventually(t, hasEvent(ns, "PolicyBroken", broken))
	if err := plane.Client.Create(t.Context(), jobPod(ns)); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), broken) {
		t.Errorf("a job under the broken policy: %v", err)
	}
	eventually(t, hasEvent(ns, "JobRefused", "pod "+ns+"/runner-job: "))
	if err := plane.Client.Delete(t.Context(), rail); err != nil {
		t.Fatal(err)
	}
	eventually(t, hasEvent(ns, "PolicyRecovered", "in force again"))
	if pod := mustCreate(t, jobPod(ns)); pod.Spec.NodeSelector["pool"] != "dev" {
		t.Errorf("a job under the policy that recovered has the node selector %v", pod.Spec.NodeSelector)
	}
}

// hasEvent waits for an Event on the ConfigMap runner-jobs.
func hasEvent(ns, reason, text string) func(context.Context) string {
	return func(ctx context.Context) string {
		var events corev1.EventList
		if err := plane.Client.List(ctx, &events, client.InNamespace(ns)); err != nil {
			return err.Error()
		}
		for _, e := range events.Items {
			if e.Reason == reason && strings.Contains(e.Message, text) && e.InvolvedObject.Name == "runner-jobs" && e.InvolvedObject.Kind == "ConfigMap" && e.InvolvedObject.UID != "" {
				return ""
			}
		}
		return "no Event " + reason + " with " + text
	}
}
