package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const matchHint = "write `match: {}` to mean every job pod of the namespace"

// validateMatch checks and compiles the conditions. A policy that hands out a
// credential must hold one that a job author cannot write, or none at all.
func validateMatch(match *Match, c *compiled, r *report) matcher {
	var m matcher
	if match == nil {
		r.errorf("match", matchHint, "is missing")
		return m
	}
	m.addIDs(projectID, match.ProjectIDs, r)
	m.addIDs(rootNamespaceID, match.RootNamespaceIDs, r)
	m.addRunnerNames(match.RunnerNames, r)
	m.createdBy = match.CreatedBy
	if match.CreatedBy != nil && len(match.CreatedBy) == 0 {
		emptyList("match.createdBy", r)
	}
	for i := range match.CreatedBy {
		validateSubject(fmt.Sprintf("match.createdBy[%d]", i), &match.CreatedBy[i], r)
	}
	m.addNamespaces(match, c.source.System, r)
	if match.PodSelector != nil {
		m.podSelector = validatePodSelector(match.PodSelector, r)
	}
	if c.handsCredentials() {
		m.checkTrust(match, c.source, r)
	}
	return m
}

const trustHint = "add projectIDs, rootNamespaceIDs, runnerNames or createdBy, or write `match: {}` to mean every job pod of the namespace"

// checkTrust refuses a credential to a policy whose one real condition is one
// that a job's author can meet: a group that whoever creates pods is in is none.
func (m *matcher) checkTrust(match *Match, source *Source, r *report) {
	everybody := slices.IndexFunc(match.CreatedBy, func(s Subject) bool { return s.isEverybody(source) })
	if len(m.labels) > 0 || len(match.CreatedBy) > 0 && everybody < 0 {
		return
	}
	if match.PodSelector != nil {
		r.errorf("match.podSelector", trustHint, "is not enough for a policy that hands out a credential: job authors can influence labels")
	}
	if everybody >= 0 {
		r.warnf(fmt.Sprintf("match.createdBy[%d]", everybody), "name the runner's service account, or write `match: {}` to mean every job pod of the namespace",
			"is hardly a condition: every service account of the namespace is in the group %s", match.CreatedBy[everybody].Name)
	}
}

// isEverybody tells whether the subject is a group that the API server puts
// whoever creates pods in a namespace into, its own service accounts at least.
func (s Subject) isEverybody(source *Source) bool {
	if s.Kind != "Group" {
		return false
	}
	namespace, accounts := strings.CutPrefix(s.Name, "system:serviceaccounts:")
	return s.Name == "system:authenticated" || s.Name == "system:serviceaccounts" || accounts && (source.System || namespace == source.Namespace)
}

func emptyList(path string, r *report) {
	r.errorf(path, "name at least one, or leave the field out", "is an empty list, which no pod can meet")
}

func (m *matcher) addIDs(of *jobLabel, ids []int64, r *report) {
	if ids == nil {
		return
	}
	if len(ids) == 0 {
		emptyList(of.condition, r)
	}
	c := labelCondition{jobLabel: of}
	for i, id := range ids {
		at := fmt.Sprintf("%s[%d]", of.condition, i)
		switch {
		case id == 0:
			r.errorf(at, "write the ID that GitLab shows", "0 stands for unknown and never matches")
		case id < 0:
			r.errorf(at, "write the ID that GitLab shows", "%d is no ID", id)
		}
		value := strconv.FormatInt(id, 10)
		if slices.Contains(c.values, value) {
			r.warnf(at, "take one out", "%d is listed twice", id)
		}
		c.values = append(c.values, value)
	}
	noteRunner(&c, r)
	c.want = joinWords(c.values, "or")
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
	c := labelCondition{jobLabel: runnerName}
	for i, name := range names {
		value, hint := sanitizeLabel(name), "give the runner a name with letters or digits"
		switch value {
		case "":
			r.errorf(fmt.Sprintf("%s[%d]", path, i), hint, "%q leaves nothing that a label could hold", name)
		case "0":
			r.errorf(fmt.Sprintf("%s[%d]", path, i), hint, "0 stands for unknown and never matches")
		}
		c.values = append(c.values, value)
	}
	noteRunner(&c, r)
	c.want = quotedList(names, "or")
	m.labels = append(m.labels, c)
}

