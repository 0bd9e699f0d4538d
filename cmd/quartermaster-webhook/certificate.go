package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// reloadInterval is how often the files are read. The kubelet takes a minute to
// bring a renewed Secret, and two small files cost nothing.
const reloadInterval = time.Second

// certificate serves the pair tls.crt and tls.key of a folder and follows them:
// a renewed pair is served from the next connection on. A pair that cannot be
// used never takes the place of one that can, be it half-written, the halves of
// two pairs, gone, expired or not yet valid.
//
// controller-runtime's certwatcher does most of that. But it takes an expired
// pair for a good one, and a chain that it happens to read half-written stays
// cut, because it compares no more than the leaf.
type certificate struct {
	certFile, keyFile string

	log *slog.Logger
	now func() time.Time

	served atomic.Pointer[tls.Certificate]

	// For reload alone: the content of the files when they were last read, what
	// it came to, and what the log was last told.
	content   [2][]byte
	candidate *tls.Certificate
	told      map[string]string
}

// newCertificate reads the pair in dir, which must be there and be one; whether
// it is valid is for Check to say.
func newCertificate(dir string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: filepath.Join(dir, "tls.crt"), keyFile: filepath.Join(dir, "tls.key"), log: log, now: time.Now, told: map[string]string{}}
	if err := c.read(); err != nil {
		return nil, fmt.Errorf("--cert-dir %s holds no serving certificate with its key: %w", dir, err)
	}
	c.serve(c.candidate)
	return c, nil
}

// Start follows the files until ctx ends. It implements manager.Runnable.
func (c *certificate) Start(ctx context.Context) error {
	tick := time.NewTicker(reloadInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			c.reload()
		}
	}
}

// GetCertificate implements tls.Config.GetCertificate.
func (c *certificate) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.served.Load(), nil
}

// Check fails when the served certificate is not valid now: no API server would
// accept it. It implements healthz.Checker.
func (c *certificate) Check(*http.Request) error {
	if err := c.invalid(c.served.Load()); err != nil {
		return fmt.Errorf("%w; renew the pair in %s, which is served as soon as it is there", err, filepath.Dir(c.certFile))
	}
	return nil
}

// reload reads the files and serves what they hold if that is no worse than
// what is served. It asks again each time, for validity comes and goes with time.
func (c *certificate) reload() {
	err := c.read()
	if err == nil && c.candidate != c.served.Load() {
		if err = c.invalid(c.candidate); err == nil || c.invalid(c.served.Load()) != nil {
			c.serve(c.candidate)
			err = nil
		}
	}
	c.tell("the files hold no better certificate: the one read before is served on", err)
	// The probe that fails tells nobody why.
	c.tell("not ready", c.Check(nil))
}

// read makes what the files hold the candidate. A pair that was read before
// stays the same candidate.
func (c *certificate) read() error {
	chain, err := os.ReadFile(c.certFile)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(c.keyFile)
	if err != nil {
		return err
	}
	if c.candidate != nil && bytes.Equal(chain, c.content[0]) && bytes.Equal(key, c.content[1]) {
		return nil
	}
	if err := whole(chain); err != nil {
		return fmt.Errorf("%s: %w", c.certFile, err)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return err
	}
	c.content, c.candidate = [2][]byte{chain, key}, &pair
	return nil
}

// whole refuses a PEM file whose last block is cut, which is otherwise taken for
// text after the last block.
func whole(file []byte) error {
	for {
		block, rest := pem.Decode(file)
		if block == nil {
			break
		}
		file = rest
	}
	if bytes.Contains(file, []byte("-----")) {
		return errors.New("its last PEM block is cut or damaged")
	}
	return nil
}

func (c *certificate) serve(pair *tls.Certificate) {
	c.served.Store(pair)
	leaf := pair.Leaf
	c.log.Info("serving certificate", "serial", fmt.Sprintf("%x", leaf.SerialNumber), "dnsNames", leaf.DNSNames, "notBefore", leaf.NotBefore, "notAfter", leaf.NotAfter)
}

// tell logs an error about something, once until it changes.
func (c *certificate) tell(what string, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != c.told[what] {
		c.log.Error(what, "error", text)
	}
	c.told[what] = text
}

func (c *certificate) invalid(pair *tls.Certificate) error {
	switch now, leaf := c.now(), pair.Leaf; {
	case now.After(leaf.NotAfter):
		return fmt.Errorf("the certificate expired at %s", leaf.NotAfter.Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("the certificate is not valid before %s", leaf.NotBefore.Format(time.RFC3339))
	default:
		return nil
	}
}

var expiryDesc = prometheus.NewDesc("quartermaster_certificate_expiry_timestamp_seconds",
	"When the served certificate expires, in seconds since 1970.", nil, nil)

// Describe implements prometheus.Collector.
func (c *certificate) Describe(ch chan<- *prometheus.Desc) { ch <- expiryDesc }

// Collect implements prometheus.Collector.
func (c *certificate) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(expiryDesc, prometheus.GaugeValue, float64(c.served.Load().Leaf.NotAfter.Unix()))
}
