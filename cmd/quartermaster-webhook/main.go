// Command quartermaster-webhook serves the admission webhook that equips
// GitLab job pods.
package main

import (
	"context"
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"quartermaster.dev/cmd/internal/process"
	"quartermaster.dev/cmd/internal/version"
)

func main() {
	runtime.MemProfileRate = 0 // nobody can ask for the profile that the Go runtime would keep
	process.Main(run)
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	cmd := &cobra.Command{
		Use:           "quartermaster-webhook",
		Short:         "Serve the admission webhook that equips GitLab job pods",
		Long:          longHelp,
		Args:          process.NoArgs,
		Version:       version.String(),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return &process.UsageError{Err: err}
			}
			return serve(cmd.Context(), &o, stderr)
		},
	}
	cmd.SetFlagErrorFunc(process.FlagError)
	o.addFlags(cmd.Flags())
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	return cmd.ExecuteContext(ctx)
}

const longHelp = `quartermaster-webhook answers the API server's AdmissionReviews of pods that are
about to be created. It reads policies from ConfigMaps labelled
quartermaster.dev/policy=true, in every namespace, and nothing else.

It is ready when it knows all policies, its listener answers and its certificate
is valid. On SIGTERM it becomes unready, goes on serving for the time of --drain
and then ends; a second signal ends it at once.`
