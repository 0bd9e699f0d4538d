package chart_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"

	"quartermaster.dev/e2e/cluster"
	"quartermaster.dev/e2e/internal/build"
	"quartermaster.dev/e2e/internal/harness"
)

// plane is what all tests share: an API server that knows the resources of cert-manager and of the Prometheus Operator. It is
// set before the first of them runs.
var plane *cluster.Cluster

func TestMain(m *testing.M) { harness.Tests(m, runTests) }

// runTests starts what the tests share, runs them, and stops it again, also when ctx ends first.
func runTests(ctx context.Context, tests func() (int, error)) (code int, err error) {
	if plane, err = cluster.Start(ctx, cluster.Options{Out: os.Stderr}); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	if err := installResources(ctx); err != nil {
		return 1, err
	}
	return tests()
}

// installResources makes the API server know the custom resources that the chart renders, and waits until it does.
func installResources(ctx context.Context) error {
	certManager, err := build.CertManagerCRDs(ctx)
	if err != nil {
		return err
	}
	prometheusOperator, err := build.PrometheusOperatorCRDs(ctx)
	if err != nil {
		return err
	}
	for _, file := range []string{
		filepath.Join(certManager, "cert-manager.io_issuers.yaml"),
		filepath.Join(certManager, "cert-manager.io_certificates.yaml"),
		filepath.Join(prometheusOperator, "monitoring.coreos.com_servicemonitors.yaml"),
		filepath.Join(prometheusOperator, "monitoring.coreos.com_prometheusrules.yaml"),
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		objects, err := cluster.Decode(text)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := plane.Apply(ctx, objects...); err != nil {
			return err
		}
	}
	for _, kind := range []schema.GroupKind{
		{Group: "cert-manager.io", Kind: "Issuer"},
		{Group: "cert-manager.io", Kind: "Certificate"},
		{Group: "monitoring.coreos.com", Kind: "ServiceMonitor"},
		{Group: "monitoring.coreos.com", Kind: "PrometheusRule"},
	} {
		if err := awaitKind(ctx, kind); err != nil {
			return err
		}
	}
	return nil
}

func awaitKind(ctx context.Context, kind schema.GroupKind) error {
	err := wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(context.Context) (bool, error) {
		_, err := plane.Client.RESTMapper().RESTMapping(kind)
		if meta.IsNoMatchError(err) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return fmt.Errorf("the API server does not serve %s: %w", kind, err)
	}
	return nil
}
