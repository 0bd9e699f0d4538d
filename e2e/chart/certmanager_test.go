package chart_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/json"
)

// authority is what the chart asks of cert-manager, by the types of cert-manager itself.
type authority struct {
	issuers      map[string]*certmanager.Issuer
	certificates map[string]*certmanager.Certificate
}

// decodeStrictly refuses unknown and misspelt fields, and those that stand twice.
func decodeStrictly[T any](t *testing.T, object *unstructured.Unstructured) *T {
	t.Helper()
	text, err := object.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	typed := new(T)
	strict, err := json.UnmarshalStrict(text, typed)
	if err != nil || len(strict) > 0 {
		t.Fatalf("%s %s: %v %v", object.GetKind(), object.GetName(), err, strict)
	}
	return typed
}

func authorityOf(t *testing.T, c *combination) authority {
	t.Helper()
	a := authority{map[string]*certmanager.Issuer{}, map[string]*certmanager.Certificate{}}
	for _, object := range c.of("Issuer") {
		a.issuers[object.GetName()] = decodeStrictly[certmanager.Issuer](t, object)
	}
	for _, object := range c.of("Certificate") {
		a.certificates[object.GetName()] = decodeStrictly[certmanager.Certificate](t, object)
	}
	return a
}

// inModeCertManager renders the mode with the chart's durations and with others.
func inModeCertManager(t *testing.T) []*combination {
	t.Helper()
	durations := map[string]any{"certificates": map[string]any{
		"duration": "1000h", "renewBefore": "999h", "certManager": map[string]any{"caDuration": "2001h"},
	}}
	all := slices.Concat(everything(t), everything(t, durations))
	return slices.DeleteFunc(all, func(c *combination) bool { return c.mode != "cert-manager" })
}

// TestCertManagerSignsByAnAuthority: self-signed root, its long-lived authority, what that signs; nothing that is served
// has signed itself.
func TestCertManagerSignsByAnAuthority(t *testing.T) {
	t.Parallel()
	for _, c := range inModeCertManager(t) {
		a := authorityOf(t, c)
		if len(a.issuers) != 2 || len(a.certificates) != 2 {
			t.Fatalf("%d Issuers and %d Certificates, want two of each", len(a.issuers), len(a.certificates))
		}
		leaf, root := a.certificates[fullName+"-tls"], a.certificates[fullName+"-ca"]
		issuer := a.issuers[leaf.Spec.IssuerRef.Name]
		if issuer == nil || issuer.Spec.SelfSigned != nil || issuer.Spec.CA == nil || issuer.Spec.CA.SecretName != root.Spec.SecretName {
			t.Errorf("the serving certificate is issued by %+v, and not by the authority", issuer)
		}
		if issuer = a.issuers[root.Spec.IssuerRef.Name]; issuer == nil || issuer.Spec.SelfSigned == nil {
			t.Errorf("the authority is issued by %+v, and not by itself", issuer)
		}
		if leaf.Spec.IsCA || !root.Spec.IsCA {
			t.Errorf("isCA of the serving certificate is %t, of the authority %t", leaf.Spec.IsCA, root.Spec.IsCA)
		}
		for _, certificate := range a.certificates {
			ref := certificate.Spec.IssuerRef
			if ref.Kind != certmanager.IssuerKind || ref.Group != certmanager.SchemeGroupVersion.Group {
				t.Errorf("%s is issued by %v", certificate.Name, ref)
			}
		}
	}
}

