package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"quartermaster.dev/e2e/internal/pki"
)

// TestRotationsUnderLoad has certificates that last seconds, pods that are being created and connections that are being
// made all the time: none may fail, however many processes rotate.
func TestRotationsUnderLoad(t *testing.T) {
	t.Parallel()
	for processes := range 2 {
		t.Run(fmt.Sprint(processes+1), func(t *testing.T) {
			t.Parallel()
			testRotationsUnderLoad(t, processes+1)
		})
	}
}

// serviceName is a name of the loopback device: what the API server calls here in place of a Service.
const serviceName = "localhost"

func testRotationsUnderLoad(t *testing.T, processes int) {
	in := install(t)
	var keepers []*program
	for range processes {
		keepers = append(keepers, in.startCerts(t, "--service="+serviceName, "--duration=30s", "--renew-before=22s", "--overlap=3s", "--retain=6s"))
	}
	volume := mount(t, in)
	server, address := in.startWebhook(t, volume.dir)
	in.register(t, address)
	eventually(t, "reviews are answered", func() error { return in.review(t.Context()) })

	load, stop := context.WithCancel(t.Context())
	var reviews, connections atomic.Int64
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	served := &servedSet{}
	for range 2 {
		running.Go(func() {
			for load.Err() == nil {
				if err := in.review(load); err != nil && load.Err() == nil {
					t.Errorf("after %d reviews: %v", reviews.Load(), err)
				}
				reviews.Add(1)
			}
		})
	}
	running.Go(func() {
		for load.Err() == nil {
			serial, err := in.connect(load, address)
			if err != nil && load.Err() == nil {
				t.Errorf("after %d connections: %v", connections.Load(), err)
			}
			served.add(serial)
			connections.Add(1)
		}
	})
	eventually(t, "three rotations, and an authority that is trusted no longer", func() error {
		if n := served.len(); n < 4 {
			return fmt.Errorf("%d certificates were served", n)
		}
		if forgotten := "trusted no longer"; !strings.Contains(keepers[0].logs.String()+keepers[len(keepers)-1].logs.String(), forgotten) {
			return errors.New("none was distrusted")
		}
		return nil
	})
	stop()
	running.Wait()
	if reviews.Load() < 100 || connections.Load() < 100 {
		t.Errorf("%d reviews and %d connections prove little", reviews.Load(), connections.Load())
	}
	if expiry, err := server.metric("quartermaster_certificate_expiry_timestamp_seconds"); err != nil || time.Until(time.Unix(int64(expiry), 0)) > 30*time.Second || expiry < float64(time.Now().Unix()) {
		t.Errorf("the server's certificate expires at %f, %v", expiry, err)
	}
	t.Logf("%d reviews and %d connections through %d certificates", reviews.Load(), connections.Load(), served.len())
	for _, keeper := range keepers {
		keeper.stop(t)
	}
	server.stop(t)
}

// startWebhook starts the webhook server as the chart does, with its account, and returns its address.
func (in *installation) startWebhook(t *testing.T, certDir string) (p *program, address string) {
	t.Helper()
	address = freeAddress(t)
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	p = start(t, webhookBinary, "--system-namespace="+in.name, "--kubeconfig="+in.kubeconfig(t, in.name),
		"--cert-dir="+certDir, "--host="+host, "--port="+port, "--drain=0s")
	p.awaitReady(t)
	return p, net.JoinHostPort(serviceName, port)
}

// review has the API server ask the webhook about a job pod.
func (in *installation) review(ctx context.Context) error {
	no := false
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: in.name, GenerateName: "job-", Labels: map[string]string{"job.runner.gitlab.com/pod": "job"}},
		Spec:       corev1.PodSpec{AutomountServiceAccountToken: &no, Containers: []corev1.Container{{Name: "build", Image: "build"}, {Name: "helper", Image: "helper"}}},
	}
	return plane.Client.Create(ctx, pod, client.DryRunAll)
}

