package main

import (
	"context"
	"errors"
	"io"
	"net/http"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"quartermaster.dev/cmd/internal/process"
	"quartermaster.dev/cmd/internal/version"
)

// keep wires it all up, from top to bottom, and runs until ctx ends.
func keep(ctx context.Context, o *options, stderr io.Writer) error {
	log := o.log.Start(stderr)
	config, err := process.Config(o.kubeconfig)
	if err != nil {
		return err
	}
	config = rest.AddUserAgent(config, "quartermaster-certs")
	config.QPS, config.Burst = 10, 50 // an installation takes some 30 requests, and pods wait for it; a fight over a bundle is slowed down
	// The manager is here for its servers alone: nothing is read through its cache.
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Metrics:                metricsserver.Options{BindAddress: o.metricsAddr},
		HealthProbeBindAddress: o.probeAddr,
	})
	if err != nil {
		return err
	}
	clientset, err := kubernetes.NewForConfigAndClient(config, mgr.GetHTTPClient())
	if err != nil {
		return err
	}
	watched, err := metadata.NewForConfigAndClient(metadata.ConfigFor(config), mgr.GetHTTPClient())
	if err != nil {
		return err
	}
	keeper := newKeeper(o, clientset, log)
	keeper.metrics.register(metrics.Registry)
	err = errors.Join(
		mgr.Add(manager.RunnableFunc(keeper.run)),
		mgr.AddHealthzCheck("alive", func(*http.Request) error { return nil }),
		mgr.AddReadyzCheck("certificate", keeper.check),
	)
	for _, watch := range keeper.watches(watched) {
		err = errors.Join(err, mgr.Add(watch))
	}
	if err != nil {
		return err
	}
	log.Info("starting", "version", version.String(), "secret", o.namespace+"/"+o.secret, "dnsNames", o.certificates().DNSNames)
	return mgr.Start(ctx)
}
