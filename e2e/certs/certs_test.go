package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"quartermaster.dev/e2e/internal/pki"
)

func TestFromNothing(t *testing.T) {
	t.Parallel()
	in := install(t)
	program := in.startCerts(t)
	// Helm makes the webhook configurations last: the Secret does not wait for them.
	eventually(t, "a certificate", func() error {
		secret, err := in.secret(t.Context())
		if err != nil || keys(secret) != "ca.crt tls.crt tls.key" {
			return fmt.Errorf("the Secret holds %s, %w", keys(secret), err)
		}
		return nil
	})
	program.awaitReady(t)
	in.register(t, "")
	eventually(t, "everything is in order", func() error { return in.inOrder(t.Context()) })

	secret, err := in.secret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{in.name, in.name + "." + in.name, in.name + "." + in.name + ".svc", in.name + "." + in.name + ".svc.cluster.local"} {
		if err := pki.Verify(secret.Data["tls.crt"], secret.Data["ca.crt"], name); err != nil {
			t.Errorf("as %s: %v", name, err)
		}
	}
	if owners := secret.OwnerReferences; len(owners) != 1 || owners[0].UID != in.deployment.UID || owners[0].Kind != "Deployment" {
		t.Errorf("the Secret's owners: %v", owners)
	}
	pair, err := tls.X509KeyPair(secret.Data["tls.crt"], secret.Data["tls.key"])
	if err != nil {
		t.Fatal(err)
	}
	if lasts := time.Until(pair.Leaf.NotAfter); lasts < 2159*time.Hour || lasts > 2160*time.Hour {
		t.Errorf("the certificate lasts %s, want the 2160h of the chart", lasts)
	}
	expiry, err := program.metric("quartermaster_certs_expiry_timestamp_seconds")
	if err != nil || int64(expiry) != pair.Leaf.NotAfter.Unix() {
		t.Errorf("the metric says %f, %v, want %d", expiry, err, pair.Leaf.NotAfter.Unix())
	}
	if got, err := program.metric("quartermaster_certs_rotations_total"); got != 1 {
		t.Errorf("%f rotations, want 1, %v", got, err)
	}
	for line := range strings.Lines(string(secret.Data["tls.key"])) {
		if strings.Contains(program.logs.String(), strings.TrimSpace(line)) {
			t.Error("the log holds the key")
		}
	}

	// Helm applies what it has rendered again, and names no caBundle.
	in.register(t, "")
	if err := in.inOrder(t.Context()); err != nil {
		t.Errorf("after an upgrade: %v", err)
	}
	program.stop(t)

	// A restart changes nothing.
	again := in.startCerts(t)
	again.awaitReady(t)
	after, err := in.secret(t.Context())
	if err != nil || after.ResourceVersion != secret.ResourceVersion {
		t.Errorf("a restart has written the Secret: %v", err)
	}
	again.stop(t)
}

// TestRights asks as the account of quartermaster-certs for what it does not need.
func TestRights(t *testing.T) {
	t.Parallel()
	in, other := install(t), &corev1.Secret{}
	config, err := plane.ServiceAccount(t.Context(), in.name, in.deployment.Spec.Template.Spec.ServiceAccountName)
	if err != nil {
		t.Fatal(err)
	}
	account, err := client.New(config, client.Options{Mapper: plane.Client.RESTMapper()})
	if err != nil {
		t.Fatal(err)
	}
	other.Namespace, other.Name = in.name, "other"
	if err := plane.Client.Create(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"reading another Secret":            account.Get(t.Context(), client.ObjectKeyFromObject(other), other.DeepCopy()),
		"writing another Secret":            account.Update(t.Context(), other.DeepCopy()),
		"deleting a Secret":                 account.Delete(t.Context(), other.DeepCopy()),
		"listing the namespace's Secrets":   account.List(t.Context(), &corev1.SecretList{}, client.InNamespace(in.name)),
		"creating a Secret elsewhere":       account.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: in.name}}),
		"listing webhook configurations":    account.List(t.Context(), &admissionregistrationv1.MutatingWebhookConfigurationList{}),
		"deleting its webhooks":             account.Delete(t.Context(), &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: in.name}}),
		"creating a webhook":                account.Create(t.Context(), &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: in.name + "-2"}}),
		"listing Deployments":               account.List(t.Context(), &appsv1.DeploymentList{}, client.InNamespace(in.name)),
		"listing the namespace's pods":      account.List(t.Context(), &corev1.PodList{}, client.InNamespace(in.name)),
		"listing the namespace's ConfigMap": account.List(t.Context(), &corev1.ConfigMapList{}, client.InNamespace(in.name)),
	} {
		if !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v, want forbidden", name, err)
		}
	}
}

