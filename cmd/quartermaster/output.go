package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"quartermaster.dev/policy"
)

// The values of -o.
const (
	outputText = "text"
	outputJSON = "json"
)

// addOutputFlag adds -o, which checkOutput checks.
func addOutputFlag(cmd *cobra.Command, output *string) {
	cmd.Flags().StringVarP(output, "output", "o", outputText, "text or json")
	complete(cmd, "output", outputText, outputJSON)
}

func checkOutput(output string) error {
	if output != outputText && output != outputJSON {
		return inputErrorf("write -o text or -o json", "%q is no output format", output)
	}
	return nil
}

// addSeverityFlag adds --severity, whose value severityNamed reads.
func addSeverityFlag(cmd *cobra.Command, severity *string, least policy.Severity, usage string) {
	cmd.Flags().StringVar(severity, "severity", least.String(), usage)
	complete(cmd, "severity", policy.Error.String(), policy.Warning.String(), policy.Note.String())
}

func severityNamed(name string) (policy.Severity, error) {
	for _, s := range []policy.Severity{policy.Error, policy.Warning, policy.Note} {
		if s.String() == name {
			return s, nil
		}
	}
	return 0, inputErrorf("write error, warning or note", "%q is no severity", name)
}

// complete has a shell complete the values of a flag, which must be defined.
func complete(cmd *cobra.Command, flag string, values ...string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err)
	}
}

// writeJSON prints what -o json prints.
func (s streams) writeJSON(v any) error {
	enc := json.NewEncoder(s.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