// TestCertManagerRenewsInTime: a new key each time, a month and more to notice a renewal that fails, and an authority that
// outlives what it signs.
func TestCertManagerRenewsInTime(t *testing.T) {
	t.Parallel()
	for _, c := range inModeCertManager(t) {
		a := authorityOf(t, c)
		leaf, root := a.certificates[fullName+"-tls"], a.certificates[fullName+"-ca"]
		for name, certificate := range a.certificates {
			spec := certificate.Spec
			if spec.PrivateKey == nil || spec.PrivateKey.RotationPolicy != certmanager.RotationPolicyAlways || spec.PrivateKey.Algorithm != certmanager.ECDSAKeyAlgorithm {
				t.Errorf("%s: private key %+v", name, spec.PrivateKey)
			}
			if spec.RenewBefore.Duration < 30*24*time.Hour || spec.RenewBefore.Duration >= spec.Duration.Duration || spec.RenewBeforePercentage != nil {
				t.Errorf("%s: lasts %s and is renewed %s before its end", name, spec.Duration.Duration, spec.RenewBefore.Duration)
			}
		}
		// What it signs last, just before it is renewed itself, must end first.
		if root.Spec.RenewBefore.Duration < leaf.Spec.Duration.Duration {
			t.Errorf("the authority is renewed %s before its end, and signs for %s", root.Spec.RenewBefore.Duration, leaf.Spec.Duration.Duration)
		}
		if root.Spec.Duration.Duration <= 2*leaf.Spec.Duration.Duration {
			t.Errorf("the authority lasts %s, what it signs %s", root.Spec.Duration.Duration, leaf.Spec.Duration.Duration)
		}
	}
}

// TestCertManagerCertificatesFit: what the API server asks for is in the certificate, which is for nothing else.
func TestCertManagerCertificatesFit(t *testing.T) {
	t.Parallel()
	for _, c := range inModeCertManager(t) {
		leaf := authorityOf(t, c).certificates[fullName+"-tls"]
		want := []string{fullName + ".ops.svc", fullName, fullName + ".ops", fullName + ".ops.svc.cluster.local"}
		if diff := cmp.Diff(want, leaf.Spec.DNSNames); diff != "" {
			t.Errorf("dnsNames (-want +got):\n%s", diff)
		}
		usages := []certmanager.KeyUsage{certmanager.UsageServerAuth, certmanager.UsageDigitalSignature}
		if diff := cmp.Diff(usages, leaf.Spec.Usages); diff != "" {
			t.Errorf("usages (-want +got):\n%s", diff)
		}
	}
}

// TestWhoFillsInTheBundle: in mode cert-manager each webhook configuration is to be given the authority, by the Certificate
// of the authority itself; the field is named by the chart in mode provided alone.
func TestWhoFillsInTheBundle(t *testing.T) {
	t.Parallel()
	for _, c := range combinations(t) {
		for _, object := range slices.Concat(c.of("MutatingWebhookConfiguration"), c.of("ValidatingWebhookConfiguration")) {
			source := object.GetAnnotations()[certmanager.WantInjectAnnotation]
			if want := map[string]string{"cert-manager": namespace + "/" + fullName + "-ca"}[c.mode]; source != want {
				t.Errorf("%s: %s: the bundle is taken from %q, want %q", c.name, object.GetKind(), source, want)
			}
			webhooks, _, err := unstructured.NestedSlice(object.Object, "webhooks")
			if err != nil || len(webhooks) == 0 {
				t.Fatalf("%s: %s: %d webhooks, %v", c.name, object.GetKind(), len(webhooks), err)
			}
			for _, webhook := range webhooks {
				bundle, named, err := unstructured.NestedString(webhook.(map[string]any), "clientConfig", "caBundle")
				if err != nil {
					t.Fatal(err)
				}
				if want := map[string]string{"provided": "Q0E="}[c.mode]; bundle != want || named != (want != "") {
					t.Errorf("%s: %s: caBundle %q, want %q", c.name, object.GetKind(), bundle, want)
				}
			}
		}
	}
}

// TestWhatCertManagerFillsIsTheReleases: cert-manager leaves the Secrets that it makes behind, so it makes none. Their data are
// its own, and an upgrade must not touch them.
func TestWhatCertManagerFillsIsTheReleases(t *testing.T) {
	t.Parallel()
	for _, c := range combinations(t) {
		var want, got []string
		for _, certificate := range authorityOf(t, c).certificates {
			want = append(want, certificate.Spec.SecretName)
		}
		for _, object := range c.of("Secret") {
			got = append(got, object.GetName())
			if _, found := object.Object["data"]; found || object.Object["type"] != "Opaque" {
				t.Errorf("%s: Secret %s is rendered with data, or with a type that wants some", c.name, object.GetName())
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: Secrets (-want +got):\n%s", c.name, strings.TrimSpace(diff))
		}
	}
}
