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
	"os/signal"
	"syscall"

	"quartermaster.dev/e2e/cluster"
	"quartermaster.dev/e2e/release"
)

func main() {
	// Piped into a reader that goes away, the demo would be killed at its next word, and leave its processes behind.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

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
		return interrupted(ctx, err)
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
		return interrupted(ctx, err)
	}
	defer func() { err = errors.Join(err, installed.Stop()) }()
	s.say("The webhook server runs at %s as %s/%s and may read ConfigMaps and write Events, nothing else.",
		installed.URL, installed.Namespace, installed.ServiceAccount)

	if err := play(ctx, s, plane, installed); err != nil {
		return interrupted(ctx, err)
	}
	s.end()
	return s.verdict()
}

// interrupted is err, or a plain word where the reason is that somebody has asked the demo to end.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted; everything that was started has been ended")
	}
	return err
}
