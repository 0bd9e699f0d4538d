package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Addresses of the cluster. They are the node's own network namespace's, so they can be the same on every machine.
const (
	// Address is the node's: what listens on it inside the namespace is reached by pods.
	Address        = "10.97.0.1"
	serviceRange   = "10.96.0.0/16"
	serviceAddress = "10.96.0.1" // of the Service default/kubernetes: the first of the range
	podRange       = "10.244.0.0/24"
	apiServerURL   = "https://" + Address + ":6443"
)

// Name is the node's.
const Name = "node"

// Options say what runs, and as what the node registers.
type Options struct {
	// ControlPlane is the folder of etcd and kube-apiserver.
	ControlPlane string
	// Programs is the folder of kube-controller-manager, kube-scheduler, kubelet, kube-proxy and kubectl.
	Programs string
	// PauseImage is the reference of the image that holds a pod's namespaces open. It must be in one of Archives.
	PauseImage string
	// Archives are files of container images, as Docker or OCI write them. There is no registry: pods run these.
	Archives []string
	// Labels and Taints are the node's.
	Labels map[string]string
	Taints []corev1.Taint
	// Out is told each step and how long it took; nil discards that.
	Out io.Writer
}

// A Node is a running Kubernetes with one node. Stop must be called when it is no longer needed.
type Node struct {
	// Dir is the folder of all its files, with the components' logs in log/.
	Dir string
	// Kubeconfig is a file that authenticates as a cluster administrator, to programs that Command has made: the API
	// server's address is one of the node's own network namespace.
	Kubeconfig string

	opts       Options
	namespaces *namespaces
	stopping   atomic.Bool
	stop       func() error
}

// Start starts a node and returns when it is Ready. When ctx is cancelled meanwhile nothing is left behind. Afterwards
// ctx has no say, call Stop; should this process end without, even killed, its node ends too.
func Start(ctx context.Context, opts Options) (_ *Node, err error) {
	if opts.Out == nil {
		opts.Out = io.Discard
	}
	if err := CheckMachine(); err != nil {
		return nil, err
	}
	n := &Node{opts: opts}
	n.stop = sync.OnceValue(n.shutdown)
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Stop())
		}
	}()
	if err := n.enter(ctx); err != nil {
		return nil, err
	}
	if err := n.startComponents(ctx); err != nil {
		return nil, err
	}
	return n, nil
}

// enter makes the node's folder and its namespaces.
func (n *Node) enter(ctx context.Context) error {
	lock, err := lockMachine(ctx, n.opts.Out)
	if err != nil {
		return err
	}
	defer lock.Close() // the namespaces hold it on
	if n.Dir, err = os.MkdirTemp("", "quartermaster-node-"); err != nil {
		return err
	}
	n.Kubeconfig = n.file("admin.kubeconfig")
	for _, name := range []string{"lib", "log", "tmp"} {
		if err := os.Mkdir(n.file(name), 0o755); err != nil {
			return err
		}
	}
	if err := writePKI(n.Dir); err != nil {
		return err
	}
	n.namespaces, err = enter(n.Dir, lock)
	return err
}

// startComponents starts what makes up a cluster, each as soon as it has what it needs.
func (n *Node) startComponents(ctx context.Context) error {
	begin := time.Now()
	apiServer, err := n.startAPIServer()
	if err != nil {
		return err
	}
	// The API server takes seconds to become ready, which containerd can use.
	containerd, err := n.startRuntime(ctx)
	if err != nil {
		return err
	}
	begin = n.step(begin, "containerd has the images")
	if err := n.awaitAPIServer(ctx, apiServer); err != nil {
		return err
	}
	begin = n.step(begin, "the API server is ready")
	if err := n.startControllers(); err != nil {
		return err
	}
	if err := n.startWorker(ctx, containerd); err != nil {
		return err
	}
	n.step(begin, "the node is ready")
	return nil
}

// step tells what has been reached, and how long that took since begin. It returns the begin of the next step.
func (n *Node) step(begin time.Time, reached string) time.Time {
	fmt.Fprintf(n.opts.Out, "  %5.1f s  %s\n", time.Since(begin).Seconds(), reached)
	return time.Now()
}

// Command returns a command that runs a program on the node, that is in its namespaces, with dir as the working directory.
// The machine's files are where they are, but for /run, /var/lib and /var/log. When ctx ends, the program is killed, and
// what it has started too.
func (n *Node) Command(ctx context.Context, dir, program string, args ...string) *exec.Cmd {
	return n.namespaces.command(ctx, dir, program, args...)
}

// Enter is the beginning of a command line that runs a program in the node's network, from where the API server, pods
// and Services are reached.
func (n *Node) Enter() string { return "nsenter --net=/proc/" + n.namespaces.pid + "/ns/net" }

// Stop ends the node and removes all of it. Calling it again does nothing and returns the same.
func (n *Node) Stop() error { return n.stop() }

func (n *Node) shutdown() error {
	n.stopping.Store(true)
	switch {
	case n.namespaces != nil:
		return n.namespaces.leave() // and remove Dir
	case n.Dir != "":
		return os.RemoveAll(n.Dir)
	}
	return nil
}

// file is the path of one of the node's files.
func (n *Node) file(name string) string { return filepath.Join(n.Dir, name) }

// kubectl runs kubectl as an administrator.
func (n *Node) kubectl(ctx context.Context, args ...string) error {
	return n.run(ctx, filepath.Join(n.opts.Programs, "kubectl"),
		append([]string{"--kubeconfig", n.Kubeconfig, "--cache-dir", n.file("tmp")}, args...)...)
}

// run runs a program on the node to its end. What it says is part of the error.
func (n *Node) run(ctx context.Context, program string, args ...string) error {
	var out bytes.Buffer
	cmd := n.Command(ctx, n.Dir, program, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", filepath.Base(program), strings.Join(args, " "), err, bytes.TrimSpace(out.Bytes()))
	}
	return nil
}
