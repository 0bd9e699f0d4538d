package e2e

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

const (
	wantSwaps     = 120
	wantCreations = 1200
	creators      = 8
)

// generation is a policy in which every value names one generation, so that a mixture of two would show.
func generation(name string) string {
	return fmt.Sprintf(`apiVersion: quartermaster.dev/v1alpha1
kind: JobPolicy
match: {}
inject:
  secrets:
  - {name: %[1]s-api-key, preset: scaleway, home: /home/%[1]s}
  - {name: %[1]s-npm, mountPath: /etc/%[1]s, containers: [build, helper]}
  nodeSelector: {pool: %[1]s, %[1]s: only}
  tolerations:
  - {key: %[1]s, operator: Exists, effect: NoSchedule}
`, name)
}

// TestSwaps asks for pods all the time while a policy is swapped over and over: each pod must be equipped wholly by the
// old one or wholly by the new one. The server runs with the race detector; what that finds fails TestMain.
func TestSwaps(t *testing.T) {
	t.Parallel()
	ns := namespace(t, nil)
	golden := map[string]string{} // the pod as YAML → the generation that it belongs to
	writePolicy(t, ns, "runner-jobs", generation("old"))
	golden[text(t, mustCreate(t, jobPod(ns)))] = "old"
	swap(t, ns, generation("new"))
	golden[text(t, mustCreate(t, jobPod(ns)))] = "new"
	if len(golden) != 2 {
		t.Fatal("both policies give the same pod")
	}

	// Creators go on until all swaps are done and enough pods were created.
	var swapped atomic.Bool
	var created atomic.Int64
	var mu sync.Mutex
	seen := map[string]int{}
	var running sync.WaitGroup
	for range creators {
		running.Go(func() {
			for (!swapped.Load() || created.Load() < wantCreations) && t.Context().Err() == nil {
				pod, err := create(t.Context(), jobPod(ns))
				if err != nil {
					t.Errorf("creation %d: %v", created.Load(), err)
					return
				}
				created.Add(1)
				got := text(t, pod)
				mu.Lock()
				seen[golden[got]]++
				mu.Unlock()
				if golden[got] == "" {
					t.Errorf("a pod that is neither the old nor the new one:\n%s", got)
					return
				}
			}
		})
	}
	for n := range wantSwaps {
		// Each swap has taken effect before the next, so that none is skipped.
		swap(t, ns, generation([]string{"old", "new"}[n%2]))
	}
	swapped.Store(true)
	running.Wait()
	if seen["old"] == 0 || seen["new"] == 0 {
		t.Errorf("creations did not meet both generations: %v", seen)
	}
	t.Logf("%d creations across %d swaps met %v; race detector: %t", created.Load(), wantSwaps, seen, raced)
}

func swap(t *testing.T, namespace, document string) {
	t.Helper()
	if err := plane.Client.Update(t.Context(), policyMap(namespace, "runner-jobs", document)); err != nil {
		t.Error(err)
	}
	if err := installed.Settle(t.Context()); err != nil {
		t.Error(err)
	}
}

func text(t *testing.T, pod *corev1.Pod) string {
	t.Helper()
	out, err := yaml.Marshal(pod)
	if err != nil {
		t.Error(err)
	}
	return string(out)
}
