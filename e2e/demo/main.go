// Command demo shows what Quartermaster does to a GitLab job pod, on a real API server:
//
//	go run ./e2e/demo
//
// It plays the scenario of manifests/examples/dev with the pod of a real runner, recorded: the pod is equipped, one that
// contradicts the policy is refused, and one that is no GitLab job stays as it is. Whatever it announces it has checked; it
// ends with a code other than 0 when anything did not hold. It cleans up after itself, also on Ctrl-C.
//
// Reading order: run (below), the three acts (acts.go), what they check (check.go), how they speak (stage.go).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"quartermaster.dev/e2e/cluster"
	"quartermaster.dev/e2e/internal/harness"
	"quartermaster.dev/e2e/release"
)

func main() { harness.Main(run) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(stderr)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("the demo takes no arguments, not %q", flags.Args())
	}
	s := newStage(stdout, os.Getenv("NO_COLOR") == "")

	s.title("A Kubernetes API server")
	plane, err := cluster.Start(ctx, cluster.Options{Out: stderr})
	if err != nil {
		return harness.Interrupted(ctx, err)
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	s.say("etcd and kube-apiserver run at %s, with nothing on them yet.", plane.Config.Host)

	s.title("Quartermaster, installed from its chart")
	installed, err := release.Install(ctx, plane, release.Options{
		// Nobody is left to be served when the demo ends, so it does not wait for clients to go elsewhere.
		Values: map[string]any{"shutdown": map[string]any{"drainSeconds": 0}},
		Out:    stderr,
	})
	if err != nil {
		return harness.Interrupted(ctx, err)
	}
	defer func() { err = errors.Join(err, installed.Stop()) }()
	s.say("The webhook server runs at %s as %s/%s and may read ConfigMaps and write Events, nothing else.",
		installed.URL, installed.Namespace, installed.ServiceAccount)

	if err := play(ctx, s, plane, installed); err != nil {
		return harness.Interrupted(ctx, err)
	}
	s.end()
	return s.verdict()
}
