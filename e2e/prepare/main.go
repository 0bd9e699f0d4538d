// Command prepare builds, with progress, what the end-to-end tests and the demo run, so that nobody waits for either
// in silence after a clone: the control plane, the tools that are asked for, and into bin/ the programs of this module
// that are named as arguments.
//
//	go run ./e2e/prepare [-race] [-all] [-node] [-helm] [-certmanager] [-promtool] [-crds] [PROGRAM...]
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"quartermaster.dev/e2e/internal/build"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// A tool is something from another project that only some tests need.
type tool struct {
	flag, usage string
	build       func(ctx context.Context, out io.Writer) (dir string, err error)
}

// tools are built in this order: what follows finds some of its packages in the build cache.
var tools = []tool{
	{"node", "build kubelet, kubectl and the rest of Kubernetes", build.Node},
	{"helm", "build helm", build.Helm},
	{"certmanager", "build cert-manager's controllers", build.CertManager},
	{"promtool", "build promtool", build.Promtool},
	{"crds", "download the CustomResourceDefinitions of cert-manager and of prometheus-operator", downloadCRDs},
}

func run(ctx context.Context, args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("prepare", flag.ContinueOnError)
	flags.SetOutput(stderr)
	race := flags.Bool("race", false, "build with the race detector where a C compiler is at hand")
	all := flags.Bool("all", false, "compile every other package too, so that `go test` finds them in the build cache")
	wanted := map[string]*bool{}
	for _, t := range tools {
		wanted[t.flag] = flags.Bool(t.flag, false, t.usage)
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		if _, err := build.ControlPlane(ctx, stderr); err != nil {
			return err
		}
	}
	for _, t := range tools {
		if !*wanted[t.flag] {
			continue
		}
		if _, err := t.build(ctx, stderr); err != nil {
			return err
		}
	}
	if *race && build.RaceDetector(ctx) != nil {
		*race = false // the tests say what is missing
	}
	for _, pkg := range flags.Args() {
		if _, err := (build.Program{Package: pkg, Race: *race}).Build(ctx, stderr); err != nil {
			return err
		}
	}
	if *all {
		return build.Compile(ctx, stderr, *race)
	}
	return nil
}

func downloadCRDs(ctx context.Context, out io.Writer) (string, error) {
	fmt.Fprintln(out, "Looking for the modules that carry CustomResourceDefinitions; a download takes seconds.")
	if _, err := build.CertManagerCRDs(ctx); err != nil {
		return "", err
	}
	return build.PrometheusOperatorCRDs(ctx)
}
