package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"quartermaster.dev/cmd/internal/certs"
)

const serverName = "quartermaster.system.svc"

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newPair(t *testing.T, from time.Time, duration time.Duration) *certs.Pair {
	t.Helper()
	pair, err := certs.NewPair(from, duration, []string{serverName})
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// notBefore is when the certificate of a pair begins to be valid.
func notBefore(t *testing.T, pair *certs.Pair) time.Time {
	t.Helper()
	parsed, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Leaf.NotBefore
}

// files are those of a --cert-dir.
type files struct {
	t   *testing.T
	dir string
}

func newFiles(t *testing.T) files { return files{t, t.TempDir()} }

func (f files) write(name string, content []byte) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), content, 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f files) writePair(pair *certs.Pair) {
	f.t.Helper()
	f.write("tls.crt", pair.Certificate)
	f.write("tls.key", pair.Key)
}

func (f files) remove(name string) {
	f.t.Helper()
	if err := os.Remove(filepath.Join(f.dir, name)); err != nil {
		f.t.Fatal(err)
	}
}

// open reads the files at noon, with a log that the test can look at.
func (f files) open() (c *certificate, log *bytes.Buffer) {
	f.t.Helper()
	log = &bytes.Buffer{}
	c, err := newCertificate(f.dir, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		f.t.Fatal(err)
	}
	c.now = func() time.Time { return noon }
	return c, log
}

func serves(c *certificate, pair *certs.Pair) bool {
	served, _ := c.GetCertificate(nil)
	return fmt.Sprintf("%x", served.Leaf.SerialNumber) == pair.String()
}

func TestCertificateIsNeverReplacedByATornOne(t *testing.T) {
	t.Parallel()
	good, next := newPair(t, noon, time.Hour), newPair(t, noon, 2*time.Hour)
	f := newFiles(t)
	f.writePair(good)
	c, log := f.open()
	// A chain, so that a cut may leave the leaf whole.
	chain := append(bytes.Clone(next.Certificate), certs.EncodeBundle([]*x509.Certificate{next.Authority})...)

	torn := func(state string) {
		t.Helper()
		c.reload()
		if !serves(c, good) {
			t.Fatalf("%s: the good pair is no longer served", state)
		}
		if err := c.Check(nil); err != nil {
			t.Errorf("%s: not ready: %v", state, err)
		}
	}
	f.write("tls.crt", chain)
	torn("a new certificate with the old key")
	for n := 0; n < len(next.Key)-1; n += 11 { // without its last newline it is whole
		f.write("tls.key", next.Key[:n])
		torn(fmt.Sprintf("%d bytes of the key", n))
	}
	f.remove("tls.key")
	torn("no key")
	f.write("tls.key", next.Key)
	for n := 0; n < len(chain)-1; n += 11 {
		if n >= len(next.Certificate)-1 && n <= len(next.Certificate)+5 {
			continue // a whole leaf and nothing that tells of more
		}
		f.write("tls.crt", chain[:n])
		torn(fmt.Sprintf("%d bytes of the chain", n))
	}
	f.remove("tls.crt")
	torn("no certificate")
	f.write("tls.crt", []byte("hello"))
	torn("no PEM")
	if bytes.Contains(log.Bytes(), next.Key[30:60]) {
		t.Error("the log holds the key")
	}

	f.write("tls.crt", chain)
	c.reload()
	if served, _ := c.GetCertificate(nil); !serves(c, next) || len(served.Certificate) != 2 {
		t.Error("the new chain is not served whole")
	}
	f.write("tls.crt", next.Certificate)
	c.reload()
	if served, _ := c.GetCertificate(nil); len(served.Certificate) != 1 {
		t.Error("a chain that changed behind its leaf is not served")
	}
}

