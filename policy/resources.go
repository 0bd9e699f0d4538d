package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
)

// annotationLimitRanger is what the API server's LimitRanger plugin leaves on
// a pod that it filled in.
const annotationLimitRanger = "kubernetes.io/limit-ranger"

// amounts are the requests or limits of a policy for one container.
type amounts struct {
	field  string // "requests" or "limits"
	want   map[string]resource.Quantity
	have   ResourceList // what the pod says in the same place
	bounds ResourceList // what the pod says in the other: limits for requests, requests for limits
}

// addResources fills in requests and limits that nothing has set, each
// resource by itself. What the runner or a LimitRange set is kept, and so is a
// resource that the pod bounds as a whole (spec.resources). A request above a
// limit is a conflict, since the API server would refuse the pod.
func (p *plan) addResources(c *compiled) {
	r := c.inject.Resources
	if r == nil {
		return
	}
	for i := range p.req.Pod.Spec.Containers {
		want := r.Services
		switch p.req.Pod.Spec.Containers[i].Name {
		case containerBuild:
			want = r.Build
		case containerHelper:
			want = r.Helper
		}
		if want != nil {
			p.addContainerResources(c, i, want)
		}
	}
}

func (p *plan) addContainerResources(c *compiled, i int, want *ResourceRequirements) {
	var have ContainerResources
	if r := p.req.Pod.Spec.Containers[i].Resources; r != nil {
		have = *r
	}
	p.addAmounts(c, i, amounts{"requests", want.Requests, have.Requests, have.Limits})
	p.addAmounts(c, i, amounts{"limits", want.Limits, have.Limits, have.Requests})
}

func (p *plan) addAmounts(c *compiled, i int, a amounts) {
	container := &p.req.Pod.Spec.Containers[i]
	for name, want := range sorted(a.want) {
		what := fmt.Sprintf("container %s: %s.%s", container.Name, a.field, name)
		have, set := a.have[name]
		bound, bounded := a.bounds[name]
		key := strconv.Itoa(i) + " " + a.field + " " + name
		other, before := p.resources[key]
		switch {
		case p.boundAsAWhole(name):
			p.note(c, "%s is left alone: the pod says %s for all its containers together", what, name)
		case set && have.Cmp(want) != 0:
			p.note(c, "%s is %s already, %s, and is kept", what, have.String(), p.setBy(container.Name, a.field, name))
		case set:
		case bounded && a.field == "requests" && want.Cmp(bound) > 0:
			p.refuse(c, "raise the limit where it is set, or lower the request in the policy",
				"%s of %s would exceed the limit of %s, which is %s", what, want.String(), bound.String(), p.setBy(container.Name, "limits", name))
		case bounded && a.field == "limits" && want.Cmp(bound) < 0:
			p.refuse(c, "lower the request where it is set, or raise the limit in the policy",
				"%s of %s would be less than the request of %s, which is %s", what, want.String(), bound.String(), p.setBy(container.Name, "requests", name))
		case before && other.quantity.Cmp(want) != 0:
			p.refuse(c, "make them equal, or let only one of the two policies match",
				"%s: the policy wants %s and %s wants %s", what, want.String(), other.policy, other.quantity.String())
		case !before:
			p.resources[key] = plannedQuantity{want, c.origin}
			absent := levels(a.have == nil)
			if container.Resources == nil {
				absent++
			}
			p.addTo(c, i, "resources/"+a.field, name, absent, want.String())
		}
	}
}

// checkResources refuses what two policies only do together: a request of the
// one above a limit of the other.
func (p *plan) checkResources() {
	for key, limit := range sorted(p.resources) {
		container, name, ok := strings.Cut(key, " limits ")
		if !ok {
			continue
		}
		if request, ok := p.resources[container+" requests "+name]; ok && request.quantity.Cmp(limit.quantity) > 0 {
			i, _ := strconv.Atoi(container)
			p.decision.Refusals = append(p.decision.Refusals, Problem{
				Severity: Error, Document: request.policy,
				Message: fmt.Sprintf("container %s: requests.%s of %s would exceed the limit of %s that %s sets",
					p.req.Pod.Spec.Containers[i].Name, name, request.quantity.String(), limit.quantity.String(), limit.policy),
				Hint: "lower the request or raise the limit",
			})
		}
	}
}

