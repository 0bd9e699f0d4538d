package explain

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"quartermaster.dev/policy"
)

// SystemNamespace is that of the registered server; empty where none is
// registered, or the user may not know.
func (c *Cluster) SystemNamespace(ctx context.Context) (string, error) {
	webhooks, err := c.webhooks(ctx)
	if err != nil && forbidden(err) == "" {
		return "", err
	}
	_, namespace := (&Registration{Webhooks: webhooks}).Server(nil)
	return namespace, nil
}

// Registration reads who is asked about the pods of a namespace. What the user
// may not read is among its remarks; a namespace that is not there is an error.
func (c *Cluster) Registration(ctx context.Context, namespace string) (*Registration, error) {
	r := &Registration{}
	switch labels, err := c.namespaceLabels(ctx, namespace); {
	case err == nil:
		r.Namespace = labels
	case forbidden(err) != "":
		r.uncheck("whether the namespace's labels opt it out", err)
	default:
		return nil, err
	}
	switch webhooks, err := c.webhooks(ctx); {
	case err == nil:
		r.Known, r.Webhooks = true, webhooks
	case forbidden(err) != "":
		r.uncheck("whether the API server asks Quartermaster about the pod", err)
	default:
		return nil, err
	}
	for i := range r.Webhooks {
		if err := c.countReady(ctx, &r.Webhooks[i]); err != nil && forbidden(err) == "" {
			return nil, err
		} else if err != nil {
			r.uncheck("whether the webhook's Service has a ready endpoint", err)
		}
	}
	return r, nil
}

// uncheck remarks on what could not be checked.
func (r *Registration) uncheck(what string, err error) {
	r.Blind = true
	r.Remark(what + " could not be checked: " + err.Error())
}

// Remark adds a warning about what the answer does not rest on, once.
func (r *Registration) Remark(message string) {
	if remark := warning("", message); !slices.Contains(r.Remarks, remark) {
		r.Remarks = append(r.Remarks, remark)
	}
}

func (c *Cluster) namespaceLabels(ctx context.Context, name string) (map[string]string, error) {
	object, err := c.metadata.Resource(corev1.SchemeGroupVersion.WithResource("namespaces")).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, cannot(err, fmt.Sprintf("namespace %q", name), "get namespaces (the namespace %q)", name)
	}
	if object.Labels == nil {
		return map[string]string{}, nil
	}
	return object.Labels, nil
}

// webhooks are the registered ones that are ours.
func (c *Cluster) webhooks(ctx context.Context) ([]Registered, error) {
	list, err := c.admission.MutatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, cannot(err, "", "list mutatingwebhookconfigurations.admissionregistration.k8s.io")
	}
	var ours []Registered
	for _, configuration := range list.Items {
		for _, w := range configuration.Webhooks {
			if strings.HasSuffix(w.Name, webhookSuffix) {
				ours = append(ours, Registered{MutatingWebhook: w, Configuration: configuration.Name})
			}
		}
	}
	return ours, nil
}

// countReady counts the ready endpoints of a webhook's Service.
func (c *Cluster) countReady(ctx context.Context, w *Registered) error {
	service := w.ClientConfig.Service
	if service == nil {
		return nil
	}
	list, err := c.discovery.EndpointSlices(service.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: discoveryv1.LabelServiceName + "=" + service.Name,
	})
	if err != nil {
		return cannot(err, "", "list endpointslices.discovery.k8s.io in namespace %q", service.Namespace)
	}
	ready := 0
	for _, s := range list.Items {
		for _, e := range s.Endpoints {
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				ready++
			}
		}
	}
	w.Ready = &ready
	return nil
}

// Secrets looks at the Secrets named. Of one of which no key is asked only the
// metadata is fetched; of the others the keys are kept and the values are not.
func (c *Cluster) Secrets(ctx context.Context, namespace string, uses []policy.SecretUse) (map[string]SecretState, error) {
	seen := map[string]SecretState{}
	for _, use := range uses {
		keys, err := c.secret(ctx, namespace, &use)
		var read *ReadError
		switch {
		case err == nil:
			seen[use.Name] = SecretState{Exists: true, Keys: keys}
		case errors.As(err, &read) && read.NotFound():
			seen[use.Name] = SecretState{}
		case forbidden(err) != "":
			seen[use.Name] = SecretState{Unchecked: forbidden(err)}
		default:
			return nil, err
		}
	}
	return seen, nil
}

func (c *Cluster) secret(ctx context.Context, namespace string, use *policy.SecretUse) (keys []string, err error) {
	what := fmt.Sprintf("Secret %q in namespace %q", use.Name, namespace)
	if len(use.Keys) == 0 {
		_, err = c.metadata.Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace(namespace).Get(ctx, use.Name, metav1.GetOptions{})
		return nil, cannot(err, what, "get secrets in namespace %q", namespace)
	}
	secret, err := c.core.Secrets(namespace).Get(ctx, use.Name, metav1.GetOptions{})
	if err != nil {
		return nil, cannot(withoutContent(err), what, "get secrets in namespace %q", namespace)
	}
	for key := range secret.Data {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys, nil
}

// withoutContent is an error that quotes nothing of the answer.
func withoutContent(err error) error {
	status, network := apierrors.APIStatus(nil), (*url.Error)(nil)
	if errors.As(err, &status) || errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return errors.New("the answer cannot be read")
}
