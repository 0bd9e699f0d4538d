package migrate

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"

	"quartermaster.dev/policy"
)

// merge is both of two injections. Where they say different things, the second
// wins; [disagree] tells.
func merge(a, b policy.Inject) policy.Inject {
	a.Secrets = slices.Concat(a.Secrets, b.Secrets)
	a.Tolerations = slices.Concat(a.Tolerations, b.Tolerations)
	a.NodeSelector = mergeMaps(a.NodeSelector, b.NodeSelector)
	if b.Resources != nil {
		var have policy.Resources
		if a.Resources != nil {
			have = *a.Resources
		}
		a.Resources = &policy.Resources{
			Build:    mergeAmounts(have.Build, b.Resources.Build),
			Helper:   mergeAmounts(have.Helper, b.Resources.Helper),
			Services: mergeAmounts(have.Services, b.Resources.Services),
		}
	}
	return a
}

func mergeAmounts(a, b *policy.ResourceRequirements) *policy.ResourceRequirements {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return &policy.ResourceRequirements{Requests: mergeMaps(a.Requests, b.Requests), Limits: mergeMaps(a.Limits, b.Limits)}
}

func mergeMaps[V any](a, b map[string]V) map[string]V {
	if len(a) == 0 {
		return b
	}
	both := maps.Clone(a)
	maps.Copy(both, b)
	return both
}

// disagree tells whether two injections say different things about one.
func disagree(a, b policy.Inject) bool {
	for key, value := range b.NodeSelector {
		if have, ok := a.NodeSelector[key]; ok && have != value {
			return true
		}
	}
	have := amounts(a.Resources)
	for key, amount := range amounts(b.Resources) {
		if other, ok := have[key]; ok && other.Cmp(amount) != 0 {
			return true
		}
	}
	return false
}

// amounts are all requests and limits, by container, field and resource.
func amounts(r *policy.Resources) map[[3]string]resource.Quantity {
	all := map[[3]string]resource.Quantity{}
	if r == nil {
		return all
	}
	for container, of := range map[string]*policy.ResourceRequirements{"build": r.Build, "helper": r.Helper, "services": r.Services} {
		if of == nil {
			continue
		}
		for name, q := range of.Requests {
			all[[3]string{container, "requests", name}] = q
		}
		for name, q := range of.Limits {
			all[[3]string{container, "limits", name}] = q
		}
	}
	return all
}
