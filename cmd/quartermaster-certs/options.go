package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"

	"quartermaster.dev/cmd/internal/certs"
	"quartermaster.dev/cmd/internal/process"
)

// options are the command line. Each field is the flag of its name.
type options struct {
	// kubeconfig to reach the API server with; empty means in-cluster.
	kubeconfig string
	// namespace of secret, owner and service.
	namespace, secret, owner, service string
	// configurations whose caBundles are kept.
	configurations configurationNames
	// duration, renewBefore, overlap and retain: see certs.Config.
	duration, renewBefore, overlap, retain time.Duration
	// metricsAddr and probeAddr are host:port, or 0 for none.
	metricsAddr, probeAddr string
	// log is written to stderr.
	log process.Logging
}

// configurationNames are those of the webhook configurations.
type configurationNames struct{ mutating, validating []string }

func (n *configurationNames) addFlags(f *pflag.FlagSet, what string) {
	f.StringSliceVar(&n.mutating, "mutating-webhook-configuration", nil, "`name` of a MutatingWebhookConfiguration "+what+"; may be given several times")
	f.StringSliceVar(&n.validating, "validating-webhook-configuration", nil, "`name` of a ValidatingWebhookConfiguration "+what+"; may be given several times")
}

func (n *configurationNames) validate() error {
	if len(n.mutating)+len(n.validating) == 0 {
		return errors.New("no webhook configuration is named; give --mutating-webhook-configuration or --validating-webhook-configuration")
	}
	return errors.Join(
		validNames("--mutating-webhook-configuration", n.mutating...),
		validNames("--validating-webhook-configuration", n.validating...))
}

func (o *options) addFlags(f *pflag.FlagSet) {
	f.SortFlags = false
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "`file` to reach the API server with (default: the pod's own service account)")
	f.StringVar(&o.namespace, "namespace", "", "`namespace` of the Secret, the Deployment and the Service")
	f.StringVar(&o.secret, "secret", "", "`name` of the Secret to keep the certificate in, as tls.crt and tls.key")
	f.StringVar(&o.service, "service", "", "`name` of the Service in front of the webhook server: the certificate is for its DNS names")
	f.StringVar(&o.owner, "owner", "", "`name` of the Deployment that runs this process: the Secret is deleted with it (default: the Secret has no owner)")
	o.configurations.addFlags(f, "whose caBundle to keep")
	f.DurationVar(&o.duration, "duration", 2160*time.Hour, "how long a certificate lasts")
	f.DurationVar(&o.renewBefore, "renew-before", 720*time.Hour, "how long before its end a certificate is replaced")
	f.DurationVar(&o.overlap, "overlap", time.Minute, "how long a new authority is trusted before a certificate that it signed is served, "+
		"so that every API server knows it by then")
	f.DurationVar(&o.retain, "retain", 24*time.Hour, "how long the authorities of replaced certificates stay trusted, so that every server has picked up the new one by then")
	f.StringVar(&o.metricsAddr, "metrics-bind-address", ":8080", "`host:port` to serve /metrics on by plain HTTP, or 0 for none")
	f.StringVar(&o.probeAddr, "health-probe-bind-address", ":8081", "`host:port` to serve /healthz and /readyz on by plain HTTP, or 0 for none")
	o.log.AddFlags(f, "what it waits for too")
}

func (o *options) validate() error {
	for _, required := range []struct{ flag, value string }{
		{"--namespace", o.namespace}, {"--secret", o.secret}, {"--service", o.service},
	} {
		if required.value == "" {
			return fmt.Errorf("%s is missing; see --help", required.flag)
		}
	}
	if msgs := validation.IsDNS1123Label(o.namespace); len(msgs) > 0 {
		return fmt.Errorf("--namespace %q is no namespace: %s", o.namespace, strings.Join(msgs, ", "))
	}
	if msgs := validation.IsDNS1035Label(o.service); len(msgs) > 0 {
		return fmt.Errorf("--service %q is no name of a Service: %s", o.service, strings.Join(msgs, ", "))
	}
	err := validNames("--secret", o.secret)
	if o.owner != "" {
		err = errors.Join(err, validNames("--owner", o.owner))
	}
	if err := errors.Join(err, o.configurations.validate(), o.log.Validate()); err != nil {
		return err
	}
	return o.validateTimes()
}

func (o *options) validateTimes() error {
	switch {
	case o.overlap < 0:
		return fmt.Errorf("--overlap %s is negative; write a duration such as 1m", o.overlap)
	case o.retain < 0:
		return fmt.Errorf("--retain %s is negative; write a duration such as 24h", o.retain)
	case o.renewBefore <= o.overlap:
		return fmt.Errorf("--renew-before %s is no longer than --overlap %s: the certificate would expire before the next is served; make it longer", o.renewBefore, o.overlap)
	case o.duration <= o.renewBefore:
		return fmt.Errorf("--duration %s is no longer than --renew-before %s: each certificate would be replaced at once; make it longer", o.duration, o.renewBefore)
	}
	return nil
}

func validNames(flag string, names ...string) error {
	for _, name := range names {
		if msgs := validation.IsDNS1123Subdomain(name); len(msgs) > 0 {
			return fmt.Errorf("%s %q is no name of an object: %s", flag, name, strings.Join(msgs, ", "))
		}
	}
	return nil
}

// certificates is what the options say of the certificates.
func (o *options) certificates() certs.Config {
	qualified := o.service + "." + o.namespace
	return certs.Config{
		DNSNames:    []string{qualified + ".svc", qualified + ".svc.cluster.local", qualified, o.service},
		Duration:    o.duration,
		RenewBefore: o.renewBefore,
		Overlap:     o.overlap,
		Retain:      o.retain,
	}
}
