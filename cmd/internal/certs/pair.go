package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"time"
)

// backdate is how far clocks may lag behind ours without taking a new
// certificate for one of the future: longer than earlier authorities are usually
// retained, so that a clock ahead of all others has none distrusted of which a
// server, by its own clock, cannot let go yet.
const backdate = 25 * time.Hour

// A Pair is a serving certificate with its key and the authority that signed it.
type Pair struct {
	// Certificate and Key are PEM, as a server reads them.
	Certificate, Key []byte
	// Authority signed the certificate.
	Authority *x509.Certificate

	leaf *x509.Certificate
}

// NewPair makes a pair that is valid for these names, in each of which a client
// may know the server, from now on for the duration. The authority is made for
// it and lasts as long; its key is not kept.
func NewPair(now time.Time, duration time.Duration, dnsNames []string) (*Pair, error) {
	authority, authorityKey, err := newAuthority(now, duration)
	if err != nil {
		return nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	// Without a subject the names are the only identity, which is what clients look at.
	leaf, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber:          serial,
		NotBefore:             authority.NotBefore,
		NotAfter:              authority.NotAfter,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:              dnsNames,
	}, authority, key.Public(), authorityKey)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return ParsePair(
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		EncodeBundle([]*x509.Certificate{authority}))
}

func newAuthority(now time.Time, duration time.Duration) (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := newSerial()
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		// A name of its own spares clients to try one authority after the other.
		Subject:               pkix.Name{CommonName: fmt.Sprintf("quartermaster-certs %x", serial)},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(duration),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	authority, err := x509.ParseCertificate(der)
	return authority, key, err
}

func newSerial() (*big.Int, error) {
	return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
}

// ParsePair reads a pair from PEM. authorities must hold the certificate that
// signed the first one of certificate. An error tells nothing of the key.
func ParsePair(certificate, key, authorities []byte) (*Pair, error) {
	if len(certificate) == 0 || len(key) == 0 {
		return nil, errors.New("there is no certificate or no key")
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, err
	}
	for _, authority := range ParseBundle(authorities) {
		if pair.Leaf.CheckSignatureFrom(authority) == nil {
			return &Pair{Certificate: certificate, Key: key, Authority: authority, leaf: pair.Leaf}, nil
		}
	}
	return nil, errors.New("the authority that signed the certificate is not beside it")
}

// NotAfter is when the serving certificate expires.
func (p *Pair) NotAfter() time.Time { return p.leaf.NotAfter }

// String names the certificate, and nothing of its key.
func (p *Pair) String() string { return fmt.Sprintf("%x", p.leaf.SerialNumber) }

// LogValue names the certificate in a log. It is safe to be called on nil.
func (p *Pair) LogValue() slog.Value {
	if p == nil {
		return slog.StringValue("none")
	}
	return slog.GroupValue(slog.String("serial", p.String()), slog.Time("notAfter", p.NotAfter()))
}

// valid reports whether a client would accept the certificate now.
func (p *Pair) valid(now time.Time) bool {
	return p != nil && !now.Before(p.leaf.NotBefore) && !now.After(p.leaf.NotAfter)
}

func (p *Pair) signedBy(authority *x509.Certificate) bool {
	return p != nil && p.Authority.Equal(authority)
}

// issued is when NewPair made the certificate.
func (p *Pair) issued() time.Time { return p.leaf.NotBefore.Add(backdate) }

// serves reports whether the certificate is for each of the names.
func (p *Pair) serves(dnsNames []string) bool {
	return !slices.ContainsFunc(dnsNames, func(name string) bool { return p.leaf.VerifyHostname(name) != nil })
}

// ParseBundle returns the certificates of a PEM bundle, each once. What is no
// certificate is passed over: no client trusts it either.
func ParseBundle(bundle []byte) []*x509.Certificate {
	var found []*x509.Certificate
	for {
		block, rest := pem.Decode(bundle)
		if block == nil {
			return found
		}
		bundle = rest
		if certificate, err := x509.ParseCertificate(block.Bytes); err == nil && block.Type == "CERTIFICATE" {
			found = join(found, certificate)
		}
	}
}

// EncodeBundle returns the certificates as a PEM bundle.
func EncodeBundle(certificates []*x509.Certificate) []byte {
	var bundle []byte
	for _, certificate := range certificates {
		bundle = append(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})...)
	}
	return bundle
}

// join appends those certificates that bundle does not hold yet.
func join(bundle []*x509.Certificate, certificates ...*x509.Certificate) []*x509.Certificate {
	for _, certificate := range certificates {
		if !holds(bundle, certificate) {
			bundle = append(bundle, certificate)
		}
	}
	return bundle
}

func holds(bundle []*x509.Certificate, certificate *x509.Certificate) bool {
	return slices.ContainsFunc(bundle, certificate.Equal)
}
