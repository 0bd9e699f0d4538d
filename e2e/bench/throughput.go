package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"quartermaster.dev/e2e/internal/load"
)

// allAtOnce creates so many pods in each variant, many at a time. The variants take turns in small blocks, in
// an order that is drawn each time.
func (b *bench) allAtOnce(ctx context.Context, variants []*variant, r *load.Recording) (round, error) {
	const blocks = 4
	durations := make([][]time.Duration, len(variants))
	busy := make([]time.Duration, len(variants))
	for range blocks {
		for _, at := range b.random.Perm(len(variants)) {
			begin := time.Now()
			took, err := burst(ctx, variants[at].creator, []*load.Recording{r}, b.creators, max(b.concurrent/blocks, b.creators))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", variants[at].name, err)
			}
			busy[at] += time.Since(begin)
			durations[at] = append(durations[at], took...)
		}
	}
	measurements := make(round, len(variants))
	for i := range variants {
		measurements[i] = measured(durations[i])
		measurements[i].perSecond = float64(len(durations[i])) / busy[i].Seconds()
	}
	return measurements, nil
}

// burst creates so many pods, of each recording in turn, by so many creators, and returns how long each took. The first
// error ends it.
func burst(ctx context.Context, c *load.Creator, recordings []*load.Recording, creators, pods int) ([]time.Duration, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var left atomic.Int64
	left.Store(int64(pods))
	each := make([][]time.Duration, creators)
	var running sync.WaitGroup
	for i := range creators {
		running.Go(func() {
			for ctx.Err() == nil {
				n := left.Add(-1)
				if n < 0 {
					return
				}
				_, took, err := c.Create(ctx, recordings[int(n)%len(recordings)])
				if err != nil {
					cancel(err)
					return
				}
				each[i] = append(each[i], took)
			}
		})
	}
	running.Wait()
	var all []time.Duration
	for _, durations := range each {
		all = append(all, durations...)
	}
	return all, context.Cause(ctx)
}
