package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"quartermaster.dev/cmd/internal/migrate"
	"quartermaster.dev/policy"
)

// auditFinding is a finding about a runner's configuration. Its fields are the
// output of -o json.
type auditFinding struct {
	ID       string `json:"id"`
	Severity string `json:"severity"`
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`
	Path     string `json:"path,omitempty"`
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"`
}

func newAudit(s streams) *cobra.Command {
	var in runnerInput
	var output, severity string
	cmd := &cobra.Command{
		Use:   "audit -f VALUES | --config CONFIG",
		Short: "Say what is unwise about a runner's configuration",
		Long: `Audit reads the values of GitLab Runner's Helm chart, or a config.toml, and
says what is unwise about them: what job authors may overwrite or choose, what
every container sees, what the runner ignores without a word.

Each finding is a line "file:line: severity: message (id)", followed by a hint
that says what to do. The id stays the same.

Exit codes: 0 no finding of --severity or worse, 1 some, 2 broken input or usage.`,
		Example: `  # in the repository of the values
  quartermaster audit -f values.yaml

  # what is in force
  helm get values gitlab-runner -n dev -o yaml | quartermaster audit -f - -n dev --release gitlab-runner

  # only what is wrong beyond doubt
  quartermaster audit -f values.yaml --severity error -o json`,
		Args: noArguments("name the file with -f, or a config.toml with --config"),
		RunE: func(*cobra.Command, []string) error {
			least, err := severityNamed(severity)
			if err != nil {
				return err
			}
			if err := checkOutput(output); err != nil {
				return err
			}
			f, config, err := in.read(s)
			if err != nil {
				return err
			}
			return printAudit(s, f, config.Audit(), output == outputJSON, least)
		},
	}
	in.register(cmd)
	addOutputFlag(cmd, &output)
	addSeverityFlag(cmd, &severity, policy.Warning, "exit 1 on findings this severe or worse: error, warning or note")
	return cmd
}

// printAudit prints all findings, and fails if one is severe enough.
func printAudit(s streams, f file, found []migrate.Finding, asJSON bool, least policy.Severity) error {
	findings := []auditFinding{}
	counts := map[policy.Severity]int{}
	severe := false
	for _, finding := range found {
		counts[finding.Severity]++
		severe = severe || finding.Severity <= least
		findings = append(findings, auditFinding{
			ID: finding.ID, Severity: finding.Severity.String(), File: f.name, Line: finding.Line,
			Path: finding.Path, Message: finding.Message, Hint: finding.Hint,
		})
	}
	if asJSON {
		if err := s.writeJSON(findings); err != nil {
			return err
		}
	} else {
		for _, finding := range findings {
			at := finding.File
			if finding.Line > 0 {
				at = fmt.Sprintf("%s:%d", finding.File, finding.Line)
			}
			fmt.Fprintf(s.out, "%s: %s: %s (%s)\n", at, finding.Severity, finding.Message, finding.ID)
			fmt.Fprintf(s.out, "    hint: %s\n", finding.Hint)
		}
		fmt.Fprintf(s.out, "%s, %s, %s\n", plural(counts[policy.Error], "error"), plural(counts[policy.Warning], "warning"), plural(counts[policy.Note], "note"))
	}
	if severe {
		return errNegative
	}
	return nil
}
