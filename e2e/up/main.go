// Command up brings a real Kubernetes with one node up, with all that the tests of e2e/installed need, runs them there,
// and takes everything down again:
//
//	go run ./e2e/up                  # all tests
//	go run ./e2e/up -run Rotat       # those whose name matches
//	go run ./e2e/up -keep            # all; then the node stays up, as they have left it, until Ctrl-C
//	go run ./e2e/up -play            # none; the node stays up, with nothing on it yet, until Ctrl-C
//
// With -kubeconfig it runs them on a cluster that is there already. Its nodes must be able to run the images that are then
// named by -image and -job-image, and must be reserved for jobs; where they are not, the tests say how that is done.
//
// Reading order: run (below), what is built (build.go), the node and the tests on it (node.go), the tests elsewhere
// (given.go).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"quartermaster.dev/e2e/internal/harness"
)

func main() { harness.Main(run) }

// options are the flags.
type options struct {
	run, version string
	keep, play   bool

	kubeconfig, image, jobImage, sshHost string
}

func run(ctx context.Context, args []string, out, stderr io.Writer) error {
	var o options
	flags := flag.NewFlagSet("up", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.run, "run", "", "run only the tests whose names match this regular expression")
	flags.BoolVar(&o.keep, "keep", false, "leave the node up after the tests, until Ctrl-C")
	flags.BoolVar(&o.play, "play", false, "run no tests, but leave the node up, until Ctrl-C")
	flags.StringVar(&o.version, "version", "v0.0.0-e2e", "what the binaries of the image answer to --version")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "run the tests on the cluster of this kubeconfig file, as an administrator, and bring no node up")
	flags.StringVar(&o.image, "image", "", "with -kubeconfig: reference of Quartermaster's image, REPOSITORY:TAG")
	flags.StringVar(&o.jobImage, "job-image", "", "with -kubeconfig: reference of an image for jobs, with a shell, git, ssh and kubectl")
	flags.StringVar(&o.sshHost, "ssh-host", "", "with -kubeconfig: the address of this machine that pods reach (default: the one it reaches the API server from)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("up takes no arguments, not %q", flags.Args())
	case o.kubeconfig == "" && (o.image != "" || o.jobImage != "" || o.sshHost != ""):
		return errors.New("-image, -job-image and -ssh-host go with -kubeconfig; for a node of its own, up makes the images")
	case o.kubeconfig != "" && (o.image == "" || o.jobImage == ""):
		return errors.New("with -kubeconfig the images must be given, by -image and -job-image: up cannot put any into that cluster")
	case o.kubeconfig != "" && (o.keep || o.play):
		return errors.New("-keep and -play are for a node of its own, not for the cluster of -kubeconfig")
	case o.kubeconfig != "":
		return testGiven(ctx, o, out)
	}
	return testNode(ctx, o, out)
}