// connect connects to the server as an API server does that has just read its configuration, and returns the serial
// number of the certificate that is served.
func (in *installation) connect(ctx context.Context, address string) (string, error) {
	bundles, err := in.bundles(ctx)
	if err != nil {
		return "", err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundles[0])
	conn, err := (&tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: serviceName}}).DialContext(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
}

// A servedSet is the certificates that were seen to be served.
type servedSet struct {
	mu      sync.Mutex
	serials map[string]bool
}

func (s *servedSet) add(serial string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.serials == nil {
		s.serials = map[string]bool{}
	}
	if serial != "" {
		s.serials[serial] = true
	}
}

func (s *servedSet) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.serials)
}

// A volume is the Secret as files, brought and kept up to date as the kubelet does: the files are links into ..data,
// a link that is renamed over the one before.
type volume struct {
	dir     string
	written string // resource version of the Secret
	n       int
}

// mount waits for the Secret and keeps it up to date until the test ends.
func mount(t *testing.T, in *installation) *volume {
	t.Helper()
	v := &volume{dir: t.TempDir()}
	eventually(t, "the Secret can be mounted", func() error { return v.sync(t.Context(), in) })
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for tick := time.NewTicker(100 * time.Millisecond); ctx.Err() == nil; {
			select {
			case <-ctx.Done():
			case <-tick.C:
				// As a kubelet it waits while there is nothing to mount.
				_ = v.sync(ctx, in)
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return v
}

func (v *volume) sync(ctx context.Context, in *installation) error {
	secret, err := in.secret(ctx)
	if err != nil {
		return err
	}
	if secret == nil || len(secret.Data["tls.crt"]) == 0 {
		return fmt.Errorf("the Secret holds %s", keys(secret))
	}
	if secret.ResourceVersion == v.written {
		return nil
	}
	v.written = secret.ResourceVersion
	return v.write(secret.Data["tls.crt"], secret.Data["tls.key"])
}

func (v *volume) write(certificate, key []byte) error {
	v.n++
	fresh, link := fmt.Sprintf("..%d", v.n), filepath.Join(v.dir, "..data_tmp")
	err := errors.Join(
		os.Mkdir(filepath.Join(v.dir, fresh), 0o700),
		os.WriteFile(filepath.Join(v.dir, fresh, "tls.crt"), certificate, 0o600),
		os.WriteFile(filepath.Join(v.dir, fresh, "tls.key"), key, 0o600),
		os.Symlink(fresh, link),
		os.Rename(link, filepath.Join(v.dir, "..data")))
	if v.n > 1 {
		return errors.Join(err, os.RemoveAll(filepath.Join(v.dir, fmt.Sprintf("..%d", v.n-1))))
	}
	return errors.Join(err,
		os.Symlink("..data/tls.crt", filepath.Join(v.dir, "tls.crt")),
		os.Symlink("..data/tls.key", filepath.Join(v.dir, "tls.key")))
}

// TestServerWithAnExpiredCertificate watches a server whose certificate is not renewed, and then is.
func TestServerWithAnExpiredCertificate(t *testing.T) {
	t.Parallel()
	in, v := install(t), &volume{dir: t.TempDir()}
	bring := func(lasts time.Duration) {
		t.Helper()
		pair, err := pki.New(lasts, serviceName)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.write(pair.Certificate, pair.Key); err != nil {
			t.Fatal(err)
		}
	}
	bring(6 * time.Second)
	server, address := in.startWebhook(t, v.dir)
	eventually(t, "the server is not ready any more, and says why", func() error {
		if server.ready() == nil || !strings.Contains(server.logs.String(), "the certificate expired at ") {
			return errors.New("it is, or does not")
		}
		return nil
	})
	if expiry, err := server.metric("quartermaster_certificate_expiry_timestamp_seconds"); err != nil || expiry > float64(time.Now().Unix()) {
		t.Errorf("not ready, but by the metric the certificate expires at %f, %v", expiry, err)
	}
	// It is not ready and serves on: nothing is gained by refusing.
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Errorf("the server does not answer: %v", err)
	} else {
		_ = conn.Close()
	}
	bring(time.Hour)
	server.awaitReady(t)
	server.stop(t)
}