func TestCertificateComplainsOnce(t *testing.T) {
	t.Parallel()
	f := newFiles(t)
	f.writePair(newPair(t, noon, time.Hour))
	c, log := f.open()
	const complaint = "the files hold no better certificate"
	f.write("tls.key", nil)
	for range 3 {
		c.reload()
	}
	if n := strings.Count(log.String(), complaint); n != 1 {
		t.Errorf("%d complaints, want 1: %s", n, log)
	}
	f.write("tls.crt", nil)
	c.reload()
	if n := strings.Count(log.String(), complaint); n != 2 {
		t.Errorf("%d complaints of two faults: %s", n, log)
	}
}

func TestCertificateIsNotReplacedByAnInvalidOne(t *testing.T) {
	t.Parallel()
	good := newPair(t, noon, 2000*time.Hour)
	expired := newPair(t, noon.Add(-48*time.Hour), 24*time.Hour)
	future := newPair(t, noon.Add(1000*time.Hour), 24*time.Hour)
	begins := notBefore(t, future)
	now := noon
	f := newFiles(t)
	f.writePair(good)
	c, log := f.open()
	c.now = func() time.Time { return now }

	f.writePair(expired)
	c.reload()
	if !serves(c, good) || !strings.Contains(log.String(), "the certificate expired at 2026-02-28T12:00:00Z") {
		t.Errorf("an expired certificate took the place of a good one, or nobody was told: %s", log)
	}
	f.writePair(future)
	c.reload()
	if !serves(c, good) || !strings.Contains(log.String(), "not valid before "+begins.Format(time.RFC3339)) {
		t.Errorf("a certificate of the future took the place of a good one, or nobody was told: %s", log)
	}
	now = begins.Add(time.Second)
	c.reload()
	if !serves(c, future) {
		t.Error("a certificate is not served when it has become valid")
	}
}

func TestReadinessFollowsTheCertificate(t *testing.T) {
	t.Parallel()
	now := noon
	good := newPair(t, noon, time.Hour)
	f := newFiles(t)
	f.writePair(good)
	c, _ := f.open()
	c.now = func() time.Time { return now }
	expect := func(want string) {
		t.Helper()
		c.reload()
		switch err := c.Check(nil); {
		case want == "" && err != nil:
			t.Errorf("not ready: %v", err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("got %v, want %q", err, want)
		}
	}
	expect("")
	if got := testutil.ToFloat64(c); got != float64(good.NotAfter().Unix()) {
		t.Errorf("the metric says %f, want %d", got, good.NotAfter().Unix())
	}
	now = notBefore(t, good).Add(-time.Second)
	expect("the certificate is not valid before " + notBefore(t, good).Format(time.RFC3339) + "; renew the pair in " + f.dir)
	now = noon.Add(2 * time.Hour)
	expect("the certificate expired at 2026-03-01T13:00:00Z; renew the pair in " + f.dir)

	// One that has expired too, but is not the same, is served: it cannot be worse.
	last := newPair(t, noon, 90*time.Minute)
	f.writePair(last)
	expect("the certificate expired at 2026-03-01T13:30:00Z")
	renewed := newPair(t, now, 24*time.Hour)
	f.writePair(renewed)
	expect("")
	if got := testutil.ToFloat64(c); got != float64(renewed.NotAfter().Unix()) {
		t.Errorf("after the renewal the metric says %f, want %d", got, renewed.NotAfter().Unix())
	}
}

func TestServerWithoutCertificateSaysSo(t *testing.T) {
	t.Parallel()
	f := newFiles(t)
	var stderr bytes.Buffer
	kubeconfig := filepath.Join(f.dir, "kubeconfig")
	f.write("kubeconfig", []byte(`{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c}}], clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]}`))
	err := run(t.Context(), []string{"--kubeconfig=" + kubeconfig, "--cert-dir=" + f.dir}, io.Discard, &stderr)
	if err == nil || !strings.Contains(err.Error(), "--cert-dir "+f.dir+" holds no serving certificate with its key: open "+f.dir+"/tls.crt: no such file") {
		t.Errorf("got %v", err)
	}
}

// TestHandshakesWhileFilesAreSwapped renews the pair as a kubelet does, over and
// over, while clients connect: each handshake must succeed, with a pair that was
// there once, and the last pair must be served in the end.
func TestHandshakesWhileFilesAreSwapped(t *testing.T) {
	t.Parallel()
	volume := &kubeletVolume{files: newFiles(t)}
	issued := &issuer{pool: x509.NewCertPool()}
	volume.swap(issued.pair(t))
	c, err := newCertificate(volume.dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	address := listen(t, c)

	connecting, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	defer clients.Wait()
	defer stop()
	for range 4 {
		clients.Go(func() {
			for connecting.Err() == nil && !t.Failed() {
				issued.connect(t, address)
			}
		})
	}
	for range 3 {
		var last *certs.Pair
		for range 50 { // faster than anybody reads: pairs are missed, and reads are torn
			last = issued.pair(t)
			volume.swap(last)
		}
		for deadline := time.Now().Add(20 * time.Second); issued.connect(t, address) != last.String(); {
			if t.Failed() || time.Now().After(deadline) {
				t.Fatal("the last pair is not served")
			}
		}
	}
}

// listen serves by the certificate, and has it follow its files, until the test ends.
func listen(t *testing.T, c *certificate) (address string) {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: c.GetCertificate, MinVersion: tls.VersionTLS13})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler(), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = server.Serve(listener) })
	running.Go(func() { _ = c.Start(ctx) })
	t.Cleanup(func() {
		cancel()
		_ = server.Close()
		running.Wait()
	})
	return listener.Addr().String()
}

