package webhook

import (
	"context"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"quartermaster.dev/policy"
)

// CacheOptions limit a manager's cache to what a [Store] reads: labelled
// ConfigMaps, without what takes memory and says nothing.
func CacheOptions() cache.Options {
	return cache.Options{ByObject: map[client.Object]cache.ByObject{
		&corev1.ConfigMap{}: {
			Label:     labels.SelectorFromSet(labels.Set{policy.LabelPolicy: "true"}),
			Transform: slim,
		},
	}}
}

// slim drops managedFields and annotations: kubectl keeps a second copy of the
// data in one of them.
func slim(obj any) (any, error) {
	if cm, ok := obj.(*corev1.ConfigMap); ok {
		cm.ManagedFields, cm.Annotations = nil, nil
	}
	return obj, nil
}

// Watch fills the store from the cache's ConfigMaps, now and whenever one
// changes. The store is marked synced, and Watch returns, when it holds all
// that there were; it needs the cache to be started.
func Watch(ctx context.Context, c cache.Cache, store *Store, reporter *Reporter) error {
	informer, err := c.GetInformer(ctx, &corev1.ConfigMap{})
	if err != nil {
		return err
	}
	put := func(obj any) {
		cm := obj.(*corev1.ConfigMap)
		reporter.Seen(cm)
		store.Put(fromObject(cm))
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: put,
		UpdateFunc: func(before, after any) {
			if before.(*corev1.ConfigMap).ResourceVersion != after.(*corev1.ConfigMap).ResourceVersion {
				put(after)
			}
		},
		DeleteFunc: func(obj any) {
			if gone, ok := obj.(toolscache.DeletedFinalStateUnknown); ok {
				obj = gone.Obj
			}
			cm := obj.(*corev1.ConfigMap)
			store.Delete(cm.Namespace, cm.Name)
		},
	})
	if err != nil {
		return err
	}
	if !toolscache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
		return ctx.Err()
	}
	store.MarkSynced()
	reporter.log.Info("policies known: ready to decide")
	return nil
}

func fromObject(cm *corev1.ConfigMap) policy.ConfigMap {
	return policy.ConfigMap{
		Namespace: cm.Namespace, Name: cm.Name, Data: cm.Data,
		BinaryKeys: slices.Sorted(maps.Keys(cm.BinaryData)),
	}
}
