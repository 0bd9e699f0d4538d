package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newPair(t testing.TB, now time.Time, duration time.Duration, names ...string) *Pair {
	t.Helper()
	pair, err := NewPair(now, duration, names)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func TestNewPair(t *testing.T) {
	t.Parallel()
	// The names may be longer than what a common name can hold.
	long := strings.Repeat("s", 63) + "." + strings.Repeat("n", 63) + ".svc"
	pair := newPair(t, start, 2160*time.Hour, "quartermaster", long)

	pool := x509.NewCertPool()
	pool.AddCert(pair.Authority)
	for _, name := range []string{"quartermaster", long} {
		for _, at := range []time.Time{start.Add(-59 * time.Minute), start, start.Add(2160 * time.Hour)} {
			if _, err := pair.leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: name, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err != nil {
				t.Errorf("as %q at %s: %v", name, at, err)
			}
		}
	}
	if _, err := pair.leaf.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: start.Add(2161 * time.Hour)}); err == nil {
		t.Error("it does not expire")
	}
	if _, err := pair.leaf.Verify(x509.VerifyOptions{Roots: pool, CurrentTime: start, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err == nil {
		t.Error("it authenticates clients")
	}
	if key, ok := pair.leaf.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("the key is %T", pair.leaf.PublicKey)
	}
	if pair.leaf.IsCA || pair.leaf.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Errorf("CA: %t, key usage: %b", pair.leaf.IsCA, pair.leaf.KeyUsage)
	}
	if a := pair.Authority; !a.IsCA || !a.MaxPathLenZero || a.KeyUsage != x509.KeyUsageCertSign || !a.NotAfter.Equal(pair.NotAfter()) {
		t.Errorf("the authority: CA %t, path %d, key usage %b, until %s", a.IsCA, a.MaxPathLen, a.KeyUsage, a.NotAfter)
	}
	if served, err := tls.X509KeyPair(pair.Certificate, pair.Key); err != nil || len(served.Certificate) != 1 {
		t.Errorf("as a server reads it: %d certificates, %v", len(served.Certificate), err)
	}
	other := newPair(t, start, time.Hour, "quartermaster")
	if other.Authority.Equal(pair.Authority) || string(other.Authority.RawSubject) == string(pair.Authority.RawSubject) {
		t.Error("two pairs share an authority, or its name")
	}
}

func TestPairTellsNothingOfItsKey(t *testing.T) {
	t.Parallel()
	pair := newPair(t, start, time.Hour, "quartermaster")
	block, _ := pem.Decode(pair.Key)
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("made", "pair", pair, "none", (*Pair)(nil))
	if !strings.Contains(log.String(), `"none":"none"`) || !strings.Contains(log.String(), pair.String()) {
		t.Errorf("logged %s", &log)
	}
	for _, text := range []string{log.String(), fmt.Sprint(pair), fmt.Sprintf("%v %+v %s", pair, pair, pair)} {
		encoded := strings.ReplaceAll(string(pair.Key), "\n", "")
		if strings.Contains(text, "KEY") || strings.Contains(text, string(block.Bytes[:8])) || strings.Contains(text, encoded[30:60]) {
			t.Errorf("%q", text)
		}
	}
	secret := []byte("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")
	_, err := ParsePair(pair.Certificate, secret, nil)
	if err == nil || strings.Contains(err.Error(), "c2VjcmV0") || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}

func TestParsePair(t *testing.T) {
	t.Parallel()
	a, b := newPair(t, start, time.Hour, "quartermaster"), newPair(t, start, time.Hour, "quartermaster")
	authorityA, authorityB := EncodeBundle([]*x509.Certificate{a.Authority}), EncodeBundle([]*x509.Certificate{b.Authority})
	for name, test := range map[string]struct {
		certificate, key, authority []byte
		problem                     string
	}{
		"whole":                      {a.Certificate, a.Key, authorityA, ""},
		"among other authorities":    {a.Certificate, a.Key, append(authorityB, authorityA...), ""},
		"the key of another":         {a.Certificate, b.Key, authorityA, "does not match"},
		"the authority of another":   {a.Certificate, a.Key, authorityB, "the authority that signed"},
		"no authority":               {a.Certificate, a.Key, nil, "the authority that signed"},
		"no certificate":             {nil, a.Key, authorityA, "no certificate or no key"},
		"no key":                     {a.Certificate, nil, authorityA, "no certificate or no key"},
		"half a certificate":         {a.Certificate[:100], a.Key, authorityA, "failed to find any PEM data"},
		"a certificate that is none": {[]byte("hello"), a.Key, authorityA, "failed to find any PEM data"},
	} {
		pair, err := ParsePair(test.certificate, test.key, test.authority)
		switch {
		case test.problem == "" && (err != nil || !pair.Authority.Equal(a.Authority)):
			t.Errorf("%s: %v", name, err)
		case test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)):
			t.Errorf("%s: got %v, want %q", name, err, test.problem)
		}
	}
}

func TestParseBundle(t *testing.T) {
	t.Parallel()
	a, b := newPair(t, start, time.Hour, "a").Authority, newPair(t, start, time.Hour, "b").Authority
	bundle := append([]byte("text before\n"), EncodeBundle([]*x509.Certificate{a, b, a})...)
	bundle = append(bundle, "-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n-----BEGIN CERTIF"...)
	if got := ParseBundle(bundle); !SameBundle(got, []*x509.Certificate{b, a}) {
		t.Errorf("%d certificates, want a and b", len(got))
	}
	if got := ParseBundle([]byte("no PEM")); len(got) != 0 {
		t.Errorf("%d certificates of none", len(got))
	}
	if SameBundle([]*x509.Certificate{a}, []*x509.Certificate{a, b}) || SameBundle([]*x509.Certificate{a, b}, []*x509.Certificate{a}) {
		t.Error("a part is not the same")
	}
}
