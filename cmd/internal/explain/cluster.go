package explain

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	admissionclient "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	discoveryclient "k8s.io/client-go/kubernetes/typed/discovery/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"quartermaster.dev/policy"
)

// Cluster reads what there is to explain with, with the rights of its user. It
// writes nothing.
type Cluster struct {
	core      coreclient.CoreV1Interface
	admission admissionclient.AdmissionregistrationV1Interface
	discovery discoveryclient.DiscoveryV1Interface
	metadata  metadata.Interface
}

// Connect makes a Cluster. It asks nothing yet.
func Connect(config *rest.Config) (*Cluster, error) {
	http, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	core, err := coreclient.NewForConfigAndClient(config, http)
	if err != nil {
		return nil, err
	}
	admission, err := admissionclient.NewForConfigAndClient(config, http)
	if err != nil {
		return nil, err
	}
	discovery, err := discoveryclient.NewForConfigAndClient(config, http)
	if err != nil {
		return nil, err
	}
	meta, err := metadata.NewForConfigAndClient(config, http)
	if err != nil {
		return nil, err
	}
	return &Cluster{core, admission, discovery, meta}, nil
}

// ReadError is a question that the cluster did not answer.
type ReadError struct {
	// What was asked for, as "list ConfigMaps in namespace dev".
	What string
	// Object that was asked for, as `pod "runner-abc"`, or empty for a list.
	Object string
	Err    error
}

func (e *ReadError) Error() string {
	switch {
	case e.Forbidden():
		return "you may not " + e.What
	case e.NotFound():
		return "there is no " + e.Object
	}
	var dial *url.Error
	if errors.As(e.Err, &dial) {
		return fmt.Sprintf("the cluster does not answer: %v", dial.Err)
	}
	return fmt.Sprintf("cannot %s: %v", e.What, e.Err)
}

// Unwrap is the error of the API server or of the network.
func (e *ReadError) Unwrap() error { return e.Err }

// Forbidden tells whether a right is missing, and not something else.
func (e *ReadError) Forbidden() bool { return apierrors.IsForbidden(e.Err) }

// NotFound tells whether the object is not there.
func (e *ReadError) NotFound() bool { return e.Object != "" && apierrors.IsNotFound(e.Err) }

// cannot is err with what was asked for, or nil.
func cannot(err error, object, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return &ReadError{What: fmt.Sprintf(format, args...), Object: object, Err: err}
}

// forbidden is the message where a right is missing, and empty where it is not
// that.
func forbidden(err error) string {
	var e *ReadError
	if errors.As(err, &e) && e.Forbidden() {
		return e.Error()
	}
	return ""
}

// Labelled are the ConfigMaps of a namespace, or of all where it is empty, that
// carry the label of policies, whatever its value.
func (c *Cluster) Labelled(ctx context.Context, namespace string) ([]corev1.ConfigMap, error) {
	list, err := c.core.ConfigMaps(namespace).List(ctx, metav1.ListOptions{LabelSelector: policy.LabelPolicy})
	switch {
	case err == nil:
		return list.Items, nil
	case namespace == "":
		return nil, cannot(err, "", "list configmaps in all namespaces")
	default:
		return nil, cannot(err, "", "list configmaps in namespace %q", namespace)
	}
}

// PolicyMaps are those of [Cluster.Labelled]: the ones in force, and the names of
// the others.
func (c *Cluster) PolicyMaps(ctx context.Context, namespace string) (inForce []policy.ConfigMap, others []string, err error) {
	labelled, err := c.Labelled(ctx, namespace)
	if err != nil {
		return nil, nil, err
	}
	for i := range labelled {
		cm := &labelled[i]
		if cm.Labels[policy.LabelPolicy] != "true" {
			others = append(others, cm.Namespace+"/"+cm.Name)
			continue
		}
		inForce = append(inForce, policy.ConfigMap{
			Namespace: cm.Namespace, Name: cm.Name, Data: cm.Data, BinaryKeys: slices.Sorted(maps.Keys(cm.BinaryData)),
		})
	}
	return inForce, others, nil
}

// Pod is a pod of the cluster, as JSON.
func (c *Cluster) Pod(ctx context.Context, namespace, name string) ([]byte, error) {
	object, err := c.core.RESTClient().Get().Namespace(namespace).Resource("pods").Name(name).
		SetHeader("Accept", "application/json").Do(ctx).Raw()
	return object, cannot(err, fmt.Sprintf("pod %q in namespace %q", name, namespace), "get pods in namespace %q", namespace)
}
