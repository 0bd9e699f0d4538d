package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"quartermaster.dev/cmd/internal/process"
)

func newRemoveCommand() *cobra.Command {
	var names configurationNames
	var kubeconfig string
	cmd := &cobra.Command{
		Use:   "remove",
		Short: "Delete the webhook configurations, before what answers for them goes",
		Long: `remove deletes the named webhook configurations. Run it before the webhook server
is uninstalled: as long as a configuration is there and the server is not, the API
server refuses job pods. What is not there counts as removed.`,
		Args: process.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := names.validate(); err != nil {
				return &process.UsageError{Err: err}
			}
			config, err := process.Config(kubeconfig)
			if err != nil {
				return err
			}
			client, err := kubernetes.NewForConfig(config)
			if err != nil {
				return err
			}
			return remove(cmd.Context(), client, names, cmd.OutOrStdout())
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&kubeconfig, "kubeconfig", "", "`file` to reach the API server with (default: the pod's own service account)")
	names.addFlags(cmd.Flags(), "to delete")
	return cmd
}

// remove deletes what it can and reports what it could not.
func remove(ctx context.Context, client kubernetes.Interface, names configurationNames, stdout io.Writer) error {
	var errs []error
	each := func(kind string, names []string, remove func(context.Context, string, metav1.DeleteOptions) error) {
		for _, name := range names {
			switch err := remove(ctx, name, metav1.DeleteOptions{}); {
			case err == nil:
				fmt.Fprintf(stdout, "%s/%s deleted\n", kind, name)
			case apierrors.IsNotFound(err):
				fmt.Fprintf(stdout, "%s/%s is not there\n", kind, name)
			default:
				errs = append(errs, fmt.Errorf("%s %q: %w", kind, name, err))
			}
		}
	}
	admission := client.AdmissionregistrationV1()
	each(kindMutating, names.mutating, admission.MutatingWebhookConfigurations().Delete)
	each(kindValidating, names.validating, admission.ValidatingWebhookConfigurations().Delete)
	return errors.Join(errs...)
}
