package chart_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

// decode reads an object into its type, which must know every field.
func decode[T any](t *testing.T, object *unstructured.Unstructured) *T {
	t.Helper()
	typed := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, typed, true); err != nil {
		t.Fatalf("%s %s: %v", object.GetKind(), object.GetName(), err)
	}
	return typed
}

// selectorOf is by what a Service, a PodDisruptionBudget or a NetworkPolicy selects pods.
func selectorOf(t *testing.T, object *unstructured.Unstructured) labels.Selector {
	t.Helper()
	field := "selector"
	if object.GetKind() == "NetworkPolicy" {
		field = "podSelector"
	}
	fields, _, err := unstructured.NestedMap(object.Object, "spec", field)
	if err != nil {
		t.Fatal(err)
	}
	if object.GetKind() == "Service" {
		fields = map[string]any{"matchLabels": fields}
	}
	var labelSelector metav1.LabelSelector
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(fields, &labelSelector); err != nil {
		t.Fatal(err)
	}
	selector, err := metav1.LabelSelectorAsSelector(&labelSelector)
	if err != nil {
		t.Fatal(err)
	}
	return selector
}

// named tells whether an object has this name.
func named(name string) func(*unstructured.Unstructured) bool {
	return func(o *unstructured.Unstructured) bool { return o.GetName() == name }
}
