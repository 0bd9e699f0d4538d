package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"quartermaster.dev/e2e/cluster"
	"quartermaster.dev/e2e/internal/load"
	"quartermaster.dev/policy"
)

// creators create the world at the same time.
const creators = 16

// world is a cluster with many policies, and a pod to create there.
type world struct {
	plane    *cluster.Cluster
	policies int
	pod      *load.Recording
	// equipped creates pods in the first of the namespaces, plain in one that Quartermaster is kept out of.
	equipped, plain *load.Creator
}

func namespace(i int) string { return fmt.Sprintf("team-%04d", i) }

// configMaps are the policies of a namespace. The first equips the recorded pod as the example does; the second is for
// jobs of some projects and adds what such policies do. Generation changes what the first one says.
func configMaps(i, generation int) []*corev1.ConfigMap {
	documents := []string{fmt.Sprintf(`apiVersion: quartermaster.dev/v1alpha1
kind: JobPolicy
match:
  createdBy:
  - {kind: ServiceAccount, name: gitlab-runner}
inject:
  secrets:
  - {name: team-%04d-api-key, preset: scaleway}
  - {name: team-%04d-kapsule-config, preset: kubeconfig}
  nodeSelector: {k8s.scaleway.com/pool-name: team-%04d, example.com/generation: "%d"}
  tolerations:
  - {key: gitlab-runner-jobs-reserved, operator: Equal, value: "true", effect: NoSchedule}
`, i, i, i, generation), fmt.Sprintf(`apiVersion: quartermaster.dev/v1alpha1
kind: JobPolicy
name: deploy
match:
  projectIDs: [%d, %d]
  runnerNames: [team-%04d-runner]
inject:
  secrets:
  - {name: deploy-key, preset: ssh}
  - {name: npm-token, mountPath: /etc/npm, items: [{key: npmrc, path: .npmrc}]}
  env:
  - {name: DEPLOY_ENV, value: team-%04d}
`, 10000+i, 20000+i, i, i)}
	var maps []*corev1.ConfigMap
	for j, document := range documents {
		maps = append(maps, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: namespace(i), Name: []string{"runner-jobs", "deploy-jobs"}[j], Labels: map[string]string{policy.LabelPolicy: "true"},
			},
			Data: map[string]string{"policy.yaml": document},
		})
	}
	return maps
}

func newWorld(ctx context.Context, o *options, plane *cluster.Cluster, stderr io.Writer) (*world, error) {
	w := &world{plane: plane, policies: 2 * o.namespaces}
	var err error
	if w.pod, err = load.Recorded("attach"); err != nil {
		return nil, err
	}
	if w.equipped, err = load.NewCreator(ctx, plane, namespace(0), nil); err != nil {
		return nil, err
	}
	if w.plain, err = load.NewCreator(ctx, plane, "plain", map[string]string{"quartermaster.dev/inject": "disabled"}); err != nil {
		return nil, err
	}
	var done atomic.Int64
	stop := progress(stderr, &done, o.namespaces, "namespaces with their policies")
	defer stop()
	return w, parallel(ctx, creators, o.namespaces, func(ctx context.Context, i int) error {
		if i > 0 {
			if err := plane.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace(i)}}); err != nil {
				return err
			}
		}
		for _, cm := range configMaps(i, 0) {
			if err := plane.Client.Create(ctx, cm); err != nil {
				return err
			}
		}
		done.Add(1)
		return nil
	})
}

// parallel does something so many times, so many at once. The first error ends it.
func parallel(ctx context.Context, workers, times int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for i := int(next.Add(1)) - 1; i < times && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	running.Wait()
	return context.Cause(ctx)
}

// progress tells how far something is until stop is called.
func progress(out io.Writer, done *atomic.Int64, all int, what string) (stop func()) {
	ended := make(chan struct{})
	go func() {
		tick := time.NewTicker(5 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
				fmt.Fprintf(out, "  %d of %d %s\n", done.Load(), all, what)
			}
		}
	}()
	return func() { close(ended) }
}
