package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"quartermaster.dev/e2e/internal/load"
)

// compare measures the variants and prints one table for each pod, and one for its throughput.
func (b *bench) compare(ctx context.Context) (err error) {
	defer func() {
		for _, stop := range b.stops {
			err = errors.Join(err, stop())
		}
	}()
	variants, err := b.setUp(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(b.stdout, "order drawn with -seed %d\n", b.seed)
	for _, r := range b.recordings {
		fmt.Fprintf(b.stderr, "%s: warming up\n", r.Name)
		if _, err := b.oneByOne(ctx, variants, r, max(b.requests/4, 1)); err != nil {
			return err
		}
		var rounds []round
		for i := range b.rounds {
			fmt.Fprintf(b.stderr, "%s: round %d of %d, one at a time\n", r.Name, i+1, b.rounds)
			measured, err := b.oneByOne(ctx, variants, r, b.requests)
			if err != nil {
				return err
			}
			rounds = append(rounds, measured)
		}
		b.printLatency(variants, r, rounds)
		b.checkBound(r, rounds)
		rounds = nil
		for i := range b.rounds {
			fmt.Fprintf(b.stderr, "%s: round %d of %d, %d at a time\n", r.Name, i+1, b.rounds, b.creators)
			measured, err := b.allAtOnce(ctx, variants, r)
			if err != nil {
				return err
			}
			rounds = append(rounds, measured)
		}
		b.printThroughput(variants, r, rounds)
	}
	fmt.Fprintln(b.stdout, "\n* without the node selector, the toleration and the keys of the Secrets, which ApplyConfiguration must not set")
	return b.bounds.Err()
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

// oneByOne creates so many pods in each variant. They take turns with every request, in an order that is drawn each time: what
// one leaves behind, garbage in the API server and other code in the processor's caches, falls on each of the others alike.
func (b *bench) oneByOne(ctx context.Context, variants []*variant, r *load.Recording, requests int) (round, error) {
	durations := make([][]time.Duration, len(variants))
	for range requests {
		for _, at := range b.random.Perm(len(variants)) {
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
