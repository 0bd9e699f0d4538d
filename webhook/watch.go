package webhook

import (
	"context"
	"maps"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"

	"quartermaster.dev/policy"
)

// How much garbage there may be, in percent of what is in use. What is in use
// is policies, of which there may be many, and answering makes little garbage.
// Compiling makes a lot of it: with the lower percentage from the start, a
// replica with many policies would be ready later; with the usual 100 it would
// keep more memory, in gaps between them. `make bench-scale` measures both.
const (
	startingGCPercent = 75
	servingGCPercent  = 25
)

// Watch keeps the store as the labelled ConfigMaps of the cluster are, until
// ctx ends. The store is marked synced when it holds all that there were.
//
// It is a reflector and no informer: an informer would keep a copy of each
// ConfigMap beside what is compiled from it. Here a ConfigMap is compiled as
// soon as it is decoded, and nothing else of it is kept. How often the process
// collects garbage is set here too, in place of GOGC.
func Watch(ctx context.Context, client toolscache.Getter, store *Store, reporter *Reporter) {
	debug.SetGCPercent(startingGCPercent)
	labelled := func(o *metav1.ListOptions) { o.LabelSelector = policy.LabelPolicy + "=true" }
	source := toolscache.NewFilteredListWatchFromClient(client, "configmaps", metav1.NamespaceAll, labelled)
	into := &reflected{store: store, reporter: reporter}
	toolscache.NewReflectorWithOptions(source, &corev1.ConfigMap{}, into, toolscache.ReflectorOptions{Name: "policies"}).RunWithContext(ctx)
}

// reflected is what a reflector writes to.
type reflected struct {
	store    *Store
	reporter *Reporter
	letting  atomic.Bool // whether memory will be let go soon
}

// compiledMap is all that is kept of a ConfigMap.
type compiledMap struct {
	source *policy.Source
	uid    types.UID
}

// GetObjectMeta tells the reflector, as long as it gathers, what it is.
func (c *compiledMap) GetObjectMeta() metav1.Object {
	return &metav1.ObjectMeta{Namespace: c.source.Namespace, Name: c.source.Name}
}

// Transformer makes the reflector compile what it gathers for a first Replace
// as it comes.
func (r *reflected) Transformer() toolscache.TransformFunc {
	return func(obj any) (any, error) { return r.compiled(obj), nil }
}

func (r *reflected) compiled(obj any) *compiledMap {
	cm, ok := obj.(*corev1.ConfigMap)
	if !ok {
		return obj.(*compiledMap)
	}
	source := r.store.compile(policy.ConfigMap{
		Namespace: cm.Namespace, Name: cm.Name, Data: cm.Data, BinaryKeys: slices.Sorted(maps.Keys(cm.BinaryData)),
	})
	return &compiledMap{source, cm.UID}
}

// Add puts a ConfigMap in force.
func (r *reflected) Add(obj any) error {
	cm := r.compiled(obj)
	r.reporter.Seen(cm.source.String(), cm.uid)
	r.store.put(cm.source)
	r.letGo()
	return nil
}

// letGo gives memory back to the system, a while after policies have changed:
// what compiling took is many times what was compiled. By then the reflector
// has let go of what it gathered, too.
func (r *reflected) letGo() {
	if r.letting.CompareAndSwap(false, true) {
		time.AfterFunc(2*time.Second, func() {
			r.letting.Store(false)
			debug.FreeOSMemory()
		})
	}
}

// Update puts a ConfigMap in force that has changed.
func (r *reflected) Update(obj any) error { return r.Add(obj) }

// Delete takes a ConfigMap out of force.
func (r *reflected) Delete(obj any) error {
	cm := obj.(*corev1.ConfigMap)
	r.store.Delete(cm.Namespace, cm.Name)
	return nil
}

// Replace puts in force all that there is, at the start and after the watch
// has lost track, and takes out of force what is gone.
func (r *reflected) Replace(objects []any, _ string) error {
	gone := r.store.names()
	for _, obj := range objects {
		cm := r.compiled(obj)
		delete(gone, types.NamespacedName{Namespace: cm.source.Namespace, Name: cm.source.Name})
		if err := r.Add(cm); err != nil {
			return err
		}
	}
	for name := range gone {
		r.store.Delete(name.Namespace, name.Name)
	}
	debug.SetGCPercent(servingGCPercent)
	debug.FreeOSMemory() // and again by letGo, but nobody waits for this replica yet
	r.store.MarkSynced()
	r.reporter.log.Info("policies known: ready to decide", "configMaps", len(objects))
	return nil
}

// Resync has nothing to do: what is compiled does not wear out.
func (r *reflected) Resync() error { return nil }
