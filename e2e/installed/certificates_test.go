//go:build e2e

package installed

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"quartermaster.dev/e2e/internal/pki"
)

// serverName is the name in which the API server calls the release's server.
const serverName = releaseName + "." + releaseName + ".svc"

// TestNoJobFailsOnARotation replaces the serving certificate, in every way to provide one, while job pods are asked for:
// each is created, and equipped. That every replica serves the new certificate is seen by its metric; that the API server
// accepts it, by new replicas, to which it has to connect anew.
func TestNoJobFailsOnARotation(t *testing.T) {
	t.Run("builtin", func(t *testing.T) {
		const secret = releaseName + "-tls"
		r, stream := streaming(t, "")
		first := r.awaitServed(t, secret, nil)

		step(t, "helm upgrade to certificates that last longer, and are renewed sooner: the present one is due")
		const longer = "certificates: {duration: 4320h, renewBefore: 2160h}"
		r.upgrade(t, longer)
		second := r.awaitServed(t, secret, first)
		if lasts := time.Until(second.NotAfter); lasts < 4319*time.Hour {
			t.Errorf("the new certificate lasts %s, want 4320h", lasts)
		}
		r.restart(t)

		step(t, "kubectl delete secret %s", secret)
		kubectl(t, "delete", "secret", secret, "-n", r.namespace)
		r.awaitServed(t, secret, second)
		r.restart(t)
		stream.stopAllEquipped(t)
	})

	t.Run("cert-manager", func(t *testing.T) {
		runCertManager(t)
		const secret, leaf, authority = releaseName + "-cert-manager-tls", releaseName + "-tls", releaseName + "-ca"
		r, stream := streaming(t, "certificates: {mode: cert-manager}")
		first := r.awaitServed(t, secret, nil)

		step(t, "the serving certificate is renewed")
		r.renew(t, leaf)
		second := r.awaitServed(t, secret, first)
		step(t, "its authority is renewed, and then the serving certificate again")
		r.renew(t, authority)
		eventually(t, "both authorities are trusted", func(ctx context.Context) (bool, string) {
			trusted, err := r.trusted(ctx)
			return len(trusted) == 2, fmt.Sprintf("%d are, %v", len(trusted), err)
		})
		r.renew(t, leaf)
		third := r.awaitServed(t, secret, second)
		if bytes.Equal(third.AuthorityKeyId, second.AuthorityKeyId) {
			t.Error("the last certificate was signed by the old authority")
		}
		r.restart(t)
		stream.stopAllEquipped(t)
	})

	t.Run("provided", func(t *testing.T) {
		const secret = "provided-tls"
		old, young := newProvided(t, 24*time.Hour), newProvided(t, 48*time.Hour)
		if err := admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: releaseName}}); err != nil {
			t.Fatal(err)
		}
		bring(releaseName, nil)
		provide := func(pair *pki.Pair) {
			t.Helper()
			putSecret(t, releaseName, secret, map[string]string{"tls.crt": string(pair.Certificate), "tls.key": string(pair.Key)})
		}
		values := func(authorities ...[]byte) string {
			return fmt.Sprintf("certificates: {mode: provided, provided: {secretName: %s, caBundle: %s}}", secret,
				base64.StdEncoding.EncodeToString(slices.Concat(authorities...)))
		}
		provide(old)
		r, stream := streaming(t, values(old.Authority))
		first := r.awaitServed(t, secret, nil)

		step(t, "helm upgrade to a bundle of both authorities; then the Secret is replaced")
		r.upgrade(t, values(old.Authority, young.Authority))
		provide(young)
		r.awaitServed(t, secret, first)
		step(t, "helm upgrade to a bundle without the old authority")
		r.upgrade(t, values(young.Authority))
		r.restart(t)
		stream.stopAllEquipped(t)
	})
}

// TestNoJobFailsOnAChangeOfMode hands the serving certificate and the caBundle from quartermaster-certs to cert-manager and
// back, while job pods are asked for. Each adds what it trusts to what the other has left.
func TestNoJobFailsOnAChangeOfMode(t *testing.T) {
	runCertManager(t)
	r, stream := streaming(t, "")
	first := r.awaitServed(t, releaseName+"-tls", nil)

	step(t, "helm upgrade to mode cert-manager")
	r.upgrade(t, "certificates: {mode: cert-manager}")
	second := r.awaitServed(t, releaseName+"-cert-manager-tls", first)
	r.restart(t)

	step(t, "helm upgrade back to mode builtin")
	r.upgrade(t, "certificates: {mode: builtin}")
	r.awaitServed(t, releaseName+"-tls", second)
	r.restart(t)
	stream.stopAllEquipped(t)
}