type plannedQuantity struct {
	quantity resource.Quantity
	policy   string
}

// boundAsAWhole tells whether spec.resources says how much of a resource the
// pod's containers have together (KEP-2837).
func (p *plan) boundAsAWhole(name string) bool {
	r := &p.req.Pod.Spec.Resources
	_, requested := r.Requests[name]
	_, limited := r.Limits[name]
	return requested || limited
}

// setBy says who set a request or limit that the pod comes with.
func (p *plan) setBy(container, field, name string) string {
	_, set, _ := strings.Cut(p.req.Pod.Metadata.Annotations[annotationLimitRanger], "LimitRanger plugin set: ")
	// As "cpu, memory request for container build; cpu limit for container helper".
	for part := range strings.SplitSeq(set, "; ") {
		what, of, _ := strings.Cut(part, " for container ")
		names, ok := strings.CutSuffix(what, " request")
		if field == "limits" {
			names, ok = strings.CutSuffix(what, " limit")
		}
		if ok && of == container && slices.Contains(strings.Split(names, ", "), name) {
			return "set by a LimitRange of the namespace"
		}
	}
	return "set by the runner"
}

func validateResources(want *Resources, r *report) {
	if want == nil {
		return
	}
	const at = "inject.resources"
	if want.Build == nil && want.Helper == nil && want.Services == nil {
		r.errorf(at, "say something about build, helper or services", "is empty")
	}
	for _, c := range []struct {
		name  string
		needs *ResourceRequirements
	}{{"build", want.Build}, {"helper", want.Helper}, {"services", want.Services}} {
		if c.needs != nil {
			validateRequirements(at+"."+c.name, c.needs, r)
		}
	}
}

func validateRequirements(at string, want *ResourceRequirements, r *report) {
	if len(want.Requests)+len(want.Limits) == 0 {
		r.errorf(at, "give requests or limits", "is empty")
	}
	for name, q := range sorted(want.Requests) {
		validateQuantity(at+".requests["+name+"]", name, q, r)
		limit, limited := want.Limits[name]
		if limited && q.Cmp(limit) > 0 {
			r.errorf(at+".requests["+name+"]", "lower it, or raise the limit", "%s exceeds the limit of %s", q.String(), limit.String())
		}
		if !overcommitted(name) && (!limited || q.Cmp(limit) != 0) {
			r.errorf(at+".requests["+name+"]", "set the limit to the same", "of %s, request and limit must be equal", name)
		}
	}
	for name, q := range sorted(want.Limits) {
		validateQuantity(at+".limits["+name+"]", name, q, r)
	}
}

var knownResources = []string{"cpu", "memory", "ephemeral-storage"}

func validateQuantity(at, name string, q resource.Quantity, r *report) {
	known := slices.Contains(knownResources, name)
	switch {
	case !known && !strings.Contains(name, "/") && !strings.HasPrefix(name, "hugepages-"):
		hint := "write cpu, memory, ephemeral-storage, hugepages-… or a name with a domain"
		if best := nearest(name, knownResources); best != "" {
			hint = fmt.Sprintf("did you mean %q?", best)
		}
		r.errorf(at, hint, "%q is no resource", name)
		return
	case len(utilvalidation.IsQualifiedName(name)) > 0:
		r.invalid(at, "resource", name, utilvalidation.IsQualifiedName(name))
		return
	}
	if q.Sign() < 0 {
		r.errorf(at, "write a number above zero", "%s is negative", q.String())
	}
	switch fraction := strings.HasSuffix(q.String(), "m"); {
	case fraction && strings.Contains(name, "/"):
		r.errorf(at, "write a whole number", "%s of %s is a fraction, and it is counted in whole ones", q.String(), name)
	case fraction && name != "cpu":
		r.errorf(at, "write Mi for mebibytes", "%s of %s is a fraction of a byte: m means a thousandth", q.String(), name)
	}
}

// overcommitted tells whether a request may be below the limit: of huge pages
// and extended resources it may not.
func overcommitted(name string) bool {
	return !strings.HasPrefix(name, "hugepages-") && (!strings.Contains(name, "/") || strings.Contains(name, "kubernetes.io/"))
}
