package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"quartermaster.dev/e2e/internal/load"
	"quartermaster.dev/e2e/release"
	"quartermaster.dev/policy"
	"quartermaster.dev/webhook"
)

// decisions are measured at a time.
const decisions = 2000

// measureDeciding compares two handlers in this process, one that knows all policies and one that knows a single one. They
// take turns.
func measureDeciding(ctx context.Context, o *options, w *world, _ *release.Release, r *report) error {
	review, err := reviewOf(w.pod)
	if err != nil {
		return err
	}
	one, all := newHandler(0), newHandler(o.namespaces)
	var times [2][]float64
	var ratios []float64
	for range o.rounds + 1 {
		var took [2]float64
		for range 10 {
			for i, handler := range []http.Handler{one, all} {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				d, err := decide(handler, review, decisions/10)
				if err != nil {
					return err
				}
				took[i] += d.Seconds() * 1e6 / decisions
			}
		}
		times[0], times[1], ratios = append(times[0], took[0]), append(times[1], took[1]), append(ratios, took[1]/took[0])
	}
	// The first round filled caches and pools.
	r.line("deciding with a single policy", times[0][1:], "%.1f µs", 0)
	r.line(fmt.Sprintf("deciding with %d", w.policies), times[1][1:], "%.1f µs", 0)
	r.line("ratio of deciding with all to deciding with one", ratios[1:], "%.2f", 1.2)
	return nil
}

// newHandler knows the first policy of the first namespace and, of so many namespaces, all of them.
func newHandler(namespaces int) http.Handler {
	store := webhook.NewStore("quartermaster", nil)
	for i := range max(namespaces, 1) {
		for j, cm := range configMaps(i, 0) {
			if namespaces > 0 || j == 0 {
				store.Put(policy.ConfigMap{Namespace: cm.Namespace, Name: cm.Name, Data: cm.Data})
			}
		}
	}
	store.MarkSynced()
	return &webhook.Handler{Policies: store, Log: slog.New(slog.NewJSONHandler(io.Discard, nil)), Metrics: webhook.NewMetrics()}
}

// reviewOf is the review that an API server would send.
func reviewOf(pod *load.Recording) ([]byte, error) {
	return json.Marshal(map[string]any{
		"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
		"request": map[string]any{
			"uid": "379568dd-f494-4db0-8bcb-19837206ac81", "namespace": namespace(0), "name": "pod", "operation": "CREATE",
			"resource": map[string]any{"group": "", "version": "v1", "resource": "pods"},
			"userInfo": map[string]any{"username": "system:serviceaccount:" + namespace(0) + ":" + load.Runner},
			"object":   json.RawMessage(pod.Object),
		},
	})
}

// answer is a response of which no more is kept than whether it holds a patch.
type answer struct {
	header  http.Header
	patched bool
}

func (a *answer) Header() http.Header { return a.header }
func (a *answer) WriteHeader(int)     {}

func (a *answer) Write(p []byte) (int, error) {
	a.patched = a.patched || bytes.Contains(p, []byte(`"patchType"`))
	return len(p), nil
}

// decide is how long it takes to answer the review so many times.
func decide(handler http.Handler, review []byte, times int) (time.Duration, error) {
	begin := time.Now()
	for range times {
		r, err := http.NewRequest(http.MethodPost, "/mutate", bytes.NewReader(review))
		if err != nil {
			return 0, err
		}
		r.Header.Set("Content-Type", "application/json")
		a := &answer{header: http.Header{}}
		handler.ServeHTTP(a, r)
		if !a.patched {
			return 0, fmt.Errorf("the pod is not equipped")
		}
	}
	return time.Since(begin), nil
}
