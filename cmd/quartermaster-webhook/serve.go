package main

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"

	"quartermaster.dev/cmd/internal/process"
	"quartermaster.dev/cmd/internal/version"
	"quartermaster.dev/webhook"
)

// serve wires it all up, from top to bottom, and serves until ctx ends and the
// connections are drained.
func serve(ctx context.Context, o *options, stderr io.Writer) error {
	log := o.log.Start(stderr)

	config, err := process.Config(o.kubeconfig)
	if err != nil {
		return err
	}
	served, err := newCertificate(o.certDir, log)
	if err != nil {
		return err
	}
	// Not by the server's Register, which counts what our own metrics count.
	mux := http.NewServeMux()
	mgr, err := newManager(config, o, served, mux)
	if err != nil {
		return err
	}
	server := mgr.GetWebhookServer() // and no other way: this is what makes the manager start it

	compact := rest.CopyConfig(config)
	compact.ContentType = runtime.ContentTypeProtobuf
	compact.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	clientset, err := kubernetes.NewForConfigAndClient(compact, mgr.GetHTTPClient())
	if err != nil {
		return err
	}
	counted := webhook.NewMetrics()
	reporter, stopEvents := webhook.NewReporter(clientset.CoreV1(), log, counted)
	defer stopEvents()
	store, drain := webhook.NewStore(o.systemNamespace, reporter), &webhook.Drain{}
	counted.Register(metrics.Registry, store)
	metrics.Registry.MustRegister(served)
	mux.Handle("/mutate", drain.Handler(&webhook.Handler{
		Policies: store, JobLabel: o.jobLabel, Log: log, Metrics: counted, Reporter: reporter,
	}))
	mux.Handle("/validate", drain.Handler(&webhook.Validator{Store: store, Log: log}))
	watch := func(ctx context.Context) error {
		webhook.Watch(ctx, clientset.CoreV1().RESTClient(), store, reporter)
		return nil
	}
	err = errors.Join(
		mgr.Add(served),
		mgr.Add(manager.RunnableFunc(watch)),
		mgr.AddHealthzCheck("alive", func(*http.Request) error { return nil }),
		mgr.AddReadyzCheck("policies", store.Check),
		mgr.AddReadyzCheck("listener", server.StartedChecker()),
		mgr.AddReadyzCheck("certificate", served.Check),
		mgr.AddReadyzCheck("drain", drain.Check),
	)
	if err != nil {
		return err
	}
	log.Info("starting", "version", version.String(), "jobLabel", o.jobLabel, "port", o.port)
	return mgr.Start(delayed(ctx, o.drain, func() {
		log.Info("asked to end: serving on while clients go elsewhere", "drain", o.drain)
		drain.Begin()
	}))
}

func newManager(config *rest.Config, o *options, served *certificate, mux *http.ServeMux) (ctrl.Manager, error) {
	shutdown := 15 * time.Second // the chart's grace period leaves 20 beside the drain
	return ctrl.NewManager(config, ctrl.Options{
		WebhookServer: ctrlwebhook.NewServer(ctrlwebhook.Options{
			Host: o.host, Port: o.port, WebhookMux: mux,
			TLSOpts: []func(*tls.Config){func(c *tls.Config) {
				c.GetCertificate = served.GetCertificate
				c.MinVersion = tls.VersionTLS13
				c.NextProtos = []string{"http/1.1"} // the API server speaks nothing else to webhooks
			}},
		}),
		Metrics:                 metricsserver.Options{BindAddress: o.metricsAddr},
		HealthProbeBindAddress:  o.probeAddr,
		GracefulShutdownTimeout: &shutdown,
	})
}

// delayed is a context that ends some time after ctx does; begin is called at
// the start of that time.
func delayed(ctx context.Context, delay time.Duration, begin func()) context.Context {
	later, cancel := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		begin()
		time.AfterFunc(delay, cancel)
	})
	return later
}
