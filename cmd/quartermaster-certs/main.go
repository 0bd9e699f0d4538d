// Command quartermaster-certs makes and rotates the serving certificate of the
// admission webhook.
package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"quartermaster.dev/cmd/internal/process"
	"quartermaster.dev/cmd/internal/version"
)

func main() { process.Main(run) }

// run keeps the certificate until ctx ends, or does what the subcommand says.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	cmd := &cobra.Command{
		Use:               "quartermaster-certs",
		Short:             "Make and rotate the serving certificate of the admission webhook",
		Long:              longHelp,
		Args:              process.NoArgs,
		Version:           version.String(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.validate(); err != nil {
				return &process.UsageError{Err: err}
			}
			return keep(cmd.Context(), &o, stderr)
		},
	}
	cmd.SetFlagErrorFunc(process.FlagError)
	o.addFlags(cmd.Flags())
	cmd.AddCommand(newRemoveCommand())
	cmd.SetArgs(args)
	cmd.SetOut(stdout)
	cmd.SetErr(stderr)
	return cmd.ExecuteContext(ctx)
}

const longHelp = `quartermaster-certs keeps a valid serving certificate in the Secret that the pods
of quartermaster-webhook mount, and the authority that signed it in the caBundle
of the webhook configurations. It replaces both in time, in an order in which no
admission review fails: a new authority is trusted before its certificate is
served, and an old one until nobody can be serving its certificate any more.

Stopped at whatever point, it goes on from there: all that it knows stands in the
Secret and in the configurations. Each certificate has an authority of its own,
whose key is not kept. What somebody else writes to a caBundle is put right.

To replace a certificate by hand, delete the Secret: a new one is served after the
time of --overlap, and the old one is distrusted after the time of --retain.`
