package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"quartermaster.dev/e2e/cluster"
	"quartermaster.dev/e2e/internal/load"
	"quartermaster.dev/e2e/release"
)

// compare measures the variants and prints one table for each pod, and one for its throughput.
func compare(ctx context.Context, o *options, plane *cluster.Cluster, installed *release.Release, recordings []*load.Recording, stdout, stderr io.Writer) error {
	variants, stop, err := setUp(ctx, plane, installed, recordings, stderr)
	if stop != nil {
		defer func() { _ = stop() }()
	}
	if err != nil {
		return err
	}
	for _, r := range recordings {
		fmt.Fprintf(stderr, "%s: warming up\n", r.Name)
		if _, err := oneByOne(ctx, variants, r, max(o.requests/4, 1)); err != nil {
			return err
		}
		var rounds []round
		for i := range o.rounds {
			fmt.Fprintf(stderr, "%s: round %d of %d, one at a time\n", r.Name, i+1, o.rounds)
			measured, err := oneByOne(ctx, variants, r, o.requests)
			if err != nil {
				return err
			}
			rounds = append(rounds, measured)
		}
		printLatency(stdout, variants, r, o, rounds)
		rounds = nil
		for i := range o.rounds {
			fmt.Fprintf(stderr, "%s: round %d of %d, %d at a time\n", r.Name, i+1, o.rounds, o.creators)
			measured, err := allAtOnce(ctx, variants, r, o, i)
			if err != nil {
				return err
			}
			rounds = append(rounds, measured)
		}
		printThroughput(stdout, variants, r, o, rounds)
	}
	return nil
}

// A round is what was measured of each variant.
type round []measurement

type measurement struct {
	p50, p90, p99 float64 // milliseconds
	perSecond     float64
}

func measured(durations []time.Duration) measurement {
	return measurement{p50: load.Percentile(durations, 50), p90: load.Percentile(durations, 90), p99: load.Percentile(durations, 99)}
}

// oneByOne creates so many pods in each variant. They take turns with every request, and each time another one begins: what
// one leaves behind, garbage above all, falls on each of the others alike.
func oneByOne(ctx context.Context, variants []*variant, r *load.Recording, requests int) (round, error) {
	durations := make([][]time.Duration, len(variants))
	for i := range requests {
		for j := range variants {
			// Strides of 1 and 5 through six variants: each comes after its one neighbour as often as after the other.
			at := (i + j*[]int{1, len(variants) - 1}[i%2]) % len(variants)
			_, took, err := variants[at].creator.Create(ctx, r)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", variants[at].name, err)
			}
			durations[at] = append(durations[at], took)
		}
	}
	measurements := make(round, len(variants))
	for i := range variants {
		measurements[i] = measured(durations[i])
	}
	return measurements, nil
}
