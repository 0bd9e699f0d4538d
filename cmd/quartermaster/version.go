package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"quartermaster.dev/cmd/internal/version"
)

// versionText is what version prints, one line.
func versionText() string {
	return fmt.Sprintf("quartermaster %s %s %s/%s", version.String(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func newVersion(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noArguments("run it alone"),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(s.out, versionText())
			return err
		},
	}
}

// noArguments refuses what stands behind a command, with what to write instead.
func noArguments(hint string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return inputErrorf(hint, "%s takes no arguments, and was given %q", cmd.Name(), args[0])
		}
		return nil
	}
}
