package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
)

// Labels that GitLab Runner puts on job pods, and whose word they are:
// executors/kubernetes/kubernetes.go of GitLab Runner 19.4.
const (
	// DefaultJobLabel is on every job pod of GitLab Runner 15.6.1 and later.
	DefaultJobLabel = "job.runner.gitlab.com/pod"

	labelProjectID       = "project.runner.gitlab.com/id"
	labelRootNamespaceID = "project.runner.gitlab.com/root-namespace-id"
	labelRunnerName      = "manager.runner.gitlab.com/name"
	labelPausePod        = "runner.gitlab.com/pause-pod"
)

// forgedLabels are filled from CI variables, which .gitlab-ci.yml may shadow.
var forgedLabels = []string{
	"project.runner.gitlab.com/namespace",
	"project.runner.gitlab.com/namespace-id",
	"project.runner.gitlab.com/root-namespace",
}

// Mismatch is a condition of a policy that a pod does not meet.
type Mismatch struct {
	// Condition is the field, as in "match.projectIDs".
	Condition string
	// Want is what the policy asks for, Got what the pod has.
	Want, Got string
}

// String is the mismatch as a sentence.
func (m Mismatch) String() string {
	return fmt.Sprintf("%s wants %s, and the pod has %s", m.Condition, m.Want, m.Got)
}

// matcher is a [Match] compiled.
type matcher struct {
	labels      []labelCondition
	createdBy   []Subject
	podSelector labels.Selector
	namespaces  []string
}

// labelCondition holds when a label has one of some values.
type labelCondition struct {
	*jobLabel
	values []string
	want   string
}

// jobLabel is a label that GitLab Runner sets, and the condition that asks for it.
type jobLabel struct{ condition, label, since, note string }

var (
	projectID       = newJobLabel("match.projectIDs", labelProjectID, "17.9")
	rootNamespaceID = newJobLabel("match.rootNamespaceIDs", labelRootNamespaceID, "19.0")
	runnerName      = newJobLabel("match.runnerNames", labelRunnerName, "17.9")
)

func newJobLabel(condition, label, since string) *jobLabel {
	return &jobLabel{condition, label, since, fmt.Sprintf(
		"needs GitLab Runner %s or later: pods of older ones have no label %s, and do not match", since, label)}
}

// needsCreator tells whether the policy asks who created the pod.
func (m *matcher) needsCreator() bool { return len(m.createdBy) > 0 }

// mismatches are the conditions that do not hold. For a pause pod, which
// stands for jobs to come and is created by a ReplicaSet, only podSelector and
// namespaces count.
func (m *matcher) mismatches(req *Request, kind Kind) []Mismatch {
	var failed []Mismatch
	if m.namespaces != nil && !matchesAny(m.namespaces, req.Namespace) {
		failed = append(failed, Mismatch{Condition: "match.namespaces", Want: joinWords(m.namespaces, "or"), Got: "the namespace " + req.Namespace})
	}
	if kind != PausePod {
		for i := range m.labels {
			if mm, ok := m.labels[i].check(req.Pod); !ok {
				failed = append(failed, mm)
			}
		}
		if len(m.createdBy) > 0 && !slices.ContainsFunc(m.createdBy, func(s Subject) bool { return s.is(req) }) {
			failed = append(failed, m.creatorMismatch(req))
		}
	}
	if m.podSelector != nil && !m.podSelector.Matches(labels.Set(req.Pod.Metadata.Labels)) {
		failed = append(failed, m.selectorMismatch(req.Pod))
	}
	return failed
}

func (c *labelCondition) check(pod *Pod) (Mismatch, bool) {
	value := pod.Metadata.Labels[c.label]
	if slices.Contains(c.values, value) {
		return Mismatch{}, true
	}
	got := fmt.Sprintf("%q (label %s)", value, c.label)
	switch value {
	case "":
		got = fmt.Sprintf("no label %s (GitLab Runner sets it from %s on)", c.label, c.since)
	case "0":
		got += ", which stands for unknown"
	}
	return Mismatch{Condition: c.condition, Want: c.want, Got: got}, false
}

// is tells whether the subject created the pod.
func (s Subject) is(req *Request) bool {
	switch s.Kind {
	case "ServiceAccount":
		return req.User == s.username(req.Namespace)
	case "Group":
		return slices.Contains(req.Groups, s.Name)
	default:
		return req.User == s.Name
	}
}

// username is what the API server calls a service account; namespace stands in
// where the subject names none.
func (s Subject) username(namespace string) string {
	if s.Namespace != "" {
		namespace = s.Namespace
	}
	return serviceAccountUser(namespace, s.Name)
}

func serviceAccountUser(namespace, name string) string {
	return "system:serviceaccount:" + namespace + ":" + name
}

func (m *matcher) creatorMismatch(req *Request) Mismatch {
	want := make([]string, len(m.createdBy))
	for i, s := range m.createdBy {
		want[i] = s.Kind + " " + s.Name
		if s.Kind == "ServiceAccount" {
			want[i] = s.username(req.Namespace)
		}
	}
	got := "an unknown creator"
	if req.User != "" {
		got = "the creator " + req.User
	}
	return Mismatch{Condition: "match.createdBy", Want: joinWords(want, "or"), Got: got}
}

func (m *matcher) selectorMismatch(pod *Pod) Mismatch {
	var got []string
	requirements, _ := m.podSelector.Requirements()
	for _, r := range requirements {
		has := "no label " + r.Key()
		if v, ok := pod.Metadata.Labels[r.Key()]; ok {
			has = r.Key() + "=" + v
		}
		if !r.Matches(labels.Set(pod.Metadata.Labels)) {
			got = append(got, has)
		}
	}
	return Mismatch{Condition: "match.podSelector", Want: m.podSelector.String(), Got: joinWords(got, "and")}
}

// unsafeLabel is what GitLab Runner replaces in a label value.
var unsafeLabel = regexp.MustCompile(`[^A-Za-z0-9\-_.]`)

// sanitizeLabel makes a label value of a name as GitLab Runner does
// (executors/kubernetes/util.go, sanitizeLabel): what a label may not hold
// becomes "_", and 63 bytes are kept.
func sanitizeLabel(name string) string {
	value := strings.Trim(unsafeLabel.ReplaceAllString(name, "_"), "-_.")
	if len(value) > 63 {
		value = strings.Trim(value[:63], "-_.")
	}
	return value
}
