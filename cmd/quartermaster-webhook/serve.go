package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"

	"quartermaster.dev/cmd/internal/version"
	"quartermaster.dev/webhook"
)

// serve wires it all up, from top to bottom, and serves until ctx ends and the
// connections are drained.
func serve(ctx context.Context, o *options, stderr io.Writer) error {
	log := newLog(o, stderr)
	logger := logr.FromSlogHandler(log.Handler())
	ctrl.SetLogger(logger)
	klog.SetLogger(logger)
	// Garbage may take a quarter of what is in use instead of as much again: what
	// is in use is policies, there may be many, and answering makes little garbage.
	debug.SetGCPercent(25)

	config, err := restConfig(o.kubeconfig)
	if err != nil {
		return err
	}
	// Not by the server's Register, which counts what our own metrics count.
	mux := http.NewServeMux()
	mgr, err := newManager(config, o, logger, mux)
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
	mux.Handle("/mutate", drain.Handler(&webhook.Handler{
		Policies: store, JobLabel: o.jobLabel, Log: log, Metrics: counted, Reporter: reporter,
	}))
	mux.Handle("/validate", drain.Handler(&webhook.Validator{Store: store, Log: log}))
	watch := func(ctx context.Context) error {
		webhook.Watch(ctx, clientset.CoreV1().RESTClient(), store, reporter)
		return nil
	}
	err = errors.Join(
		mgr.Add(manager.RunnableFunc(watch)),
		mgr.AddHealthzCheck("alive", func(*http.Request) error { return nil }),
		mgr.AddReadyzCheck("policies", store.Check),
		mgr.AddReadyzCheck("listener", server.StartedChecker()),
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

func newManager(config *rest.Config, o *options, logger logr.Logger, mux *http.ServeMux) (ctrl.Manager, error) {
	shutdown := 15 * time.Second // the chart's grace period leaves 20 beside the drain
	return ctrl.NewManager(config, ctrl.Options{
		Logger: logger,
		WebhookServer: ctrlwebhook.NewServer(ctrlwebhook.Options{
			Host: o.host, Port: o.port, CertDir: o.certDir, WebhookMux: mux,
			TLSOpts: []func(*tls.Config){func(c *tls.Config) {
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

func restConfig(kubeconfig string) (*rest.Config, error) {
	if kubeconfig == "" {
		config, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("not in a cluster (%w); give --kubeconfig", err)
		}
		return config, nil
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("--kubeconfig %s cannot be used: %w", kubeconfig, err)
	}
	return config, nil
}

func newLog(o *options, stderr io.Writer) *slog.Logger {
	handlerOptions := &slog.HandlerOptions{Level: o.logLevel, ReplaceAttr: readable}
	if o.logFormat == "text" {
		return slog.New(slog.NewTextHandler(stderr, handlerOptions))
	}
	return slog.New(slog.NewJSONHandler(stderr, handlerOptions))
}

// readable prints what controller-runtime says of a failed readiness check; its
// type has no exported field, and JSON shows none.
func readable(_ []string, a slog.Attr) slog.Attr {
	if a.Key == "statuses" {
		return slog.String(a.Key, fmt.Sprintf("%+v", a.Value.Any()))
	}
	return a
}