// addNamespaces checks what is the other way round in the system namespace: a
// policy there must say which namespaces it is for, and whose accounts it means.
func (m *matcher) addNamespaces(match *Match, system bool, r *report) {
	m.namespaces = match.Namespaces
	namespaceGlobs("match.namespaces", match.Namespaces, r)
	switch {
	case system && match.Namespaces == nil:
		r.errorf("match.namespaces", "name them; `[\"*\"]` means all", "is missing: a policy of the system namespace is cluster-wide")
	case !system && match.Namespaces != nil:
		r.errorf("match.namespaces", "take it out, or move the policy to the system namespace", "is for policies of the system namespace; this one is for its own namespace alone")
	}
	for i, s := range match.CreatedBy {
		if system && s.Kind == "ServiceAccount" && s.Namespace == "" {
			r.errorf(fmt.Sprintf("match.createdBy[%d].namespace", i), "name the runner's namespace", "is missing: in a cluster-wide policy it must be given")
		}
	}
}

// noteRunner says which runners a condition needs.
func noteRunner(c *labelCondition, r *report) {
	r.problems = append(r.problems, Problem{Severity: Note, Document: r.document, Path: c.condition, Message: c.note})
}

func validateSubject(path string, s *Subject, r *report) {
	const rbacGroup = "rbac.authorization.k8s.io"
	kinds := []string{"ServiceAccount", "User", "Group"}
	if !slices.Contains(kinds, s.Kind) {
		r.errorf(path+".kind", oneOf(s.Kind, kinds), "%q is no kind of subject", s.Kind)
		return
	}
	if s.Name == "" {
		r.errorf(path+".name", "name the account that creates the job pods, as gitlab-runner", "is missing")
	}
	if s.Kind == "ServiceAccount" {
		if s.APIGroup != "" {
			r.errorf(path+".apiGroup", "leave it out", "a ServiceAccount has none")
		}
		switch {
		case s.Name == "":
		case strings.Contains(s.Name, ":"):
			r.errorf(path+".name", "write the service account's name alone, its namespace beside it", "%q is a user name", s.Name)
		default:
			r.invalid(path+".name", "name of a ServiceAccount", s.Name, validation.NameIsDNSSubdomain(s.Name, false))
		}
		if s.Namespace != "" {
			r.invalid(path+".namespace", "name of a namespace", s.Namespace, utilvalidation.IsDNS1123Label(s.Namespace))
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
	for i, err := range errs {
		if i == 0 || err.Field != errs[i-1].Field || err.BadValue != errs[i-1].BadValue { // say it once
			selectorProblem(err, r)
		}
	}
	if len(errs) > 0 {
		return nil
	}
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		r.errorf(path, "write it as the selector of a Deployment", "is no selector: %v", err)
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

// selectorProblem says what the validation library found in a selector. Its
// rule is the way out.
func selectorProblem(err *field.Error, r *report) {
	hint := brief(err.Detail)
	if strings.HasSuffix(err.Field, ".operator") {
		hint = oneOf(fmt.Sprint(err.BadValue), []string{"In", "NotIn", "Exists", "DoesNotExist"})
	}
	switch err.Type {
	case field.ErrorTypeRequired:
		r.errorf(err.Field, hint, "is missing")
	case field.ErrorTypeForbidden:
		r.errorf(err.Field, hint, "cannot be given")
	default:
		r.errorf(err.Field, hint, "%q is not valid", fmt.Sprint(err.BadValue))
	}
}
