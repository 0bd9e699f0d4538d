package release

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"sync"

	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"quartermaster.dev/e2e/cluster"
	"quartermaster.dev/e2e/internal/build"
	"quartermaster.dev/e2e/internal/guard"
)

// Options say what is installed and how. The zero value is the chart's default, named "quartermaster" in the namespace
// of that name.
type Options struct {
	// Name of the release, "quartermaster" when empty.
	Name string
	// Namespace of the release, and so the system namespace; "quartermaster" when empty.
	Namespace string
	// Values override those of the chart, as the file of `helm --values` does.
	Values map[string]any
	// KubeVersion is the version to render for, DefaultKubeVersion when empty.
	KubeVersion string

	// Race builds the server with the race detector. What it finds makes Stop return an error.
	Race bool
	// Out is told about the build of the server, when it takes a while; nil discards that.
	Out io.Writer
}

func (o Options) withDefaults() Options {
	if o.Name == "" {
		o.Name = "quartermaster"
	}
	if o.Namespace == "" {
		o.Namespace = "quartermaster"
	}
	if o.KubeVersion == "" {
		o.KubeVersion = DefaultKubeVersion
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	return o
}

// A Release is an installed chart with its server running. Stop must be called when it is no longer needed.
type Release struct {
	// Objects are those of the chart, exactly as rendered.
	Objects []*unstructured.Unstructured
	// Namespace is the release's own, the system namespace.
	Namespace string
	// ServiceAccount is the name of the server's account in Namespace.
	ServiceAccount string
	// URL is where the API server sends its reviews, https://127.0.0.1:PORT/mutate.
	URL string
	// CABundle is the PEM bundle by which the server's certificate is verified.
	CABundle []byte
	// HealthURL serves /healthz and /readyz.
	HealthURL string
	// MetricsURL serves the server's metrics.
	MetricsURL string

	cluster  *cluster.Cluster
	server   *server
	dir      string // certificate and kubeconfig
	guard    *guard.Guard
	jobLabel string
	stop     func() error

	settle  sync.Mutex // guards settled
	settled int64      // the last canary's number
}

// Install renders the chart, applies it to the cluster, builds and starts the server, and registers the webhooks once
// the server is ready: when it returns, job pods are equipped. When ctx is cancelled meanwhile no process is left behind.
func Install(ctx context.Context, c *cluster.Cluster, opts Options) (_ *Release, err error) {
	opts = opts.withDefaults()
	r := &Release{Namespace: opts.Namespace, cluster: c}
	r.stop = sync.OnceValue(r.shutdown)
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Stop())
		}
	}()
	opts.Values = withOwnCertificate(opts.Values)
	if r.Objects, err = Render(opts); err != nil {
		return nil, err
	}
	parts, err := dismantle(r.Objects)
	if err != nil {
		return nil, err
	}
	r.ServiceAccount, r.jobLabel = parts.serviceAccount, parts.jobLabel
	binary, err := build.Program{Package: "./cmd/quartermaster-webhook", Race: opts.Race}.Build(ctx, opts.Out)
	if err != nil {
		return nil, err
	}
	if err := c.Namespace(ctx, opts.Namespace, nil); err != nil {
		return nil, err
	}
	// The Deployment and the Service too: nothing acts on them here, but the API server says whether they are valid.
	if err := c.Apply(ctx, parts.others...); err != nil {
		return nil, err
	}
	if err := r.serve(ctx, binary, parts.args); err != nil {
		return nil, err
	}
	webhooks, err := redirect(parts.webhooks, r.URL, r.CABundle)
	if err != nil {
		return nil, err
	}
	if err := c.Apply(ctx, webhooks...); err != nil {
		return nil, err
	}
	// The API server learns of a new configuration a moment later: the canary is the proof that it has.
	if err := r.Settle(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// withOwnCertificate says who provides the certificate: this package, as files beside the server.
func withOwnCertificate(values map[string]any) map[string]any {
	return loader.MergeMaps(values, map[string]any{"certificates": map[string]any{
		"mode":     "provided",
		"provided": map[string]any{"secretName": "files-of-a-child-process"},
	}})
}

// serve gives the server its certificate and its account's token and starts it.
func (r *Release) serve(ctx context.Context, binary string, args []string) (err error) {
	if r.dir, err = os.MkdirTemp("", "quartermaster-release-"); err != nil {
		return err
	}
	if r.guard, err = guard.Watch(r.dir); err != nil {
		return err
	}
	if binary, err = r.guard.Wrap(binary); err != nil {
		return err
	}
	files, err := newServerFiles(r.dir)
	if err != nil {
		return err
	}
	r.CABundle = files.caBundle
	account, err := r.cluster.ServiceAccount(ctx, r.Namespace, r.ServiceAccount)
	if err != nil {
		return err
	}
	if err := r.cluster.WriteKubeconfig(account, files.kubeconfig); err != nil {
		return err
	}
	if r.server, err = startServer(ctx, binary, args, files); err != nil {
		return err
	}
	r.URL = "https://" + r.server.addresses.webhook + "/mutate"
	r.HealthURL = "http://" + r.server.addresses.health
	r.MetricsURL = "http://" + r.server.addresses.metrics + "/metrics"
	return nil
}

// Logs returns what the server has written so far.
func (r *Release) Logs() string {
	if r.server == nil {
		return ""
	}
	return r.server.logs.String()
}

// Stop asks the server to end and waits for it. It returns an error when the server does not end in time or with an
// exit code other than 0, as it does when the race detector has found something. The webhooks stay registered, so no
// job pod can be created on the cluster afterwards. Calling it again does nothing and returns the same.
func (r *Release) Stop() error { return r.stop() }

func (r *Release) shutdown() error {
	var err error
	if r.server != nil {
		err = r.server.stop()
	}
	if r.guard != nil {
		r.guard.Relieve()
	}
	if r.dir != "" {
		err = errors.Join(err, os.RemoveAll(r.dir))
	}
	return err
}

// parts are a chart's objects, told apart by what Install does with them.
type parts struct {
	serviceAccount string   // of the Deployment's pods
	args           []string // of the Deployment's only container
	jobLabel       string
	webhooks       []*unstructured.Unstructured
	others         []*unstructured.Unstructured
}

func dismantle(objects []*unstructured.Unstructured) (p parts, err error) {
	for _, object := range objects {
		if object.GetKind() == "MutatingWebhookConfiguration" || object.GetKind() == "ValidatingWebhookConfiguration" {
			p.webhooks = append(p.webhooks, object)
			continue
		}
		p.others = append(p.others, object)
		if object.GetKind() != "Deployment" {
			continue
		}
		spec, _, _ := unstructured.NestedMap(object.Object, "spec", "template", "spec")
		p.serviceAccount, _, _ = unstructured.NestedString(spec, "serviceAccountName")
		containers, _, _ := unstructured.NestedSlice(spec, "containers")
		if len(containers) != 1 {
			return p, fmt.Errorf("the chart's Deployment has %d containers, this package knows how to run one", len(containers))
		}
		p.args, _, _ = unstructured.NestedStringSlice(containers[0].(map[string]any), "args")
	}
	p.jobLabel = argument(p.args, "--job-label")
	if p.serviceAccount == "" || p.jobLabel == "" || len(p.webhooks) == 0 {
		return p, errors.New("the chart has no Deployment with a service account and --job-label, or no webhook configuration")
	}
	return p, nil
}

// redirect returns copies of webhook configurations that call base's server in place of a Service, the path kept.
func redirect(configurations []*unstructured.Unstructured, base string, caBundle []byte) ([]*unstructured.Unstructured, error) {
	server, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	var redirected []*unstructured.Unstructured
	for _, configuration := range configurations {
		configuration = configuration.DeepCopy()
		webhooks, _, _ := unstructured.NestedSlice(configuration.Object, "webhooks")
		for _, webhook := range webhooks {
			fields := webhook.(map[string]any)
			path, _, _ := unstructured.NestedString(fields, "clientConfig", "service", "path")
			fields["clientConfig"] = map[string]any{
				"url":      server.ResolveReference(&url.URL{Path: path}).String(),
				"caBundle": base64.StdEncoding.EncodeToString(caBundle),
			}
		}
		if err := unstructured.SetNestedSlice(configuration.Object, webhooks, "webhooks"); err != nil {
			return nil, err
		}
		redirected = append(redirected, configuration)
	}
	return redirected, nil
}