func TestSecretDeleted(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.register(t, "")
	program := in.startCerts(t, "--overlap=3s", "--retain=6s")
	eventually(t, "everything is in order", func() error { return in.inOrder(t.Context()) })
	before, err := in.secret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	in.deleteSecret(t)
	// Servers go on with the files that they have, so their authority stays trusted, and the new one is trusted first.
	trustsBoth := func() error {
		bundles, err := in.bundles(t.Context())
		for _, bundle := range bundles {
			if authorities(bundle) != 2 || pki.Verify(before.Data["tls.crt"], bundle, in.name) != nil {
				err = errors.New("a bundle does not hold both authorities")
			}
		}
		return err
	}
	eventually(t, "both are trusted", trustsBoth)
	secret, err := in.secret(t.Context())
	if err != nil || keys(secret) != "next-ca.crt next.crt next.key previous-ca.crt" {
		t.Fatalf("the Secret holds %s, %v; the new certificate must not be served at once", keys(secret), err)
	}
	eventually(t, "the new certificate is served", func() error {
		if err := trustsBoth(); err != nil {
			t.Fatal(err)
		}
		secret, err := in.secret(t.Context())
		if err != nil || keys(secret) != "ca.crt previous-ca.crt tls.crt tls.key" {
			return fmt.Errorf("the Secret holds %s, %w", keys(secret), err)
		}
		return nil
	})
	eventually(t, "the old authority is distrusted", func() error { return in.inOrder(t.Context()) })
	program.stop(t)
}

func TestBundleOverwritten(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.register(t, "")
	// As long as authorities are retained, strange ones are too.
	program := in.startCerts(t, "--retain=0s")
	eventually(t, "everything is in order", func() error { return in.inOrder(t.Context()) })
	strange, err := pki.New(time.Hour, "strange")
	if err != nil {
		t.Fatal(err)
	}
	for name, bundle := range map[string][]byte{
		"emptied":     nil,
		"garbage":     []byte("garbage"),
		"another one": strange.Authority,
	} {
		in.editBundles(t, bundle)
		begin := time.Now()
		eventually(t, name+": everything is in order", func() error { return in.inOrder(t.Context()) })
		// It is the watch that tells, not the look every minute.
		if took := time.Since(begin); took > 30*time.Second {
			t.Errorf("%s: it took %s to be restored", name, took)
		}
	}
	program.stop(t)
}

// TestHandedOver is what an upgrade to another certificate mode does: one write takes the annotation and names another
// authority, while this process still runs.
func TestHandedOver(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.register(t, "")
	program := in.startCerts(t, "--retain=0s", "--overlap=1s") // what is strange would be taken out at once
	eventually(t, "everything is in order", func() error { return in.inOrder(t.Context()) })
	strange, err := pki.New(time.Hour, "strange")
	if err != nil {
		t.Fatal(err)
	}
	in.edit(t, func(configuration *admissionregistrationv1.MutatingWebhookConfiguration) {
		delete(configuration.Annotations, "quartermaster.dev/certificates")
		for i := range configuration.Webhooks {
			configuration.Webhooks[i].ClientConfig.CABundle = strange.Authority
		}
	})
	// A rotation by hand: when it is through, everything was looked at many times.
	before, err := in.secret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	in.deleteSecret(t)
	eventually(t, "another certificate is served", func() error {
		secret, err := in.secret(t.Context())
		if err == nil && (keys(secret) != "ca.crt tls.crt tls.key" || bytes.Equal(secret.Data["tls.crt"], before.Data["tls.crt"])) {
			err = errors.New(keys(secret))
		}
		return err
	})
	bundles, err := in.bundles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, bundle := range bundles[:2] {
		if !bytes.Equal(bundle, strange.Authority) {
			t.Errorf("webhook %d: the caBundle is no longer that which the upgrade wrote", i)
		}
	}
	program.stop(t)
}

// TestKilledAfterEachWrite kills the process whenever it has written something, through an installation and a rotation
// by hand, and looks after each write.
func TestKilledAfterEachWrite(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.register(t, "")
	var served []byte // what a server may be serving since it was last in the Secret
	kills := 0
	through := func(done func() error) {
		t.Helper()
		eventually(t, "the end of the rotation", func() error {
			before := in.versions(t)
			program := in.startCerts(t, "--overlap=1s", "--retain=3s")
			eventually(t, "a write, or the end", func() error {
				if in.versions(t) == before && done() != nil {
					return errors.New("nothing was written")
				}
				return nil
			})
			program.kill()
			kills++
			secret, err := in.secret(t.Context())
			if err != nil {
				return err
			}
			if secret != nil && len(secret.Data["tls.crt"]) > 0 {
				served = secret.Data["tls.crt"]
			}
			bundles, err := in.bundles(t.Context())
			for _, bundle := range bundles {
				if served != nil && pki.Verify(served, bundle, in.name) != nil {
					t.Fatalf("after %d kills what is served is not trusted; the Secret holds %s", kills, keys(secret))
				}
			}
			return errors.Join(err, done())
		})
	}
	through(func() error { return in.inOrder(t.Context()) })
	before := served
	in.deleteSecret(t)
	through(func() error {
		if string(before) == string(served) {
			return errors.New("not rotated yet")
		}
		return in.inOrder(t.Context())
	})
	if kills < 5 { // some writes follow upon each other faster than one can look
		t.Errorf("killed %d times only", kills)
	}
}

