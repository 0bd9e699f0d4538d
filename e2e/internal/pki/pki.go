// Package pki makes and reads serving certificates for the tests: what an organisation's own certificate authority would
// hand out, and what a client makes of what is served. It shares no code with what it is to judge.
package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// A Pair is a serving certificate, its key and the authority that signed it, all PEM.
type Pair struct{ Certificate, Key, Authority []byte }

// New makes a pair, its authority included, that is valid from an hour ago for the duration from now. Each host is a name or
// an IP address.
func New(duration time.Duration, hosts ...string) (*Pair, error) {
	notBefore, notAfter := time.Now().Add(-time.Hour), time.Now().Add(duration)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return nil, err
	}
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	authority := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "test authority " + serial.String()}, NotBefore: notBefore, NotAfter: notAfter,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	authorityDER, err := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{
		SerialNumber: serial, NotBefore: notBefore, NotAfter: notAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, host)
		}
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, authority, key.Public(), authorityKey)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return &Pair{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leafDER}),
		Key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		Authority:   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authorityDER}),
	}, nil
}

// Write writes the certificate and its key to a folder, as tls.crt and tls.key.
func (p *Pair) Write(dir string) error {
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "tls.crt"), p.Certificate, 0o600),
		os.WriteFile(filepath.Join(dir, "tls.key"), p.Key, 0o600),
	)
}

// Parse returns the certificates of a PEM file, which must be all that it holds.
func Parse(file []byte) ([]*x509.Certificate, error) {
	var found []*x509.Certificate
	for {
		block, rest := pem.Decode(file)
		if block == nil {
			break
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		found, file = append(found, certificate), rest
	}
	if len(bytes.TrimSpace(file)) > 0 {
		return nil, errors.New("there is more than certificates")
	}
	return found, nil
}

// Verify verifies the first certificate of a PEM file by a bundle of authorities, as the API server does when it calls
// a webhook by this name.
func Verify(file, bundle []byte, name string) error {
	certificates, err := Parse(file)
	if err != nil {
		return err
	}
	if len(certificates) == 0 {
		return errors.New("there is no certificate")
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	_, err = certificates[0].Verify(x509.VerifyOptions{Roots: roots, DNSName: name})
	return err
}
