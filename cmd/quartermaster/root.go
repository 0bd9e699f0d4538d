package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes, the same for every command.
const (
	exitOK       = 0
	exitNegative = 1 // the pod is refused, a policy has errors
	exitInput    = 2 // the question could not be answered: broken input or usage
)

// streams are what a command reads from and writes to.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// run runs one command and returns its exit code.
func run(ctx context.Context, args []string, s streams) int {
	cmd := newCommand(s)
	cmd.SetArgs(args)
	cmd.SetIn(s.in)
	cmd.SetOut(s.out)
	cmd.SetErr(s.err)
	err := cmd.ExecuteContext(ctx)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errNegative):
		return exitNegative
	}
	s.say("error", err.Error())
	var input *inputError
	if errors.As(err, &input) && input.hint != "" {
		s.say("hint", input.hint)
	}
	return exitInput
}

// errNegative is a negative answer, which has been printed already.
var errNegative = errors.New("no")

// inputError is about what the user gave. It says what to do about it.
type inputError struct{ message, hint string }

func (e *inputError) Error() string { return e.message }

func inputErrorf(hint, format string, args ...any) error {
	return &inputError{fmt.Sprintf(format, args...), hint}
}

// say writes a line to stderr, with what kind of line it is.
func (s streams) say(kind, text string) {
	for line := range strings.Lines(text) {
		fmt.Fprintf(s.err, "%s: %s\n", kind, strings.TrimRight(line, "\n"))
	}
}

func newCommand(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "quartermaster",
		Short: "Equip GitLab Runner job pods by policy",
		Long: `Quartermaster equips GitLab Runner job pods with credentials and their place in
the cluster, as the policies of their namespace say. This command shows what it
would do and why, and checks policies before they are applied. It works on files
and needs no cluster, but for --from-cluster and check.`,
		Example: `  # check all policies of a repository, as a CI job would
  quartermaster lint policies/

  # see what a job pod would look like
  kubectl get pod -n dev runner-abc -o yaml |
    quartermaster render --policy policies/ --user system:serviceaccount:dev:gitlab-runner -f -`,
		Version:       versionText(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			hint := "run `quartermaster --help` for the commands"
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				hint = fmt.Sprintf("did you mean %q?", near[0])
			}
			return inputErrorf(hint, "unknown command %q", args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			cmd.SetOut(s.err)
			if err := cmd.Help(); err != nil {
				return err
			}
			return inputErrorf("", "no command given")
		},
	}
	cmd.SetVersionTemplate("{{.Version}}\n")
	cmd.SuggestionsMinimumDistance = 2
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return inputErrorf("run `"+cmd.CommandPath()+" --help` for the flags", "%v", err)
	})
	cmd.AddCommand(newRender(s), newExplain(s), newLint(s), newCheck(s), newMigrate(s), newAudit(s), newVersion(s))
	return cmd
}
