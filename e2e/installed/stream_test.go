//go:build e2e

package installed

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"quartermaster.dev/policy"
)

// streamInterval is how long after one creation a stream begins the next, whether that one has been answered or not.
const streamInterval = 20 * time.Millisecond

// A stream asks for job pods without a break, while something else happens that must not fail one of them. It asks by dry
// runs: the webhooks are called as for any pod, and the node is left alone.
type stream struct {
	runner *runner
	began  time.Time
	end    context.CancelFunc
	asking sync.WaitGroup

	mu                       sync.Mutex
	asked, equipped, refused int
	failures                 map[string]*failure // by what was said
}

// A failure is when, since the stream began, something was said first and last.
type failure struct{ first, last time.Duration }

// startStream begins to ask for job pods like pod, as the runner does, when one is equipped: where a release has just been
// installed, the node's kube-proxy learns a moment after Helm that its pods are ready.
func startStream(t *testing.T, r *runner, pod *corev1.Pod) *stream {
	t.Helper()
	pod = pod.DeepCopy()
	pod.Namespace, pod.Name, pod.GenerateName = r.namespace, "", "stream-"
	eventually(t, "a job's pod is equipped", func(ctx context.Context) (bool, string) {
		asked := pod.DeepCopy()
		err := r.client.Create(ctx, asked, client.DryRunAll)
		return asked.Annotations[policy.AnnotationApplied] != "", errorsOf(err)
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	s := &stream{runner: r, began: time.Now(), end: cancel, failures: map[string]*failure{}}
	s.asking.Go(func() {
		tick := time.NewTicker(streamInterval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				s.asking.Go(func() { s.ask(pod.DeepCopy()) })
			}
		}
	})
	t.Cleanup(func() { s.end(); s.asking.Wait() })
	return s
}

// ask asks for one pod, and is never cut short: what it is told counts.
func (s *stream) ask(pod *corev1.Pod) {
	at := time.Since(s.began)
	err := s.runner.client.Create(context.Background(), pod, client.DryRunAll)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	switch {
	case err != nil:
		s.refused++
		if s.failures[err.Error()] == nil {
			s.failures[err.Error()] = &failure{first: at}
		}
		s.failures[err.Error()].last = at
	case pod.Annotations[policy.AnnotationApplied] != "":
		s.equipped++
	}
}

// stop ends the stream, and fails the test where the API server refused a pod. It returns how many were asked for, and how
// many of those were equipped.
func (s *stream) stop(t *testing.T) (asked, equipped int) {
	t.Helper()
	s.end()
	s.asking.Wait()
	for _, said := range slices.Sorted(maps.Keys(s.failures)) {
		f := s.failures[said]
		t.Errorf("job pods were refused, the first %s and the last %s after the stream began: %s", f.first.Round(time.Millisecond), f.last.Round(time.Millisecond), said)
	}
	step(t, "%d job pods were asked for within %s: %d equipped, %d refused", s.asked, time.Since(s.began).Round(time.Second), s.equipped, s.refused)
	return s.asked, s.equipped
}

// stopAllEquipped is stop for a stream of which every pod must have been equipped.
func (s *stream) stopAllEquipped(t *testing.T) {
	t.Helper()
	if asked, equipped := s.stop(t); asked != equipped || asked < 50 {
		t.Errorf("%d job pods were asked for, and %d equipped; want all of at least 50", asked, equipped)
	}
}
