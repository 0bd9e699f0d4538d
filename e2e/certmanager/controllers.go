package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/klog/v2"

	"github.com/cert-manager/cert-manager/pkg/controller"

	// Each of these registers a controller or an issuer when it is initialised; what is not imported does not run.
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
)

// workers is how many objects each controller works on at once.
const workers = 2

// startControllers runs every controller that is compiled in, as members of group, until ctx ends.
func startControllers(ctx context.Context, group *errgroup.Group, kubeconfig, namespace string) error {
	factory, err := controller.NewContextFactory(ctx, options(kubeconfig, namespace))
	if err != nil {
		return err
	}
	constructors := controller.Known()
	names := slices.Sorted(maps.Keys(constructors))
	for _, name := range names {
		c, err := constructors[name](factory)
		if err != nil {
			return fmt.Errorf("controller %q: %w", name, err)
		}
		group.Go(func() error {
			// One that is asked to end before its caches are filled calls that an error.
			if err := c.Run(workers, ctx); err != nil && ctx.Err() == nil {
				return fmt.Errorf("controller %q: %w", name, err)
			}
			return nil
		})
	}
	// The informers exist only once the constructors above have asked for them.
	shared, err := factory.Build()
	if err != nil {
		return err
	}
	shared.SharedInformerFactory.Start(ctx.Done())
	shared.KubeSharedInformerFactory.Start(ctx.Done())
	klog.FromContext(ctx).Info("started", "controllers", strings.Join(names, " "))
	return nil
}

func options(kubeconfig, namespace string) controller.ContextOptions {
	var o controller.ContextOptions
	o.Kubeconfig = kubeconfig
	o.KubernetesAPIQPS, o.KubernetesAPIBurst = 50, 100
	o.ClusterResourceNamespace = namespace
	// cert-manager's command waits an hour after a request that failed, which no test would outlast.
	o.CertificateRequestMinimumBackoffDuration = time.Second
	o.CertificateRequestMaximumBackoffDuration = 10 * time.Second
	return o
}
