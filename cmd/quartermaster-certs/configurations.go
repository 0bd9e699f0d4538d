package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"quartermaster.dev/cmd/internal/certs"
)

// Whether the caBundle of a configuration is to be kept is for whoever registers
// it to say, in it: so the write that hands the field to somebody else is the one
// that ends our keeping, and none of ours can come after it.
const (
	annotationCertificates = "quartermaster.dev/certificates"
	modeBuiltin            = "builtin"
)

// A configuration is a webhook configuration, of either kind, as far as it
// matters here.
type configuration struct {
	kind, name, resourceVersion string

	kept     bool // its caBundle, by us
	webhooks []registeredWebhook
}

type registeredWebhook struct {
	name   string
	bundle []*x509.Certificate
}

func (c *configuration) describe(object metav1.ObjectMeta) {
	c.resourceVersion = object.ResourceVersion
	c.kept = object.Annotations[annotationCertificates] == modeBuiltin
}

func (c *configuration) add(name string, client admissionregistrationv1.WebhookClientConfig) {
	c.webhooks = append(c.webhooks, registeredWebhook{name, certs.ParseBundle(client.CABundle)})
}

func (c *configuration) bundles() [][]*x509.Certificate {
	var bundles [][]*x509.Certificate
	for _, webhook := range c.webhooks {
		bundles = append(bundles, webhook.bundle)
	}
	return bundles
}

// readConfigurations returns those configurations that there are, and whose
// caBundles are to be kept. The others are waited for.
func (k *keeper) readConfigurations(ctx context.Context) ([]configuration, error) {
	var found []configuration
	keep := func(c configuration, err error) error {
		object := c.kind + "/" + c.name
		if apierrors.IsNotFound(err) {
			k.tell(object, "there is no such configuration yet")
			return nil
		}
		if err != nil {
			return k.failed(c.kind, c.name, err)
		}
		if !c.kept {
			k.tell(object, "left alone: not annotated with "+annotationCertificates+": "+modeBuiltin)
			return nil
		}
		k.tell(object, "")
		found = append(found, c)
		return nil
	}
	for _, name := range k.configurations.mutating {
		if err := keep(k.readMutating(ctx, name)); err != nil {
			return nil, err
		}
	}
	for _, name := range k.configurations.validating {
		if err := keep(k.readValidating(ctx, name)); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (k *keeper) readMutating(ctx context.Context, name string) (configuration, error) {
	object, err := k.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(ctx, name, metav1.GetOptions{})
	c := configuration{kind: kindMutating, name: name}
	if err != nil {
		return c, err
	}
	c.describe(object.ObjectMeta)
	for i := range object.Webhooks {
		c.add(object.Webhooks[i].Name, object.Webhooks[i].ClientConfig)
	}
	return c, nil
}

func (k *keeper) readValidating(ctx context.Context, name string) (configuration, error) {
	object, err := k.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(ctx, name, metav1.GetOptions{})
	c := configuration{kind: kindValidating, name: name}
	if err != nil {
		return c, err
	}
	c.describe(object.ObjectMeta)
	for i := range object.Webhooks {
		c.add(object.Webhooks[i].Name, object.Webhooks[i].ClientConfig)
	}
	return c, nil
}

// trust gives these authorities to every webhook that trusts others.
func (k *keeper) trust(ctx context.Context, configurations []configuration, authorities []*x509.Certificate) error {
	var errs []error
	for _, c := range configurations {
		patch, err := c.patch(authorities)
		if err != nil {
			return err
		}
		if patch == nil {
			continue
		}
		if err := k.patchConfiguration(ctx, c, patch, len(authorities)); !errors.Is(err, errChanged) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...) // those that could be patched are
}

// patch is a strategic merge patch, which finds the webhooks by their names,
// leaves every other field as it is, and is refused when the configuration has
// changed since it was read. It is nil when there is nothing to change.
func (c *configuration) patch(authorities []*x509.Certificate) ([]byte, error) {
	bundle := certs.EncodeBundle(authorities)
	var webhooks []any
	for _, webhook := range c.webhooks {
		if !certs.SameBundle(webhook.bundle, authorities) {
			webhooks = append(webhooks, map[string]any{"name": webhook.name, "clientConfig": map[string]any{"caBundle": bundle}})
		}
	}
	if webhooks == nil {
		return nil, nil
	}
	return json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": c.resourceVersion},
		"webhooks": webhooks,
	})
}

func (k *keeper) patchConfiguration(ctx context.Context, c configuration, patch []byte, authorities int) error {
	var err error
	options := metav1.PatchOptions{FieldManager: fieldManager}
	switch api := k.client.AdmissionregistrationV1(); c.kind {
	case kindMutating:
		_, err = api.MutatingWebhookConfigurations().Patch(ctx, c.name, types.StrategicMergePatchType, patch, options)
	case kindValidating:
		_, err = api.ValidatingWebhookConfigurations().Patch(ctx, c.name, types.StrategicMergePatchType, patch, options)
	default:
		err = fmt.Errorf("%q is no kind of configuration", c.kind)
	}
	if err != nil {
		return k.failed(c.kind, c.name, err)
	}
	k.log.Info("caBundle written", "configuration", c.kind+"/"+c.name, "authorities", authorities)
	return nil
}
