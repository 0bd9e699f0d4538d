package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"quartermaster.dev/e2e/cluster"
	"quartermaster.dev/e2e/internal/load"
	"quartermaster.dev/e2e/release"
)

const (
	soakWorkers    = 8
	soakSaturation = 2000 // pods created to find out how fast that goes
	soakSample     = 15 * time.Second
	// soakNamespaces have a policy that changes, one of them at every soakChange.
	soakNamespaces = 50
	soakChange     = 100 * time.Millisecond
	// soakGrowth is by how much memory and goroutines may differ between the second quarter of the time and the last.
	soakGrowth = 1.1
)

// A sample is what the server says of itself, and what was created since the one before.
type sample struct {
	resident, heap float64 // MiB
	goroutines     float64
	durations      []time.Duration
}

// soak creates pods at half of the rate at which no more can be created, while policies change, for as long as is asked for.
// It is an error when anything fails, or when the server's memory or goroutines grow.
func (b *bench) soak(ctx context.Context) error {
	v := newVariants()[quartermaster]
	var err error
	if v.creator, err = load.NewCreator(ctx, b.plane, v.key, nil); err != nil {
		return err
	}
	document, err := examplePolicy()
	if err != nil {
		return err
	}
	if err := b.plane.Client.Create(ctx, policyMap(v.key, document)); err != nil {
		return err
	}
	if err := b.installed.Settle(ctx); err != nil {
		return err
	}
	contrary, err := b.recordings[0].With("contrary", "nodeSelector", map[string]string{"k8s.scaleway.com/pool-name": "prod"})
	if err != nil {
		return err
	}
	contrary.Refused = true
	mixed := append(b.recordings, contrary)

	fmt.Fprintln(b.stderr, "looking for saturation")
	begin := time.Now()
	if _, err := burst(ctx, v.creator, mixed, b.creators, soakSaturation); err != nil {
		return err
	}
	rate := soakSaturation / time.Since(begin).Seconds() / 2
	fmt.Fprintf(b.stdout, "\nsoak of %s: %.0f pods/s of %d kinds, half of saturation, and %.0f changes of a policy a second\n",
		b.soakTime, rate, len(mixed), 1/soakChange.Seconds())

	ctx, cancel := context.WithTimeout(ctx, b.soakTime)
	defer cancel()
	traffic := &traffic{ctx: ctx}
	for i := range soakWorkers {
		traffic.running.Go(func() { traffic.create(v.creator, mixed, i, time.Duration(soakWorkers/rate*float64(time.Second))) })
	}
	traffic.running.Go(func() { traffic.change(b.plane, document) })
	samples, err := traffic.observe(b.installed, b.stdout)
	cancel() // also when it was an error that ended it
	traffic.running.Wait()
	if err := errors.Join(err, traffic.failure()); err != nil {
		return err
	}
	return grown(samples, b.stdout)
}

// traffic is what goes on during a soak.
type traffic struct {
	ctx     context.Context // ends with the soak
	running sync.WaitGroup

	mu        sync.Mutex
	durations []time.Duration
	err       error
	changes   atomic.Int64
}

func (t *traffic) fail(err error) {
	// What the end of the soak interrupts is no failure.
	if err != nil && t.ctx.Err() == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.err = errors.Join(t.err, err)
	}
}

func (t *traffic) failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// create creates one pod after the other, and one each time that the interval has passed.
func (t *traffic) create(c *load.Creator, mixed []*load.Recording, first int, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for i := first; t.failure() == nil; i++ {
		select {
		case <-t.ctx.Done():
			return
		case <-tick.C:
		}
		_, took, err := c.Create(t.ctx, mixed[i%len(mixed)])
		t.fail(err)
		t.mu.Lock()
		t.durations = append(t.durations, took)
		t.mu.Unlock()
	}
}

// change writes policies: each namespace's in turn is created, changed, and deleted.
func (t *traffic) change(plane *cluster.Cluster, document string) {
	tick := time.NewTicker(soakChange)
	defer tick.Stop()
	for i := 0; t.failure() == nil; i++ {
		select {
		case <-t.ctx.Done():
			return
		case <-tick.C:
		}
		namespace := fmt.Sprintf("bench-soak-%d", i%soakNamespaces)
		cm := policyMap(namespace, fmt.Sprintf("# change %d\n%s", i, document))
		switch i / soakNamespaces % 3 {
		case 0:
			if err := plane.Namespace(t.ctx, namespace, nil); err != nil {
				t.fail(err)
			}
			t.fail(plane.Client.Create(t.ctx, cm))
		case 1:
			t.fail(plane.Client.Update(t.ctx, cm))
		default:
			if err := plane.Client.Delete(t.ctx, cm); !apierrors.IsNotFound(err) {
				t.fail(err)
			}
		}
		t.changes.Add(1)
	}
}

// observe prints a line for each sample until the soak ends.
func (t *traffic) observe(installed *release.Release, stdout io.Writer) ([]sample, error) {
	var samples []sample
	tick := time.NewTicker(soakSample)
	defer tick.Stop()
	begin := time.Now()
	fmt.Fprintf(stdout, "%8s %8s %8s %8s %10s %10s %10s %12s\n", "after", "pods", "p50 ms", "p99 ms", "changes", "RSS MiB", "heap MiB", "goroutines")
	for t.failure() == nil {
		select {
		case <-t.ctx.Done():
			return samples, nil
		case <-tick.C:
		}
		metrics, err := load.Metrics(t.ctx, installed.MetricsURL)
		if err != nil {
			if t.ctx.Err() != nil {
				return samples, nil
			}
			return nil, err
		}
		s := sample{
			resident:   metrics["process_resident_memory_bytes"] / (1 << 20),
			heap:       metrics["go_memstats_heap_inuse_bytes"] / (1 << 20),
			goroutines: metrics["go_goroutines"],
		}
		t.mu.Lock()
		s.durations, t.durations = t.durations, nil
		t.mu.Unlock()
		samples = append(samples, s)
		fmt.Fprintf(stdout, "%8s %8d %8.1f %8.1f %10d %10.1f %10.1f %12.0f\n", time.Since(begin).Round(time.Second), len(s.durations),
			load.Percentile(s.durations, 50), load.Percentile(s.durations, 99), t.changes.Load(), s.resident, s.heap, s.goroutines)
	}
	return samples, nil
}

// grown compares the second quarter of the time with the last.
func grown(samples []sample, stdout io.Writer) error {
	n := len(samples) / 4
	if n == 0 {
		return errors.New("a soak needs a minute or more, or there is nothing to compare")
	}
	var err error
	for _, figure := range []struct {
		name  string
		value func(s sample) float64
	}{
		{"RSS in MiB", func(s sample) float64 { return s.resident }},
		{"goroutines", func(s sample) float64 { return s.goroutines }},
	} {
		median := func(samples []sample) float64 {
			var values []float64
			for _, s := range samples {
				values = append(values, figure.value(s))
			}
			return load.SpreadOf(values).Median
		}
		before, after := median(samples[n:2*n]), median(samples[len(samples)-n:])
		fmt.Fprintf(stdout, "%s: %.1f in the second quarter of the time, %.1f in the last\n", figure.name, before, after)
		if after > before*soakGrowth {
			err = errors.Join(err, fmt.Errorf("%s grew from %.1f to %.1f", figure.name, before, after))
		}
	}
	return err
}
