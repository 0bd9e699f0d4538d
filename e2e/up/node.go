package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"

	"quartermaster.dev/e2e/internal/build"
	"quartermaster.dev/e2e/internal/guard"
	"quartermaster.dev/e2e/internal/harness"
	"quartermaster.dev/e2e/node"
)

// testNode runs the tests on a node that it brings up, and takes down afterwards.
func testNode(ctx context.Context, o options, out io.Writer) (err error) {
	if err := node.CheckMachine(); err != nil {
		return fmt.Errorf("%w\nOr name a cluster by -kubeconfig, with the images for it by -image and -job-image", err)
	}
	t, err := buildTools(ctx, !o.play, out)
	if err != nil {
		return harness.Interrupted(ctx, err)
	}
	n, err := startNode(ctx, t, o.version, out)
	if err != nil {
		return harness.Interrupted(ctx, err)
	}
	defer func() {
		fmt.Fprintln(out, "Taking the node down.")
		err = errors.Join(err, n.Stop())
	}()
	if !o.play {
		err = runTests(ctx, o, n, t, out)
	}
	switch {
	case ctx.Err() != nil:
		return harness.Interrupted(ctx, err)
	case o.play || o.keep:
		explain(out, n, t)
		<-ctx.Done()
	case err != nil:
		fmt.Fprintln(out, "With -keep the node stays up after the tests, to be looked at.")
	}
	return err
}

// runTests runs the tests on the node.
func runTests(ctx context.Context, o options, n *node.Node, t tools, out io.Writer) error {
	fmt.Fprintln(out, "Running the tests.")
	o.kubeconfig, o.image, o.jobImage, o.sshHost = n.Kubeconfig, serverImage, jobImage, node.Address
	tests := n.Command(ctx, t.folder(), t.tests, t.args(o)...)
	tests.Env = append(os.Environ(), "TMPDIR="+filepath.Join(n.Dir, "tmp")) // goes with the node, whatever becomes of them
	tests.Stdout, tests.Stderr = out, out
	if err := tests.Run(); err != nil {
		return fmt.Errorf("the tests failed: %w", err)
	}
	return nil
}

// startNode makes the images and brings the node up: one of a Kapsule pool that is reserved for the jobs of one runner.
func startNode(ctx context.Context, t tools, version string, out io.Writer) (*node.Node, error) {
	controlPlane, err := build.ControlPlane(ctx, out)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "quartermaster-images-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	watch, err := guard.Watch(dir)
	if err != nil {
		return nil, err
	}
	defer watch.Relieve()
	archives, err := buildImages(ctx, version, dir, out)
	if err != nil {
		return nil, err
	}
	fmt.Fprintln(out, "Bringing a node up.")
	return node.Start(ctx, node.Options{
		ControlPlane: controlPlane,
		Programs:     filepath.Dir(t.kubectl),
		PauseImage:   "docker.io/library/" + pauseImage, // containerd does not complete it
		Archives:     archives,
		Labels:       map[string]string{"k8s.scaleway.com/pool-name": "dev"},
		Taints:       []corev1.Taint{{Key: "gitlab-runner-jobs-dev-reserved", Value: "true", Effect: corev1.TaintEffectNoSchedule}},
		Out:          out,
	})
}

// explain says how the node is used by hand.
func explain(out io.Writer, n *node.Node, t tools) {
	fmt.Fprintf(out, `
The node stays up until Ctrl-C. In another terminal, as root:

  export KUBECONFIG=%[1]s
  %[2]s %[3]s get pods -A
  %[2]s %[4]s install quartermaster %[5]s/charts/quartermaster -n quartermaster --create-namespace --wait \
    --set image.tag=e2e --set-json 'tolerations=[{"operator":"Exists"}]'

Only this network reaches the API server, pods and Services: a shell in it is %[2]s bash.
Logs of the components are in %[6]s/log. Pods can run the images %[7]s and %[8]s.

`, n.Kubeconfig, n.Enter(), t.kubectl, t.helm, t.root, n.Dir, serverImage, jobImage)
}
