// Command quartermaster-webhook serves the admission webhook that equips
// GitLab job pods.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"

	"quartermaster.dev/cmd/internal/version"
)

func main() {
	runtime.MemProfileRate = 0 // nobody can ask for the profile that the Go runtime would keep
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		if usage := (*usageError)(nil); errors.As(err, &usage) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

// usageError is a mistake on the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	cmd := &cobra.Command{
		Use:   "quartermaster-webhook",
		Short: "Serve the admission webhook that equips GitLab job pods",
		Long:  longHelp,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return &usageError{fmt.Errorf("%q is one argument too many: there are only flags; see --help", args[0])}
			}
			return nil
		},
		Version:       version.String(),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return &usageError{err}
			}
			return serve(cmd.Context(), &o, stderr)
		},
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		return &usageError{fmt.Errorf("%w; see --help", err)}
	})
	o.addFlags(cmd.Flags())
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	return cmd.ExecuteContext(ctx)
}

const longHelp = `quartermaster-webhook answers the API server's AdmissionReviews of pods that are
about to be created. It reads policies from ConfigMaps labelled
quartermaster.dev/policy=true, in every namespace, and nothing else.

It is ready when it knows all policies and its listener answers. On SIGTERM it
becomes unready, goes on serving for the time of --drain and then ends; a second
signal ends it at once.`