// An issuer trusts all the pairs that it has made.
type issuer struct {
	mu   sync.Mutex
	pool *x509.CertPool
}

func (i *issuer) pair(t *testing.T) *certs.Pair {
	t.Helper()
	pair := newPair(t, time.Now(), time.Hour)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.pool.AddCert(pair.Authority)
	return pair
}

// connect returns the serial number of the certificate that is served.
func (i *issuer) connect(t *testing.T, address string) string {
	// What is trusted is asked for when the certificate is known, which may be newer than the connection.
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Errorf("a handshake failed: %v", err)
		return ""
	}
	defer conn.Close()
	leaf := conn.ConnectionState().PeerCertificates[0]
	i.mu.Lock()
	defer i.mu.Unlock()
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: i.pool, DNSName: serverName}); err != nil {
		t.Errorf("what is served does not verify: %v", err)
	}
	return fmt.Sprintf("%x", leaf.SerialNumber)
}

// A kubeletVolume is written as the kubelet's atomic writer does: the files are
// links into ..data, which is a link that is renamed over the one before.
type kubeletVolume struct {
	files
	n int
}

func (v *kubeletVolume) swap(pair *certs.Pair) {
	v.t.Helper()
	v.n++
	fresh := fmt.Sprintf("..%d", v.n)
	must := func(err error) {
		v.t.Helper()
		if err != nil {
			v.t.Fatal(err)
		}
	}
	must(os.Mkdir(filepath.Join(v.dir, fresh), 0o700))
	v.write(filepath.Join(fresh, "tls.crt"), pair.Certificate)
	v.write(filepath.Join(fresh, "tls.key"), pair.Key)
	must(os.Symlink(fresh, filepath.Join(v.dir, "..data_tmp")))
	must(os.Rename(filepath.Join(v.dir, "..data_tmp"), filepath.Join(v.dir, "..data")))
	if v.n == 1 {
		must(os.Symlink("..data/tls.crt", filepath.Join(v.dir, "tls.crt")))
		must(os.Symlink("..data/tls.key", filepath.Join(v.dir, "tls.key")))
	} else {
		must(os.RemoveAll(filepath.Join(v.dir, fmt.Sprintf("..%d", v.n-1))))
	}
}
