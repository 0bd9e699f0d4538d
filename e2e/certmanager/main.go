// Command certmanager runs cert-manager on the cluster of the end-to-end tests: its own controllers and its own CA
// injector, in one process outside the cluster.
//
//	certmanager --kubeconfig FILE [--cluster-resource-namespace NAMESPACE] [-v LEVEL]
//
// It has the issuers that the chart uses, self-signed and CA, and neither cert-manager's webhook nor leader election.
// cert-manager's CustomResourceDefinitions must be there before it starts. On SIGTERM and SIGINT its controllers finish
// what they have begun.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sync/errgroup"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	// controller-runtime has a flag -kubeconfig on flag.CommandLine, and a second one would panic.
	flags := flag.NewFlagSet("certmanager", flag.ContinueOnError)
	kubeconfig := flags.String("kubeconfig", "", "kubeconfig `file` of the cluster")
	namespace := flags.String("cluster-resource-namespace", "cert-manager", "`namespace` in which ClusterIssuers look for their Secrets")
	klog.InitFlags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *kubeconfig == "" || flags.NArg() > 0 {
		return errors.New("give --kubeconfig FILE and no other arguments")
	}
	ctrl.SetLogger(klog.Background())

	group, ctx := errgroup.WithContext(klog.NewContext(ctx, klog.Background()))
	if err := startControllers(ctx, group, *kubeconfig, *namespace); err != nil {
		return err
	}
	if err := startInjector(ctx, group, *kubeconfig); err != nil {
		return err
	}
	return group.Wait()
}