// versions changes with every write.
func (in *installation) versions(t *testing.T) string {
	t.Helper()
	text := ""
	for _, object := range []client.Object{
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: in.name, Name: in.name + "-tls"}},
		&admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: in.name}},
		&admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: in.name}},
	} {
		if err := plane.Client.Get(t.Context(), client.ObjectKeyFromObject(object), object); client.IgnoreNotFound(err) != nil {
			t.Fatal(err)
		}
		text += object.GetResourceVersion() + " "
	}
	return text
}

// TestOwnerGone uninstalls and installs again: the process that is about to end makes no new Secret, and one that was
// left behind gets the new owner.
func TestOwnerGone(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.register(t, "")
	program := in.startCerts(t)
	eventually(t, "everything is in order", func() error { return in.inOrder(t.Context()) })
	deployment := in.deployment.DeepCopy()
	if err := plane.Client.Delete(t.Context(), deployment); err != nil {
		t.Fatal(err)
	}
	left, err := in.secret(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	in.deleteSecret(t) // as the garbage collector does
	eventually(t, "the program says that it is uninstalled", func() error {
		if text := program.logs.String(); !strings.Contains(text, "named by --owner") {
			return errors.New("it does not")
		}
		return nil
	})
	if secret, err := in.secret(t.Context()); secret != nil || err != nil {
		t.Errorf("there is a new Secret, %v", err)
	}
	program.stop(t)

	left.ResourceVersion, left.UID = "", ""
	if err := plane.Client.Create(t.Context(), left); err != nil {
		t.Fatal(err)
	}
	again := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: in.name, Name: deployment.Name}, Spec: deployment.Spec}
	if err := plane.Client.Create(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	program = in.startCerts(t)
	eventually(t, "the Secret is the new Deployment's", func() error {
		secret, err := in.secret(t.Context())
		if err != nil || secret == nil || len(secret.OwnerReferences) != 1 || secret.OwnerReferences[0].UID != again.UID {
			return fmt.Errorf("%v, %w", secret, err)
		}
		return nil
	})
	if secret, err := in.secret(t.Context()); err != nil || string(secret.Data["tls.crt"]) != string(left.Data["tls.crt"]) {
		t.Errorf("the certificate was replaced, %v", err)
	}
	program.stop(t)
}

func TestRemove(t *testing.T) {
	t.Parallel()
	in := install(t)
	in.register(t, "")
	path := t.TempDir() + "/kubeconfig"
	if err := plane.WriteKubeconfig(plane.Config, path); err != nil {
		t.Fatal(err)
	}
	remove := func(args ...string) (string, int) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		cmd := exec.CommandContext(ctx, certsBinary, append([]string{"remove", "--kubeconfig=" + path}, args...)...)
		out, err := cmd.CombinedOutput()
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return string(out), cmd.ProcessState.ExitCode()
	}
	both := []string{"--mutating-webhook-configuration=" + in.name, "--validating-webhook-configuration=" + in.name}
	for _, test := range []struct {
		args []string
		want string
		code int
	}{
		{nil, "error: no webhook configuration is named; give --mutating-webhook-configuration or --validating-webhook-configuration\n", 2},
		{both, fmt.Sprintf("mutatingwebhookconfiguration/%[1]s deleted\nvalidatingwebhookconfiguration/%[1]s deleted\n", in.name), 0},
		{both, fmt.Sprintf("mutatingwebhookconfiguration/%[1]s is not there\nvalidatingwebhookconfiguration/%[1]s is not there\n", in.name), 0},
		{[]string{"--kubeconfig=/none", both[0]}, "error: --kubeconfig /none cannot be used: stat /none: no such file or directory\n", 1},
	} {
		if got, code := remove(test.args...); got != test.want || code != test.code {
			t.Errorf("remove %v: exit code %d, %s\nwant %d, %s", test.args, code, got, test.code, test.want)
		}
	}
	if bundles, err := in.bundles(t.Context()); len(bundles) != 0 || err != nil {
		t.Errorf("%d webhooks are left, %v", len(bundles), err)
	}
}
