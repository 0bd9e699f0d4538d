// Command bench measures what Quartermaster costs the creation of a job pod, on a real API server:
//
//	go run ./e2e/bench
//
// Recorded job pods are created, as dry runs, in namespaces that differ in who changes the pods there: nobody, a webhook that
// does no work, a MutatingAdmissionPolicy, or Quartermaster. Requests to all of them take turns, so that whatever else the
// machine does falls on all alike, and what counts is the ratio to the webhook that does no work. It ends with a code other
// than 0 when a bound of the design does not hold.
// With -soak it runs Quartermaster alone at half of its saturation and looks for growth.
//
// Reading order: run (below), who takes part (variants.go, example.go, floor.go, mapolicy.go), what is measured (latency.go,
// throughput.go), the tables (table.go), and the soak (soak.go).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"quartermaster.dev/e2e/cluster"
	"quartermaster.dev/e2e/internal/harness"
	"quartermaster.dev/e2e/internal/load"
	"quartermaster.dev/e2e/release"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == floorCommand {
		signal.Ignore(syscall.SIGPIPE)
		if err := serveFloor(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "error: floor:", err)
			os.Exit(1)
		}
		return
	}
	harness.Main(run)
}

// options are the command line.
type options struct {
	rounds     int
	requests   int
	creators   int
	concurrent int
	pods       string
	soakTime   time.Duration
	seed       uint64
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.rounds, "rounds", 5, "how often everything is measured; figures are medians over the rounds")
	flags.IntVar(&o.requests, "requests", 300, "pods created in each namespace in a round, one at a time")
	flags.IntVar(&o.creators, "creators", 16, "how many create pods at the same time, for the throughput")
	flags.IntVar(&o.concurrent, "concurrent", 320, "pods that they create in each namespace in a round")
	flags.StringVar(&o.pods, "pods", "attach,attach-services,many-variables", "recorded pods to create")
	flags.DurationVar(&o.soakTime, "soak", 0, "run only Quartermaster, for so long, at half of its saturation while policies change")
	flags.Uint64Var(&o.seed, "seed", 0, "draws the order in which the namespaces take turns; 0 is another one each time")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.seed == 0 {
		o.seed = rand.Uint64()
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("bench takes no arguments, not %q", flags.Args())
	case o.rounds < 1 || o.requests < 1 || o.creators < 1 || o.concurrent < o.creators:
		return o, errors.New("-rounds, -requests and -creators must be 1 or more, and -concurrent no less than -creators")
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	var recordings []*load.Recording
	for name := range strings.SplitSeq(o.pods, ",") {
		recording, err := load.Recorded(name)
		if err != nil {
			return err
		}
		recordings = append(recordings, recording)
	}
	fmt.Fprintln(stderr, "starting etcd, kube-apiserver and Quartermaster")
	plane, err := cluster.Start(ctx, cluster.Options{Out: stderr})
	if err != nil {
		return harness.Interrupted(ctx, err)
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	installed, err := release.Install(ctx, plane, release.Options{
		Values: map[string]any{"shutdown": map[string]any{"drainSeconds": 0}}, // nobody is left to be served at the end
		Out:    stderr,
	})
	if err != nil {
		return harness.Interrupted(ctx, err)
	}
	defer func() { err = errors.Join(err, installed.Stop()) }()
	machine, err := load.Machine(plane.Config)
	if err != nil {
		return harness.Interrupted(ctx, err)
	}
	fmt.Fprintln(stdout, machine)
	b := &bench{options: o, plane: plane, installed: installed, recordings: recordings, stdout: stdout, stderr: stderr}
	b.random = rand.New(rand.NewPCG(o.seed, 0))
	if o.soakTime > 0 {
		return harness.Interrupted(ctx, b.soak(ctx))
	}
	return harness.Interrupted(ctx, b.compare(ctx))
}

// bench is what everything is measured with.
type bench struct {
	options
	plane          *cluster.Cluster
	installed      *release.Release
	recordings     []*load.Recording
	stdout, stderr io.Writer
	random         *rand.Rand // draws the order in which variants take turns
	bounds         load.Bounds
	stops          []func() error // of the webhooks that do no work
}
