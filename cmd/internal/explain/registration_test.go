package explain

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"quartermaster.dev/policy"
)

// ours is the webhook for jobs as the chart registers it.
func ours() Registered {
	return Registered{Configuration: "quartermaster", MutatingWebhook: admissionv1.MutatingWebhook{
		Name: "job.pods.quartermaster.dev",
		ObjectSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: policy.DefaultJobLabel, Operator: metav1.LabelSelectorOpExists},
		}},
		NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "kubernetes.io/metadata.name", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"kube-system"}},
			{Key: optOut, Operator: metav1.LabelSelectorOpNotIn, Values: []string{"disabled"}},
		}},
		Rules: []admissionv1.RuleWithOperations{{
			Operations: []admissionv1.OperationType{admissionv1.Create},
			Rule:       admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
		}},
		ClientConfig: admissionv1.WebhookClientConfig{
			CABundle: []byte("x"), Service: &admissionv1.ServiceReference{Namespace: "quartermaster", Name: "quartermaster"},
		},
	}}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	job := map[string]string{policy.DefaultJobLabel: "runner-abc"}
	dev := map[string]string{"kubernetes.io/metadata.name": "dev"}
	zero, one := 0, 1
	for name, c := range map[string]struct {
		change         func(*Registered)
		pod, namespace map[string]string
		asked          string
		why            []string
		unreachable    []string
	}{
		"as registered": {pod: job, namespace: dev, asked: yes},
		"a ready endpoint": {
			change: func(w *Registered) { w.Ready = &one }, pod: job, namespace: dev, asked: yes,
		},
		"no ready endpoint": {
			change: func(w *Registered) { w.Ready = &zero }, pod: job, namespace: dev, asked: yes,
			unreachable: []string{"its Service quartermaster/quartermaster has no ready endpoint"},
		},
		"no caBundle": {
			change: func(w *Registered) { w.ClientConfig.CABundle = nil }, pod: job, namespace: dev, asked: yes,
			unreachable: []string{"its caBundle is empty, so that the API server does not trust its certificate"},
		},
		"by URL, which the roots of the system may vouch for": {
			change: func(w *Registered) { w.ClientConfig = admissionv1.WebhookClientConfig{} }, pod: job, namespace: dev, asked: yes,
		},
		"no job label": {
			pod: map[string]string{"a": "b"}, namespace: dev, asked: no,
			why: []string{"the pod has no label job.runner.gitlab.com/pod, and the objectSelector wants it"},
		},
		"opted out": {
			pod: job, namespace: map[string]string{optOut: "disabled"}, asked: no,
			why: []string{`namespace "dev" has the label quartermaster.dev/inject=disabled, and the namespaceSelector wants quartermaster.dev/inject notin (disabled)`},
		},
		"a namespace of the system's": {
			pod: job, namespace: map[string]string{"kubernetes.io/metadata.name": "kube-system"}, asked: no,
			why: []string{`namespace "dev" has the label kubernetes.io/metadata.name=kube-system, and the namespaceSelector wants kubernetes.io/metadata.name notin (kube-system)`},
		},
		"a namespace that may not be read": {
			pod: job, asked: unknown, why: []string{"its namespaceSelector could not be held against the namespace's labels"},
		},
		"matchConditions": {
			change: func(w *Registered) { w.MatchConditions = make([]admissionv1.MatchCondition, 2) }, pod: job, namespace: dev,
			asked: unknown, why: []string{"it has 2 matchConditions, which are not evaluated here"},
		},
		"rules about something else": {
			change: func(w *Registered) { w.Rules[0].Operations = []admissionv1.OperationType{admissionv1.Update} }, pod: job, namespace: dev,
			asked: no, why: []string{"its rules do not name the creation of pods"},
		},
		"rules about everything": {
			change: func(w *Registered) {
				w.Rules[0].Operations, w.Rules[0].Resources = []admissionv1.OperationType{"*"}, []string{"*"}
			}, pod: job, namespace: dev, asked: yes,
		},
		"a selector that cannot be read": {
			change: func(w *Registered) { w.ObjectSelector.MatchExpressions[0].Operator = "Is" }, pod: job, namespace: dev,
			asked: unknown, why: []string{"its objectSelector cannot be read"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := ours()
			if c.change != nil {
				c.change(&w)
			}
			got := w.judge(&policy.Request{Namespace: "dev", Pod: &policy.Pod{Metadata: policy.Metadata{Labels: c.pod}}}, c.namespace)
			if got.Asked != c.asked {
				t.Errorf("asked: %s, want %s", got.Asked, c.asked)
			}
			if diff := cmp.Diff(c.why, messages(got.Why)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(c.unreachable, messages(got.Unreachable)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func messages(remarks []Remark) []string {
	var messages []string
	for _, r := range remarks {
		messages = append(messages, r.Message)
	}
	return messages
}

// TestServer finds, of two releases, the one that takes the pod for a job.
func TestServer(t *testing.T) {
	t.Parallel()
	modern, legacy, pause := ours(), ours(), ours()
	pause.Name = "pause.pods.quartermaster.dev"
	legacy.ObjectSelector.MatchExpressions[0].Key = "pod"
	legacy.ClientConfig.Service.Namespace = "legacy"
	r := Registration{Webhooks: []Registered{pause, modern, legacy}}
	for _, c := range []struct {
		label, wantLabel, wantNamespace string
	}{
		{policy.DefaultJobLabel, policy.DefaultJobLabel, "quartermaster"},
		{"pod", "pod", "legacy"},
		{"none", policy.DefaultJobLabel, "quartermaster"},
	} {
		label, namespace := r.Server(map[string]string{c.label: "x"})
		if label != c.wantLabel || namespace != c.wantNamespace {
			t.Errorf("%s: got %s in %s, want %s in %s", c.label, label, namespace, c.wantLabel, c.wantNamespace)
		}
	}
	if label, namespace := (&Registration{}).Server(nil); label != "" || namespace != "" {
		t.Errorf("nothing registered: got %q in %q", label, namespace)
	}
}
