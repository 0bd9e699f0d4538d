package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"
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
}

// labelCondition holds when a label has one of some values.
type labelCondition struct {
	condition, label, since string
	values                  map[string]bool
	want                    string
}

// needsCreator tells whether the policy asks who created the pod.
func (m *matcher) needsCreator() bool { return len(m.createdBy) > 0 }

// mismatches are the conditions that do not hold. For a pause pod, which
// stands for jobs to come and is created by a ReplicaSet, only podSelector counts.
func (m *matcher) mismatches(req *Request, kind Kind) []Mismatch {
	var failed []Mismatch
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
	if c.values[value] {
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

// validateMatch checks and compiles the conditions. A policy that hands out a
// credential must hold one that a job author cannot write, or none at all.
func validateMatch(match *Match, credentials bool, r *report) matcher {
	var m matcher
	if match == nil {
		r.errorf("match", "write `match: {}` to mean every job pod of the namespace", "is missing")
		return m
	}
	m.addIDs("match.projectIDs", labelProjectID, "17.9", match.ProjectIDs, r)
	m.addIDs("match.rootNamespaceIDs", labelRootNamespaceID, "19.0", match.RootNamespaceIDs, r)
	m.addRunnerNames(match.RunnerNames, r)
	m.createdBy = match.CreatedBy
	if match.CreatedBy != nil && len(match.CreatedBy) == 0 {
		emptyList("match.createdBy", r)
	}
	for i := range match.CreatedBy {
		validateSubject(fmt.Sprintf("match.createdBy[%d]", i), &match.CreatedBy[i], r)
	}
	if match.PodSelector != nil {
		m.podSelector = validatePodSelector(match.PodSelector, r)
		if credentials && len(m.labels) == 0 && len(m.createdBy) == 0 {
			r.errorf("match.podSelector",
				"add projectIDs, rootNamespaceIDs, runnerNames or createdBy, or write `match: {}` to mean every job pod of the namespace",
				"is not enough for a policy that hands out a credential: job authors can influence labels")
		}
	}
	return m
}

func emptyList(path string, r *report) {
	r.errorf(path, "name at least one, or leave the field out", "is an empty list, which no pod can meet")
}

func (m *matcher) addIDs(path, label, since string, ids []int64, r *report) {
	if ids == nil {
		return
	}
	if len(ids) == 0 {
		emptyList(path, r)
	}
	c := labelCondition{condition: path, label: label, since: since, values: map[string]bool{}}
	var want []string
	for i, id := range ids {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case id == 0:
			r.errorf(at, "write the ID that GitLab shows", "0 stands for unknown and never matches")
		case id < 0:
			r.errorf(at, "write the ID that GitLab shows", "%d is no ID", id)
		}
		value := strconv.FormatInt(id, 10)
		if c.values[value] {
			r.warnf(at, "take one out", "%d is listed twice", id)
		}
		c.values[value] = true
		want = append(want, value)
	}
	c.want = joinWords(want, "or")
	m.labels = append(m.labels, c)
}

func (m *matcher) addRunnerNames(names []string, r *report) {
	if names == nil {
		return
	}
	const path = "match.runnerNames"
	if len(names) == 0 {
		emptyList(path, r)
	}
	c := labelCondition{condition: path, label: labelRunnerName, since: "17.9", values: map[string]bool{}}
	for i, name := range names {
		value := sanitizeLabel(name)
		if value == "" || value == "0" {
			r.errorf(fmt.Sprintf("%s[%d]", path, i), "give the runner a name with letters or digits",
				"%q leaves nothing that a label could hold", name)
		}
		c.values[value] = true
	}
	c.want = quotedList(names, "or")
	m.labels = append(m.labels, c)
}

func validateSubject(path string, s *Subject, r *report) {
	const rbacGroup = "rbac.authorization.k8s.io"
	kinds := []string{"ServiceAccount", "User", "Group"}
	if !slices.Contains(kinds, s.Kind) {
		hint := "write " + joinWords(kinds, "or")
		if best := nearest(s.Kind, kinds); best != "" && s.Kind != "" {
			hint = fmt.Sprintf("did you mean %q?", best)
		}
		r.errorf(path+".kind", hint, "%q is no kind of subject", s.Kind)
		return
	}
	if s.Name == "" {
		r.errorf(path+".name", "name the account that creates the job pods, as gitlab-runner", "is missing")
	}
	if s.Kind == "ServiceAccount" {
		if s.APIGroup != "" {
			r.errorf(path+".apiGroup", "leave it out", "a ServiceAccount has none")
		}
		if strings.Contains(s.Name, ":") {
			r.errorf(path+".name", "write the service account's name alone, its namespace beside it", "%q is a user name", s.Name)
		}
		return
	}
	if s.Namespace != "" {
		r.errorf(path+".namespace", "leave it out", "a %s has no namespace", s.Kind)
	}
	if s.APIGroup != "" && s.APIGroup != rbacGroup {
		r.errorf(path+".apiGroup", "write "+rbacGroup+" or leave it out", "%q is not known", s.APIGroup)
	}
}

func validatePodSelector(s *metav1.LabelSelector, r *report) labels.Selector {
	const path = "match.podSelector"
	if len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
		r.errorf(path, "give it a label, or leave it out", "is empty")
		return nil
	}
	errs := metav1validation.ValidateLabelSelector(s, metav1validation.LabelSelectorValidationOptions{}, field.NewPath("match", "podSelector"))
	for _, err := range errs {
		r.errorf(err.Field, "", "%s", brief(err.ErrorBody()))
	}
	if len(errs) > 0 {
		return nil
	}
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		r.errorf(path, "", "%v", err)
		return nil
	}
	requirements, _ := selector.Requirements()
	for _, req := range requirements {
		if slices.Contains(forgedLabels, req.Key()) {
			r.errorf(path, "use rootNamespaceIDs or projectIDs", "the label %s is filled from CI variables, which any .gitlab-ci.yml can set", req.Key())
		}
	}
	return selector
}
