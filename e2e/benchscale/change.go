package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"quartermaster.dev/e2e/internal/load"
	"quartermaster.dev/e2e/release"
)

// quiet is for how long pods are created while nothing changes.
const quiet = 15 * time.Second

// measureChange changes the policy of the first namespace and creates pods there until one shows it.
func measureChange(ctx context.Context, o *options, w *world, _ *release.Release, r *report) error {
	var took []time.Duration
	for i := range o.changes {
		generation := i + 1
		cm := configMaps(0, generation)[0]
		if err := w.plane.Client.Update(ctx, cm); err != nil {
			return err
		}
		begin := time.Now()
		for seen := 0; seen < generation; {
			answer, _, err := w.equipped.Create(ctx, w.pod)
			if err != nil {
				return err
			}
			if seen, err = generationOf(answer); err != nil {
				return err
			}
		}
		took = append(took, time.Since(begin))
	}
	r.line("from the answer to a change until a pod shows it, p50", []float64{load.Percentile(took, 50)}, "%.1f ms", 0)
	r.line("from the answer to a change until a pod shows it, p99", []float64{load.Percentile(took, 99)}, "%.1f ms", 0)
	return nil
}

// generationOf is what the policy has written into a pod.
func generationOf(pod []byte) (int, error) {
	var fields struct {
		Spec struct {
			NodeSelector map[string]string `json:"nodeSelector"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(pod, &fields); err != nil {
		return 0, err
	}
	return strconv.Atoi(fields.Spec.NodeSelector["example.com/generation"])
}

// measureBurst creates pods while nothing changes, and while as many policies change as fast as the API server lets them.
// Pods that Quartermaster has no part in are created in turn with the others: what the burst costs those, it costs the API
// server.
func measureBurst(ctx context.Context, o *options, w *world, installed *release.Release, r *report) error {
	calm, cancel := context.WithTimeout(ctx, quiet)
	defer cancel()
	before, err := w.create(ctx, calm)
	if err != nil {
		return err
	}
	var changed atomic.Int64
	changing, done := context.WithCancelCause(ctx)
	defer done(nil)
	failed := make(chan error, 1)
	begin := time.Now()
	go func() {
		defer done(nil)
		failed <- parallel(changing, o.writers, o.burst, func(ctx context.Context, i int) error {
			defer changed.Add(1)
			return w.plane.Client.Update(ctx, configMaps(o.namespaces-1-i, 1)[0])
		})
	}()
	during, err := w.create(ctx, changing)
	if err != nil {
		done(err) // which is then what the writers say, too
	}
	if err := <-failed; err != nil {
		return err
	}
	if err != nil {
		return err
	}
	burst := time.Since(begin)
	if err := installed.Settle(ctx); err != nil {
		return err
	}
	settled := time.Since(begin) - burst
	r.say("%d policies changed by %d writers in %.1f s, and in force %.2f s after the last was written", changed.Load(), o.writers, burst.Seconds(), settled.Seconds())
	for i, who := range []string{"no webhook", "Quartermaster"} {
		quiet, busy := load.Percentile(before[i], 99), load.Percentile(during[i], 99)
		r.line(fmt.Sprintf("p50 of a pod's creation, quiet, %s", who), []float64{load.Percentile(before[i], 50)}, "%.1f ms", 0)
		r.line(fmt.Sprintf("p99 of a pod's creation, quiet, %s", who), []float64{quiet}, "%.1f ms", 0)
		r.line(fmt.Sprintf("p99 of a pod's creation, during the burst, %s", who), []float64{busy}, "%.1f ms", 0)
		limit := 0.0
		if i == 1 {
			limit = 3
		}
		r.line("ratio of the p99 during the burst to the quiet one", []float64{busy / quiet}, "%.2f", limit)
	}
	return nil
}

// create creates pods, in turn without and with Quartermaster, until the second context ends.
func (w *world) create(ctx, until context.Context) (durations [2][]time.Duration, err error) {
	for until.Err() == nil {
		for i, creator := range []*load.Creator{w.plain, w.equipped} {
			_, took, err := creator.Create(ctx, w.pod)
			if err != nil {
				return durations, err
			}
			durations[i] = append(durations[i], took)
		}
	}
	return durations, nil
}
