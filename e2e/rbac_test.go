package e2e

import (
	"errors"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// serverClient is a client with the identity under which the installed server runs.
func serverClient(t *testing.T) client.Client {
	t.Helper()
	config, err := plane.ServiceAccount(t.Context(), installed.Namespace, installed.ServiceAccount)
	if err != nil {
		t.Fatal(err)
	}
	account, err := client.New(config, client.Options{Mapper: plane.Client.RESTMapper()})
	if err != nil {
		t.Fatal(err)
	}
	return account
}

// allowed asks the API server whether the account may do something.
func allowed(t *testing.T, account client.Client, attributes authorizationv1.ResourceAttributes) bool {
	t.Helper()
	review := &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &attributes},
	}
	if err := account.Create(t.Context(), review); err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}

func TestTheServersRights(t *testing.T) {
	t.Parallel()
	account := serverClient(t)
	ns := namespace(t, nil)
	everywhere := []string{"", ns, "default", "kube-system", installed.Namespace} // "" is all namespaces at once

	for _, namespace := range everywhere {
		for _, verb := range []string{"list", "watch"} {
			attributes := authorizationv1.ResourceAttributes{Namespace: namespace, Verb: verb, Resource: "configmaps"}
			if !allowed(t, account, attributes) {
				t.Errorf("the server may not %s configmaps in %q", verb, namespace)
			}
		}
	}
	// Besides reading ConfigMaps and writing Events nothing at all. Of what is asked for, "*" stands for anything there is.
	verbs := []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "*"}
	for _, denied := range []struct {
		group, resource, subresource string
		verbs                        []string
	}{
		{"", "secrets", "", verbs},
		{"admissionregistration.k8s.io", "mutatingwebhookconfigurations", "", verbs},
		{"admissionregistration.k8s.io", "validatingwebhookconfigurations", "", verbs},
		{"admissionregistration.k8s.io", "*", "", verbs},
		{"", "configmaps", "", []string{"create", "update", "patch", "delete", "deletecollection", "*"}},
		{"", "configmaps", "", []string{"get", "create", "update", "patch", "delete", "deletecollection", "*"}},
		{"", "events", "", []string{"get", "list", "watch", "update", "delete", "deletecollection", "*"}},
		{"", "pods", "", verbs},
		{"", "serviceaccounts", "token", []string{"create"}},
		{"", "users", "", []string{"impersonate"}},
		{"rbac.authorization.k8s.io", "clusterroles", "", append([]string{"bind", "escalate"}, verbs...)},
		{"*", "*", "", verbs},
	} {
		for _, namespace := range everywhere {
			for _, verb := range denied.verbs {
				attributes := authorizationv1.ResourceAttributes{
					Namespace: namespace, Verb: verb, Group: denied.group, Resource: denied.resource, Subresource: denied.subresource,
				}
				if allowed(t, account, attributes) {
					t.Errorf("the server may %s %s.%s in %q", verb, denied.resource, denied.group, namespace)
				}
			}
		}
	}
}

// TestTheServersRightsInDeed makes the calls themselves: what a review says is not yet what happens.
func TestTheServersRightsInDeed(t *testing.T) {
	t.Parallel()
	account, ctx := serverClient(t), t.Context()
	ns := namespace(t, nil)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "dev-api-key"}}
	if err := plane.Client.Create(ctx, secret.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	var webhooks admissionv1.MutatingWebhookConfigurationList
	if err := plane.Client.List(ctx, &webhooks); err != nil || len(webhooks.Items) == 0 {
		t.Fatalf("%d webhook configurations, %v", len(webhooks.Items), err)
	}
	webhook := &webhooks.Items[0]

	if err := account.List(ctx, &corev1.ConfigMapList{}); err != nil {
		t.Errorf("listing ConfigMaps: %v", err)
	}
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"a":"b"}}}`))
	for name, err := range map[string]error{
		"list secrets":           account.List(ctx, &corev1.SecretList{}),
		"list secrets of one":    account.List(ctx, &corev1.SecretList{}, client.InNamespace(ns)),
		"list secrets of its":    account.List(ctx, &corev1.SecretList{}, client.InNamespace(installed.Namespace)),
		"get a secret":           account.Get(ctx, client.ObjectKeyFromObject(secret), secret.DeepCopy()),
		"create a secret":        account.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "new"}}),
		"update a secret":        account.Update(ctx, secret.DeepCopy()),
		"patch a secret":         account.Patch(ctx, secret.DeepCopy(), patch),
		"delete a secret":        account.Delete(ctx, secret.DeepCopy()),
		"delete all secrets":     account.DeleteAllOf(ctx, &corev1.Secret{}, client.InNamespace(ns)),
		"list webhooks":          account.List(ctx, &admissionv1.MutatingWebhookConfigurationList{}),
		"get a webhook":          account.Get(ctx, client.ObjectKeyFromObject(webhook), webhook.DeepCopy()),
		"update a webhook":       account.Update(ctx, webhook.DeepCopy()),
		"patch a webhook":        account.Patch(ctx, webhook.DeepCopy(), patch),
		"delete a webhook":       account.Delete(ctx, webhook.DeepCopy()),
		"list validating ones":   account.List(ctx, &admissionv1.ValidatingWebhookConfigurationList{}),
		"write a policy":         account.Create(ctx, policyMap(ns, "own", everyJob)),
		"ask for its own token":  ownToken(t, account),
		"create a pod somewhere": account.Create(ctx, jobPod(ns)),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("%s: got %v, want 403", name, err)
		}
		if status := apierrors.APIStatus(nil); errors.As(err, &status) && status.Status().Code != 403 {
			t.Errorf("%s: code %d, want 403", name, status.Status().Code)
		}
	}
}

// ownToken asks for another token of the server's own account, by which a stolen one could be kept alive.
func ownToken(t *testing.T, account client.Client) error {
	t.Helper()
	self := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: installed.Namespace, Name: installed.ServiceAccount}}
	return account.SubResource("token").Create(t.Context(), self, &authenticationv1.TokenRequest{})
}
