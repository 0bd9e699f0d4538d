package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"quartermaster.dev/e2e/internal/build"
	"quartermaster.dev/e2e/internal/guard"
	"quartermaster.dev/e2e/internal/output"
)

const (
	startTimeout = time.Minute     // of each process; seconds are usual, a busy machine is given time
	stopTimeout  = 2 * time.Second // of each process; then it is killed, for its data are thrown away anyway
	attempts     = 3               // a free port can be lost to somebody else before it is listened on
	logSize      = 64 << 10        // what is kept of a process's log for an error message
)

// Assets returns the folder that holds the binaries etcd and kube-apiserver: KUBEBUILDER_ASSETS where that is set,
// otherwise bin/controlplane of this repository, built from source when it is missing or out of date. The first build
// takes minutes; out is told how far it is. Cancelling ctx ends the build.
func Assets(ctx context.Context, out io.Writer) (dir string, err error) {
	dir = os.Getenv("KUBEBUILDER_ASSETS")
	if dir == "" {
		return build.ControlPlane(ctx, out)
	}
	if err := build.CheckAssets(dir); err != nil {
		return "", fmt.Errorf("KUBEBUILDER_ASSETS is set, but %w; unset it to have both built from source", err)
	}
	return dir, nil
}

// Options configure Start. The zero value is good.
type Options struct {
	// Out is told about the build of the control plane, when there is one; nil discards that.
	Out io.Writer
}

// A Cluster is a running control plane. Stop must be called when it is no longer needed.
type Cluster struct {
	// Config authenticates as a cluster administrator and limits no request rate. Copy it before changing it.
	Config *rest.Config
	// Client is an administrator's client for the types of k8s.io/api and for unstructured objects.
	Client client.Client

	plane *envtest.ControlPlane
	logs  *output.Tail
	dir   string // all files of the running cluster
	guard *guard.Guard
	stop  func() error
}

// Start starts a control plane on free ports of the loopback device and returns when it is ready to be used. When ctx
// is cancelled meanwhile nothing is left behind: no process, no file. Afterwards ctx has no say, call Stop; should this
// process end without, even killed, its cluster ends too.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	if opts.Out == nil {
		opts.Out = io.Discard
	}
	assets, err := Assets(ctx, opts.Out)
	if err != nil {
		return nil, err
	}
	// envtest and client log through controller-runtime, which complains aloud as long as nobody says where to.
	ctrllog.SetLogger(logr.Discard())
	for attempt := 1; ; attempt++ {
		c, err := start(ctx, assets)
		if err == nil || ctx.Err() != nil || attempt == attempts {
			return c, err
		}
	}
}

func start(ctx context.Context, assets string) (_ *Cluster, err error) {
	c := &Cluster{logs: &output.Tail{Max: logSize}}
	c.stop = sync.OnceValue(c.shutdown)
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Stop())
		}
	}()
	if c.dir, err = os.MkdirTemp("", "quartermaster-cluster-"); err != nil {
		return nil, err
	}
	if c.guard, err = guard.Watch(c.dir); err != nil {
		return nil, err
	}
	if err := c.startProcesses(ctx, assets); err != nil {
		return nil, err
	}
	if err := c.connect(); err != nil {
		return nil, err
	}
	if err := c.awaitNamespaces(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// startProcesses starts etcd, then the API server. Neither start can be cancelled, but each ends in seconds.
func (c *Cluster) startProcesses(ctx context.Context, assets string) error {
	etcdDir, apiServerDir := filepath.Join(c.dir, "data"), filepath.Join(c.dir, "certificates")
	for _, dir := range []string{etcdDir, apiServerDir} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	etcd, err := c.guard.Wrap(filepath.Join(assets, "etcd"))
	if err != nil {
		return err
	}
	apiServer, err := c.guard.Wrap(filepath.Join(assets, "kube-apiserver"))
	if err != nil {
		return err
	}
	// The binaries are named one by one, because envtest lets environment variables override a mere folder; and its
	// Environment is passed by, because USE_EXISTING_CLUSTER would turn it on somebody's real cluster.
	c.plane = &envtest.ControlPlane{
		Etcd: &envtest.Etcd{
			Path: etcd, DataDir: etcdDir,
			Out: c.logs, Err: c.logs, StartTimeout: startTimeout, StopTimeout: stopTimeout,
		},
		APIServer: &envtest.APIServer{
			Path: apiServer, CertDir: apiServerDir,
			Out: c.logs, Err: c.logs, StartTimeout: startTimeout, StopTimeout: stopTimeout,
		},
	}
	// envtest turns the ServiceAccount admission plugin off. It decides which account a job pod runs under and adds
	// the token volume, so nothing would be proven without it.
	c.plane.APIServer.Configure().Disable("disable-admission-plugins").Set("authorization-mode", "RBAC")

	if err := c.plane.Etcd.Start(); err != nil {
		return c.failure("etcd did not start", err)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	c.plane.APIServer.EtcdURL = c.plane.Etcd.URL
	if err := c.plane.APIServer.Start(); err != nil {
		return c.failure("kube-apiserver did not start", err)
	}
	return context.Cause(ctx)
}

func (c *Cluster) connect() error {
	user, err := c.plane.AddUser(envtest.User{Name: "admin", Groups: []string{"system:masters"}}, &rest.Config{
		QPS:            -1, // no limit
		WarningHandler: rest.NoWarnings{},
	})
	if err != nil {
		return err
	}
	c.Config = user.Config()
	c.Client, err = client.New(c.Config, client.Options{})
	return err
}

// awaitNamespaces waits for the namespaces that the API server creates soon after it has become ready.
func (c *Cluster) awaitNamespaces(ctx context.Context) error {
	for _, name := range []string{"default", "kube-system"} {
		var last error
		err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, startTimeout, true, func(ctx context.Context) (bool, error) {
			last = c.Client.Get(ctx, types.NamespacedName{Name: name}, &corev1.Namespace{})
			return last == nil, nil
		})
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return c.failure(fmt.Sprintf("namespace %q did not appear", name), last)
		}
	}
	return nil
}

// failure is err together with the end of the control plane's log, in which the reason stands.
func (c *Cluster) failure(what string, err error) error {
	return fmt.Errorf("%s: %w; its log ends with\n%s", what, err, c.logs)
}

// Stop ends the cluster and removes its files. Calling it again does nothing and returns the same.
func (c *Cluster) Stop() error { return c.stop() }

func (c *Cluster) shutdown() error {
	if c.plane != nil {
		// A server that is asked to end first waits for its clients, for up to a minute; envtest kills it after
		// stopTimeout and calls that an error, which it is not for servers whose data are about to be removed.
		if c.plane.APIServer.EtcdURL != nil {
			_ = c.plane.APIServer.Stop()
		}
		_ = c.plane.Etcd.Stop()
	}
	if c.guard != nil {
		c.guard.Relieve()
	}
	if c.dir == "" {
		return nil
	}
	// A process that was killed a moment ago may still be seen to write.
	var err error
	for range 20 {
		if err = os.RemoveAll(c.dir); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("files of the stopped cluster are left; remove them by hand: %w", err)
}