// streaming installs the chart with these values, and begins to ask for job pods.
func streaming(t *testing.T, values string) (*release, *stream) {
	t.Helper()
	ns := namespace(t, nil)
	applyExample(t, ns, "dev/*.yaml")
	r := installChart(t, values)
	r.settle(t, ns)
	return r, startStream(t, newRunner(t, ns), jobPod(t, "stream", "attach"))
}

func newProvided(t *testing.T, lasts time.Duration) *pki.Pair {
	t.Helper()
	pair, err := pki.New(lasts, serverName)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// awaitServed waits until the Secret holds another certificate than before and every replica serves it, and returns it.
// Whenever it is looked at, what the Secret holds has to be trusted by what is registered.
func (r *release) awaitServed(t *testing.T, secret string, before *x509.Certificate) (leaf *x509.Certificate) {
	t.Helper()
	eventually(t, "every replica serves a new certificate", func(ctx context.Context) (bool, string) {
		object := &corev1.Secret{}
		if err := admin.Get(ctx, types.NamespacedName{Namespace: r.namespace, Name: secret}, object); err != nil {
			return false, err.Error()
		}
		// The configuration last: it is what has to be ahead.
		bundle, err := r.bundle(ctx)
		if err != nil {
			return false, err.Error()
		}
		served, err := pki.Parse(object.Data["tls.crt"])
		if err != nil || len(served) == 0 {
			return false, fmt.Sprintf("the Secret holds no certificate, %v", err)
		}
		if before != nil && served[0].Equal(before) {
			return false, "the Secret still holds the old certificate"
		}
		if err := pki.Verify(object.Data["tls.crt"], bundle, serverName); err != nil {
			t.Errorf("the new certificate is to be served and not trusted: %v", err)
		}
		leaf = served[0]
		saw := r.serving(ctx, leaf)
		return saw == "", saw
	})
	step(t, "every replica serves certificate %x, which expires %s", leaf.SerialNumber, leaf.NotAfter.Format(time.RFC3339))
	return leaf
}

// serving is what is wrong with the claim that each of two replicas serves this certificate, "" when that is so.
func (r *release) serving(ctx context.Context, leaf *x509.Certificate) string {
	pods, err := r.pods(ctx)
	if err != nil || len(pods) != 2 {
		return fmt.Sprintf("there are %d replicas, %v", len(pods), err)
	}
	for _, pod := range pods {
		metrics, err := run(ctx, "", *kubectlPath, "--kubeconfig", *kubeconfig, "get", "--raw",
			fmt.Sprintf("/api/v1/namespaces/%s/pods/%s:8080/proxy/metrics", pod.Namespace, pod.Name))
		if err != nil {
			return err.Error()
		}
		_, value, _ := strings.Cut(metrics, "\nquartermaster_certificate_expiry_timestamp_seconds ")
		value, _, _ = strings.Cut(value, "\n")
		if expiry, err := strconv.ParseFloat(value, 64); err != nil || int64(expiry) != leaf.NotAfter.Unix() {
			return fmt.Sprintf("pod %s serves one that expires at %q", pod.Name, value)
		}
	}
	return ""
}

// bundle is the caBundle by which the API server verifies the server, which is the same for all webhooks.
func (r *release) bundle(ctx context.Context) ([]byte, error) {
	mutating, validating := &admissionregistrationv1.MutatingWebhookConfiguration{}, &admissionregistrationv1.ValidatingWebhookConfiguration{}
	if err := admin.Get(ctx, types.NamespacedName{Name: r.name}, mutating); err != nil {
		return nil, err
	}
	if err := admin.Get(ctx, types.NamespacedName{Name: r.name}, validating); err != nil {
		return nil, err
	}
	bundle := mutating.Webhooks[0].ClientConfig.CABundle
	for _, other := range [][]byte{mutating.Webhooks[1].ClientConfig.CABundle, validating.Webhooks[0].ClientConfig.CABundle} {
		if !bytes.Equal(bundle, other) {
			return nil, fmt.Errorf("the webhooks have different caBundles")
		}
	}
	return bundle, nil
}

// trusted are the authorities of the caBundle.
func (r *release) trusted(ctx context.Context) ([]*x509.Certificate, error) {
	bundle, err := r.bundle(ctx)
	if err != nil {
		return nil, err
	}
	return pki.Parse(bundle)
}

// restart replaces every replica, to which the API server then connects anew.
func (r *release) restart(t *testing.T) {
	t.Helper()
	step(t, "kubectl rollout restart deployment %s", r.name)
	kubectl(t, "rollout", "restart", "deployment", r.name, "-n", r.namespace)
	kubectl(t, "rollout", "status", "deployment", r.name, "-n", r.namespace, "--timeout", "2m")
}
