package certs

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"quartermaster.dev/e2e/internal/pki"
	"quartermaster.dev/e2e/release"
)

// An installation is the chart's objects for one test, all of one name in a namespace of that name.
type installation struct {
	name           string
	configurations []*unstructured.Unstructured
	deployment     *appsv1.Deployment // that of quartermaster-certs
}

var installations atomic.Int64

// install applies the chart in mode builtin, the webhook configurations excepted, as they are for the test to register.
func install(t *testing.T) *installation {
	t.Helper()
	in := &installation{name: fmt.Sprintf("quartermaster-%d", installations.Add(1))}
	objects, err := release.Render(release.Options{Name: in.name, Namespace: in.name, Values: map[string]any{
		"certificates": map[string]any{"mode": "builtin"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := plane.Namespace(t.Context(), in.name, nil); err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		switch object.GetKind() {
		case "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration":
			in.configurations = append(in.configurations, object)
		case "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "Deployment":
			if err := plane.Apply(t.Context(), object); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(in.configurations) != 2 {
		t.Fatalf("the chart has %d webhook configurations, want 2", len(in.configurations))
	}
	in.deployment = &appsv1.Deployment{}
	if err := plane.Client.Get(t.Context(), types.NamespacedName{Namespace: in.name, Name: in.name + "-certs"}, in.deployment); err != nil {
		t.Fatal(err)
	}
	return in
}

// register applies the webhook configurations, for the test's own namespace alone. Where a server is named by its
// host:port it is called there, in place of the Service.
func (in *installation) register(t *testing.T, server string) {
	t.Helper()
	for _, configuration := range in.configurations {
		configuration = configuration.DeepCopy()
		webhooks, _, _ := unstructured.NestedSlice(configuration.Object, "webhooks")
		for _, webhook := range webhooks {
			fields := webhook.(map[string]any)
			fields["namespaceSelector"] = map[string]any{"matchLabels": map[string]any{"kubernetes.io/metadata.name": in.name}}
			if server != "" {
				path, _, _ := unstructured.NestedString(fields, "clientConfig", "service", "path")
				fields["clientConfig"] = map[string]any{"url": "https://" + server + path}
			}
		}
		if err := unstructured.SetNestedSlice(configuration.Object, webhooks, "webhooks"); err != nil {
			t.Fatal(err)
		}
		if err := plane.Apply(t.Context(), configuration); err != nil {
			t.Fatal(err)
		}
		// The plane is shared, and what is registered for good would keep its API server calling.
		t.Cleanup(func() {
			if err := plane.Client.Delete(context.Background(), configuration); client.IgnoreNotFound(err) != nil {
				t.Error(err)
			}
		})
	}
}

// startCerts starts quartermaster-certs as the chart does, with its account, and with these arguments put after the
// chart's, so that they win.
func (in *installation) startCerts(t *testing.T, args ...string) *program {
	t.Helper()
	container := in.deployment.Spec.Template.Spec.Containers[0]
	args = slices.Concat(container.Args, []string{"--kubeconfig=" + in.kubeconfig(t, in.deployment.Spec.Template.Spec.ServiceAccountName), "--log-level=debug"}, args)
	return start(t, certsBinary, args...)
}

// kubeconfig is a file that authenticates as an account of the installation.
func (in *installation) kubeconfig(t *testing.T, account string) string {
	t.Helper()
	config, err := plane.ServiceAccount(t.Context(), in.name, account)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := plane.WriteKubeconfig(config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// secret is the serving Secret, nil when there is none.
func (in *installation) secret(ctx context.Context) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	err := plane.Client.Get(ctx, types.NamespacedName{Namespace: in.name, Name: in.name + "-tls"}, secret)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return secret, err
}

// bundles are the caBundles of all registered webhooks.
func (in *installation) bundles(ctx context.Context) ([][]byte, error) {
	var bundles [][]byte
	mutating, validating := &admissionregistrationv1.MutatingWebhookConfiguration{}, &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := plane.Client.Get(ctx, types.NamespacedName{Name: in.name}, mutating); client.IgnoreNotFound(err) != nil {
		return nil, err
	}
	for _, webhook := range mutating.Webhooks {
		bundles = append(bundles, webhook.ClientConfig.CABundle)
	}
	if err := plane.Client.Get(ctx, types.NamespacedName{Name: in.name}, validating); client.IgnoreNotFound(err) != nil {
		return nil, err
	}
	for _, webhook := range validating.Webhooks {
		bundles = append(bundles, webhook.ClientConfig.CABundle)
	}
	return bundles, nil
}

// keys of the Secret, in order.
func keys(secret *corev1.Secret) string {
	if secret == nil {
		return "no Secret"
	}
	var names []string
	for name := range secret.Data {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// inOrder returns nil when the Secret holds one good pair and each of three webhooks trusts its authority and no other.
func (in *installation) inOrder(ctx context.Context) error {
	secret, err := in.secret(ctx)
	if err != nil {
		return err
	}
	if got := keys(secret); got != "ca.crt tls.crt tls.key" {
		return fmt.Errorf("the Secret holds %s", got)
	}
	bundles, err := in.bundles(ctx)
	if err != nil {
		return err
	}
	if len(bundles) != 3 {
		return fmt.Errorf("%d webhooks are registered, want 3", len(bundles))
	}
	for _, bundle := range bundles {
		if !bytes.Equal(bundle, secret.Data["ca.crt"]) {
			return fmt.Errorf("a bundle holds %d authorities, want the current one", authorities(bundle))
		}
	}
	return pki.Verify(secret.Data["tls.crt"], bundles[0], in.name+"."+in.name+".svc")
}

// authorities is how many a bundle holds, -1 when it holds anything else.
func authorities(bundle []byte) int {
	parsed, err := pki.Parse(bundle)
	if err != nil {
		return -1
	}
	return len(parsed)
}

// editBundles writes a caBundle into all webhooks of the mutating configuration, as somebody else would.
func (in *installation) editBundles(t *testing.T, bundle []byte) {
	t.Helper()
	in.edit(t, func(configuration *admissionregistrationv1.MutatingWebhookConfiguration) {
		for i := range configuration.Webhooks {
			configuration.Webhooks[i].ClientConfig.CABundle = bundle
		}
	})
}

// edit changes the mutating configuration.
func (in *installation) edit(t *testing.T, change func(*admissionregistrationv1.MutatingWebhookConfiguration)) {
	t.Helper()
	eventually(t, "writing the configuration", func() error {
		configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
		if err := plane.Client.Get(t.Context(), types.NamespacedName{Name: in.name}, configuration); err != nil {
			return err
		}
		change(configuration)
		return plane.Client.Update(t.Context(), configuration)
	})
}

// deleteSecret deletes the serving Secret.
func (in *installation) deleteSecret(t *testing.T) {
	t.Helper()
	if err := plane.Client.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: in.name, Name: in.name + "-tls"}}); err != nil {
		t.Fatal(err)
	}
}
