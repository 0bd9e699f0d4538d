package main

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// watches wake the keeper whenever one of its objects changes. They see only
// metadata, and each only the one object that it may: a change is news enough,
// for the keeper reads what it decides upon anew.
func (k *keeper) watches(client metadata.Interface) []manager.Runnable {
	admission := schema.GroupVersion{Group: "admissionregistration.k8s.io", Version: "v1"}
	watches := []manager.Runnable{k.watch(client.Resource(schema.GroupVersionResource{Version: "v1", Resource: "secrets"}).Namespace(k.namespace), k.secret)}
	for _, name := range k.configurations.mutating {
		watches = append(watches, k.watch(client.Resource(admission.WithResource("mutatingwebhookconfigurations")), name))
	}
	for _, name := range k.configurations.validating {
		watches = append(watches, k.watch(client.Resource(admission.WithResource("validatingwebhookconfigurations")), name))
	}
	return watches
}

func (k *keeper) watch(client metadata.ResourceInterface, name string) manager.RunnableFunc {
	only := fields.OneTermEqualSelector(metav1.ObjectNameField, name).String()
	source := &toolscache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = only
			return client.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = only
			return client.Watch(ctx, o)
		},
	}
	return func(ctx context.Context) error {
		toolscache.NewReflectorWithOptions(source, &metav1.PartialObjectMetadata{}, waker{k.wake}, toolscache.ReflectorOptions{Name: name}).RunWithContext(ctx)
		return nil
	}
}

// waker is what a reflector writes to: it keeps nothing.
type waker struct{ wake chan<- struct{} }

func (w waker) notify() error {
	select {
	case w.wake <- struct{}{}:
	default: // it is about to wake anyway
	}
	return nil
}

// Add implements toolscache.ReflectorStore.
func (w waker) Add(any) error { return w.notify() }

// Update implements toolscache.ReflectorStore.
func (w waker) Update(any) error { return w.notify() }

// Delete implements toolscache.ReflectorStore.
func (w waker) Delete(any) error { return w.notify() }

// Replace implements toolscache.ReflectorStore.
func (w waker) Replace([]any, string) error { return w.notify() }

// Resync implements toolscache.ReflectorStore.
func (w waker) Resync() error { return nil }
