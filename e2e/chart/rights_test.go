package chart_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
)

// grants are the rules that one account is bound to, by the kind of its role: a Role's in its namespace alone.
type grants map[string][]rbacv1.PolicyRule

// grantsOf are the rights of each account, by its name.
func grantsOf(t *testing.T, c *combination) map[string]grants {
	t.Helper()
	rules := map[rbacv1.RoleRef][]rbacv1.PolicyRule{}
	for _, object := range c.of("ClusterRole") {
		rules[roleRef(object.GetKind(), object.GetName())] = decode[rbacv1.ClusterRole](t, object).Rules
	}
	for _, object := range c.of("Role") {
		rules[roleRef(object.GetKind(), object.GetName())] = decode[rbacv1.Role](t, object).Rules
	}
	all := map[string]grants{}
	for _, object := range c.of("ServiceAccount") {
		all[object.GetName()] = grants{}
	}
	for _, object := range slices.Concat(c.of("ClusterRoleBinding"), c.of("RoleBinding")) {
		binding := decode[rbacv1.RoleBinding](t, object) // both have the same fields
		bound, known := rules[binding.RoleRef]
		if !known {
			t.Errorf("%s: %s %s binds %v, which the chart does not render", c.name, object.GetKind(), object.GetName(), binding.RoleRef)
		}
		for _, subject := range binding.Subjects {
			if subject.Kind != rbacv1.ServiceAccountKind || subject.Namespace != namespace || all[subject.Name] == nil {
				t.Errorf("%s: %s %s binds %v, which is no account of the chart", c.name, object.GetKind(), object.GetName(), subject)
				continue
			}
			all[subject.Name][binding.RoleRef.Kind] = append(all[subject.Name][binding.RoleRef.Kind], bound...)
		}
	}
	return all
}

func roleRef(kind, name string) rbacv1.RoleRef {
	return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: name}
}

// TestRights is all that each account may do, in every combination, so that nobody adds a right unseen: the server reads
// ConfigMaps, writes Events, and has no right on Secrets or webhook configurations in any mode.
func TestRights(t *testing.T) {
	t.Parallel()
	for _, c := range combinations(t) {
		validation := len(c.of("ValidatingWebhookConfiguration")) > 0
		want := map[string]grants{
			fullName: {"ClusterRole": {
				rule("", "configmaps", "", "list", "watch"),
				rule("", "events", "", "create", "patch"),
			}},
			fullName + "-test": {"Role": {rule("", "pods", "", "create")}},
		}
		if c.mode == "builtin" {
			configurations := rule("admissionregistration.k8s.io", "mutatingwebhookconfigurations", fullName, "get", "list", "watch", "patch")
			if validation {
				configurations.Resources = append(configurations.Resources, "validatingwebhookconfigurations")
			}
			want[fullName+"-certs"] = grants{
				"ClusterRole": {configurations},
				"Role": {
					rule("", "secrets", "", "create"),
					rule("", "secrets", fullName+"-tls", "get", "list", "watch", "update"),
					rule("apps", "deployments", fullName+"-certs", "get"),
				},
			}
		}
		if slices.ContainsFunc(c.Hooks, named(fullName+"-lint")) {
			want[fullName+"-lint"] = grants{"ClusterRole": {rule("", "configmaps", "", "list")}}
		}
		if slices.ContainsFunc(c.Hooks, named(fullName+"-uninstall")) {
			configurations := rule("admissionregistration.k8s.io", "mutatingwebhookconfigurations", fullName, "delete")
			configurations.Resources = append(configurations.Resources, "validatingwebhookconfigurations")
			want[fullName+"-uninstall"] = grants{"ClusterRole": {configurations}}
		}
		if diff := cmp.Diff(want, grantsOf(t, c)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func rule(group, resource, name string, verbs ...string) rbacv1.PolicyRule {
	r := rbacv1.PolicyRule{APIGroups: []string{group}, Resources: []string{resource}, Verbs: verbs}
	if name != "" {
		r.ResourceNames = []string{name}
	}
	return r
}

// TestNoRightIsEverything: no rule of any role, bound or not, says "*".
func TestNoRightIsEverything(t *testing.T) {
	t.Parallel()
	for _, c := range combinations(t) {
		roles := slices.Concat(c.of("ClusterRole"), c.of("Role"))
		if len(roles) < 2 { // the server's and the test's
			t.Errorf("%s: %d roles", c.name, len(roles))
		}
		for _, object := range roles {
			role := decode[rbacv1.Role](t, object)
			for _, r := range role.Rules {
				if slices.Contains(slices.Concat(r.APIGroups, r.Resources, r.Verbs, r.NonResourceURLs, r.ResourceNames), "*") {
					t.Errorf("%s: %s %s says * in %v", c.name, object.GetKind(), object.GetName(), r)
				}
			}
		}
	}
}
