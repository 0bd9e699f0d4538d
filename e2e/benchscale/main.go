// Command benchscale measures Quartermaster with many policies, on a real API server:
//
//	go run ./e2e/benchscale
//
// It puts 10,000 policies into 5,000 namespaces and measures how soon a server that starts is ready, how much memory it takes,
// how long deciding takes beside deciding with a single policy, how soon a change is in force, and what it costs the creation
// of pods when 1,000 policies change at once. It ends with a code other than 0 when a bound of the design does not hold.
//
// Reading order: run (below), the policies (world.go), the server's start and memory (start.go), deciding (decide.go),
// changes (change.go), and what must hold (report.go).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"quartermaster.dev/e2e/cluster"
	"quartermaster.dev/e2e/internal/harness"
	"quartermaster.dev/e2e/release"
)

func main() { harness.Main(run) }

// options are the command line.
type options struct {
	namespaces int
	burst      int
	writers    int
	rounds     int
	changes    int
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("benchscale", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.IntVar(&o.namespaces, "namespaces", 5000, "namespaces, each with two policies")
	flags.IntVar(&o.rounds, "rounds", 5, "how often a start, and deciding, are measured; figures are medians")
	flags.IntVar(&o.changes, "changes", 50, "policies changed one after the other")
	flags.IntVar(&o.burst, "burst", 1000, "policies changed at once")
	flags.IntVar(&o.writers, "writers", 4, "how many write those at the same time")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("benchscale takes no arguments, not %q", flags.Args())
	case o.namespaces < 2 || o.rounds < 1 || o.changes < 1 || o.burst < 1 || o.writers < 1 || o.burst > o.namespaces:
		return o, errors.New("all numbers must be 1 or more, -namespaces 2 or more, and -burst no more than those")
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	fmt.Fprintln(stderr, "starting etcd and kube-apiserver")
	plane, err := cluster.Start(ctx, cluster.Options{Out: stderr})
	if err != nil {
		return harness.Interrupted(ctx, err)
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	w, err := newWorld(ctx, &o, plane, stderr)
	if err != nil {
		return harness.Interrupted(ctx, err)
	}
	fmt.Fprintln(stderr, "installing Quartermaster")
	installed, err := release.Install(ctx, plane, release.Options{
		Values: map[string]any{"shutdown": map[string]any{"drainSeconds": 0}}, // nobody is left to be served at the end
		Out:    stderr,
	})
	if err != nil {
		return harness.Interrupted(ctx, err)
	}
	defer func() { err = errors.Join(err, installed.Stop()) }()
	return harness.Interrupted(ctx, measure(ctx, &o, w, installed, stdout, stderr))
}

// measure measures one thing after the other and prints what came out.
func measure(ctx context.Context, o *options, w *world, installed *release.Release, stdout, stderr io.Writer) error {
	r := &report{out: stdout}
	if err := r.describe(w); err != nil {
		return err
	}
	for _, step := range []struct {
		what string
		do   func(context.Context, *options, *world, *release.Release, *report) error
	}{
		{"starting servers", measureStart},
		{"deciding", measureDeciding},
		{"changing one policy at a time", measureChange},
		{"changing many policies at once", measureBurst},
		{"looking at the memory again", measureMemory},
	} {
		fmt.Fprintln(stderr, step.what)
		if err := step.do(ctx, o, w, installed, r); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return r.bounds.Err()
}
