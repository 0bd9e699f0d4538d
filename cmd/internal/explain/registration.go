package explain

import (
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"quartermaster.dev/policy"
)

// webhookSuffix ends the names of the webhooks that the chart registers.
const webhookSuffix = ".pods.quartermaster.dev"

// optOut is the namespace label that takes a namespace out.
const optOut = "quartermaster.dev/inject"

// Registration is what a cluster says about who is asked about a pod.
type Registration struct {
	// Known is false where the user may not read webhook configurations.
	Known bool
	// Webhooks that are ours.
	Webhooks []Registered
	// Namespace holds the labels of the pod's namespace; nil where they are not known.
	Namespace map[string]string
	// Remarks are about what could not be checked, and the like.
	Remarks []Remark
	// Blind tells whether the user lacks a right to read any of it.
	Blind bool
}

// Registered is a webhook in a MutatingWebhookConfiguration.
type Registered struct {
	admissionv1.MutatingWebhook
	// Configuration is the object's name.
	Configuration string
	// Ready is the number of ready endpoints; nil where it is not known, or there
	// is no Service.
	Ready *int
}

// Webhook is what there is to say about a registered webhook. It is called for
// the pod where Asked is "yes".
type Webhook struct {
	Name          string `json:"name"`
	Configuration string `json:"configuration"`
	// Asked is yes, no or unknown.
	Asked string `json:"asked"`
	// Why it is not asked, or why that is not known.
	Why []Remark `json:"why,omitempty"`
	// FailurePolicy is Fail or Ignore.
	FailurePolicy string `json:"failurePolicy"`
	// Unreachable is why the API server cannot call it.
	Unreachable []Remark `json:"unreachable,omitempty"`

	// selects tells whether the webhook is for this kind of pod.
	selects bool
}

const (
	yes     = "yes"
	no      = "no"
	unknown = "unknown"
)

// Server tells what is known of the server that is asked about a pod with these
// labels, or else of the first: the label by which it knows a job, and its
// namespace. Either is empty where it is not known.
func (r *Registration) Server(podLabels map[string]string) (jobLabel, namespace string) {
	servers := slices.DeleteFunc(slices.Clone(r.Webhooks), func(w Registered) bool { return w.jobLabel() == "" })
	if len(servers) == 0 {
		return "", ""
	}
	w := servers[0]
	if i := slices.IndexFunc(servers, func(w Registered) bool { _, ok := podLabels[w.jobLabel()]; return ok }); i >= 0 {
		w = servers[i]
	}
	if w.ClientConfig.Service != nil {
		namespace = w.ClientConfig.Service.Namespace
	}
	return w.jobLabel(), namespace
}

// jobLabel is the label by which the webhook for jobs selects them, or empty.
func (w *Registered) jobLabel() string {
	if !strings.HasPrefix(w.Name, "job.") || w.ObjectSelector == nil || len(w.ObjectSelector.MatchExpressions) != 1 {
		return ""
	}
	if e := w.ObjectSelector.MatchExpressions[0]; e.Operator == metav1.LabelSelectorOpExists {
		return e.Key
	}
	return ""
}

// judge holds each webhook against the pod.
func (r *Registration) judge(req *policy.Request) []Webhook {
	webhooks := []Webhook{}
	for i := range r.Webhooks {
		webhooks = append(webhooks, r.Webhooks[i].judge(req, r.Namespace))
	}
	return webhooks
}

func (w *Registered) judge(req *policy.Request, namespace map[string]string) Webhook {
	j := Webhook{Name: w.Name, Configuration: w.Configuration, Asked: yes, FailurePolicy: "Fail", selects: true}
	if w.FailurePolicy != nil {
		j.FailurePolicy = string(*w.FailurePolicy)
	}
	if !slices.ContainsFunc(w.Rules, createsPods) {
		j.refuse(errorRemark("install the chart again: its rules name the operation CREATE on pods", "its rules do not name the creation of pods"))
	}
	failed, err := failures(w.ObjectSelector, req.Pod.Metadata.Labels)
	j.selects = len(failed) == 0
	j.hold(failed, err, "the pod", "objectSelector")
	switch failed, err := failures(w.NamespaceSelector, namespace); {
	case namespace == nil && !empty(w.NamespaceSelector):
		j.doubt("its namespaceSelector could not be held against the namespace's labels")
	default:
		j.hold(failed, err, fmt.Sprintf("namespace %q", req.Namespace), "namespaceSelector")
	}
	if n := len(w.MatchConditions); n > 0 {
		j.doubt(fmt.Sprintf("it has %s, which are not evaluated here", plural(n, "matchCondition")))
	}
	j.Unreachable = w.unreachable()
	return j
}

// hold records the requirements of a selector that are not met.
func (j *Webhook) hold(failed []failure, err error, who, selector string) {
	if err != nil {
		j.doubt("its " + selector + " cannot be read")
		return
	}
	for _, f := range failed {
		j.refuse(note(f.hint(who), fmt.Sprintf("%s %s, and the %s wants %s", who, f.got, selector, f.want)))
	}
}

func (j *Webhook) refuse(why Remark) {
	j.Asked = no
	j.Why = append(j.Why, why)
}

func (j *Webhook) doubt(why string) {
	if j.Asked == yes {
		j.Asked = unknown
	}
	j.Why = append(j.Why, warning("", why))
}

// unreachable are the reasons for which a call cannot succeed.
func (w *Registered) unreachable() []Remark {
	var why []Remark
	service := w.ClientConfig.Service
	if service == nil {
		return nil // by URL, as the API server's own roots allow
	}
	if len(w.ClientConfig.CABundle) == 0 {
		why = append(why, errorRemark(
			"give the chart certificates.caBundle, or see why nothing fills the field in (as cert-manager's CA injector does)",
			"its caBundle is empty, so that the API server does not trust its certificate"))
	}
	if w.Ready != nil && *w.Ready == 0 {
		why = append(why, errorRemark(
			"see why its pods are not ready: kubectl get pods -n "+service.Namespace,
			fmt.Sprintf("its Service %s/%s has no ready endpoint", service.Namespace, service.Name)))
	}
	return why
}

// createsPods tells whether a rule is about the creation of pods.
func createsPods(r admissionv1.RuleWithOperations) bool {
	has := func(list []string, one string) bool { return slices.Contains(list, one) || slices.Contains(list, "*") }
	return has(r.APIGroups, "") && has(r.APIVersions, "v1") &&
		(has(r.Resources, "pods") || slices.Contains(r.Resources, "*/*")) &&
		(slices.Contains(r.Operations, admissionv1.Create) || slices.Contains(r.Operations, admissionv1.OperationAll)) &&
		(r.Scope == nil || *r.Scope != admissionv1.ClusterScope)
}
