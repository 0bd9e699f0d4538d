package node

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// A pki is the cluster's certificate authority, and the folder into which it writes what it issues.
type pki struct {
	dir         string
	certificate *x509.Certificate
	key         crypto.Signer
	bundle      []byte // the certificate, PEM
}

// writePKI makes an authority, and what the components of a cluster authenticate with: ca.crt, apiserver.crt and .key,
// service-accounts.key and .pub, and a kubeconfig for each that talks to the API server.
func writePKI(dir string) error {
	p := &pki{dir: dir}
	if err := p.makeAuthority(); err != nil {
		return err
	}
	if err := p.apiServer(); err != nil {
		return err
	}
	if err := p.serviceAccounts(); err != nil {
		return err
	}
	for name, subject := range map[string]pkix.Name{
		"admin":                   {CommonName: "admin", Organization: []string{"system:masters"}},
		"kube-controller-manager": {CommonName: "system:kube-controller-manager"},
		"kube-scheduler":          {CommonName: "system:kube-scheduler"},
		"kube-proxy":              {CommonName: "system:kube-proxy"},
		"kubelet":                 {CommonName: "system:node:" + Name, Organization: []string{"system:nodes"}},
	} {
		if err := p.kubeconfig(name, subject); err != nil {
			return err
		}
	}
	return nil
}

func (p *pki) makeAuthority() (err error) {
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "kubernetes"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	if p.key, err = newKey(); err != nil {
		return err
	}
	if p.certificate, err = p.sign(template, template, p.key.Public()); err != nil {
		return err
	}
	p.bundle = encode("CERTIFICATE", p.certificate.Raw)
	return p.write("ca.crt", p.bundle)
}

// apiServer issues the certificate that the API server serves with, and shows to the kubelet.
func (p *pki) apiServer() error {
	certificate, key, err := p.issue(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver", Organization: []string{"system:masters"}},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"},
		IPAddresses: []net.IP{net.ParseIP(Address), net.ParseIP(serviceAddress)},
	})
	if err != nil {
		return err
	}
	if err := p.write("apiserver.crt", certificate); err != nil {
		return err
	}
	return p.write("apiserver.key", key)
}

// serviceAccounts makes the key pair by which tokens of service accounts are signed and verified.
func (p *pki) serviceAccounts() error {
	key, err := newKey()
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := p.write("service-accounts.key", encode("PRIVATE KEY", private)); err != nil {
		return err
	}
	return p.write("service-accounts.pub", encode("PUBLIC KEY", public))
}

// kubeconfig writes NAME.kubeconfig, which authenticates as subject.
func (p *pki) kubeconfig(name string, subject pkix.Name) error {
	certificate, key, err := p.issue(&x509.Certificate{Subject: subject, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return err
	}
	const cluster = "node"
	return clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{cluster: {Server: apiServerURL, CertificateAuthorityData: p.bundle}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: {ClientCertificateData: certificate, ClientKeyData: key}},
		Contexts:       map[string]*clientcmdapi.Context{cluster: {Cluster: cluster, AuthInfo: name}},
		CurrentContext: cluster,
	}, filepath.Join(p.dir, name+".kubeconfig"))
}

// issue makes a key and signs a certificate for it; it returns both, PEM.
func (p *pki) issue(template *x509.Certificate) (certificate, key []byte, err error) {
	signer, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	signed, err := p.sign(template, p.certificate, signer.Public())
	if err != nil {
		return nil, nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		return nil, nil, err
	}
	return encode("CERTIFICATE", signed.Raw), encode("PRIVATE KEY", private), nil
}

func (p *pki) sign(template, parent *x509.Certificate, public crypto.PublicKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-time.Minute)
	template.NotAfter = time.Now().AddDate(1, 0, 0)
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, public, p.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(raw)
}

func (p *pki) write(name string, content []byte) error {
	return os.WriteFile(filepath.Join(p.dir, name), content, 0o600)
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func encode(kind string, content []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content})
}
