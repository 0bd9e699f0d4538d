package migrate

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"quartermaster.dev/policy"
)

// resourceKey is a key of [runners.kubernetes] that requests or limits.
type resourceKey struct {
	toml      string
	container string // build, helper or services
	field     string // requests or limits
	name      string
}

// resourceKeys are all that a policy can hold. Those of whole pods are none.
var resourceKeys = makeResourceKeys()

func makeResourceKeys() []resourceKey {
	var keys []resourceKey
	for _, c := range []struct{ prefix, container string }{{"", "build"}, {"helper_", "helper"}, {"service_", "services"}} {
		for _, r := range []struct{ prefix, name string }{{"cpu", "cpu"}, {"memory", "memory"}, {"ephemeral_storage", "ephemeral-storage"}} {
			for _, f := range []struct{ suffix, field string }{{"request", "requests"}, {"limit", "limits"}} {
				keys = append(keys, resourceKey{c.prefix + r.prefix + "_" + f.suffix, c.container, f.field, r.name})
			}
		}
	}
	return keys
}

// to is where the amount goes in a policy.
func (k resourceKey) to() string {
	return "inject.resources." + k.container + "." + k.field + "." + k.name
}

// gives is the amount as a policy has it, or false where it is none.
func (k resourceKey) gives(amount string) (policy.Inject, bool) {
	q, err := resource.ParseQuantity(amount)
	if err != nil {
		return policy.Inject{}, false
	}
	r := &policy.ResourceRequirements{}
	amounts := map[string]resource.Quantity{k.name: q}
	if k.field == "requests" {
		r.Requests = amounts
	} else {
		r.Limits = amounts
	}
	all := &policy.Resources{}
	switch k.container {
	case "build":
		all.Build = r
	case "helper":
		all.Helper = r
	default:
		all.Services = r
	}
	return policy.Inject{Resources: all}, true
}

func (c *Config) findResources(r *runner) {
	for _, k := range resourceKeys {
		n := r.kube.child(k.toml)
		if n == nil || n.kind != tomlValue || n.text() == "" {
			continue
		}
		it := c.tomlItem(r, n, k.toml)
		it.amount(k, n.text())
	}
}

// amount makes the item one of a request or limit.
func (it *item) amount(k resourceKey, amount string) {
	it.what, it.to = amount, k.to()
	it.needsTemplate(amount)
	var ok bool
	if it.gives, ok = k.gives(amount); !ok {
		it.stay("write a quantity, as 500m or 1Gi", "%q is no quantity", strings.TrimSpace(amount))
	}
}
