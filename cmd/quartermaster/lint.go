package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"quartermaster.dev/policy"
)

// finding is a problem and where it is. Its fields are the output of -o json.
type finding struct {
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`
	Document string `json:"document,omitempty"`
	Path     string `json:"path,omitempty"`
	Severity string `json:"severity"`
	severity policy.Severity
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"`
}

// lintOptions are the flags of lint.
type lintOptions struct {
	origin
	// fromCluster checks what is in force in place of files, in the namespace or in all.
	fromCluster, allNamespaces bool
	cluster                    clusterOptions
	// output is text or json.
	output string
	// severity is the least that is printed.
	severity string
}

func newLint(s streams) *cobra.Command {
	var o lintOptions
	cmd := &cobra.Command{
		Use:   "lint (FILE_OR_DIR... | --from-cluster)",
		Short: "Check policies before they are applied",
		Long: `Lint checks policies with the rules, and in the words, of the webhook that
checks them when they are applied; those of a namespace also against the
guardrails among the files, and against each other: two that refuse every job
which both match are a warning. Below folders it reads *.yaml, *.yml and
*.json, and leaves alone what is no policy. With --from-cluster it checks what
is in force in a cluster, in one namespace or with -A in all, with the rules of
this version: worth doing before an upgrade. --system-namespace then defaults to
what is registered there. Nothing is written.

Each problem is a line "file:line: document: path: severity: message", followed
by a hint that says what to write instead.

Exit codes: 0 clean or only warnings, 1 errors, 2 broken input or usage.`,
		Example: `  # all policies of a repository
  quartermaster lint policies/

  # a chart, rendered
  helm template runner-policies | quartermaster lint -

  # what is in force in the whole cluster
  quartermaster lint --from-cluster -A`,
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd, s, args) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.namespace, "namespace", "n", "", "namespace of ConfigMaps that name none; with --from-cluster, the one to check (default: the context's)")
	flags.StringVar(&o.system, "system-namespace", defaultSystemNamespace, "namespace of cluster-wide policies and guardrails")
	flags.BoolVar(&o.fromCluster, "from-cluster", false, "check the policies in force in the cluster, in place of files")
	flags.BoolVarP(&o.allNamespaces, "all-namespaces", "A", false, "check all namespaces, with --from-cluster")
	o.cluster.addFlags(flags, ", with --from-cluster")
	addOutputFlag(cmd, &o.output)
	addSeverityFlag(cmd, &o.severity, policy.Note, "least severity to print: error, warning or note; all are counted")
	return cmd
}

// validate refuses flags that do not go together.
func (o *lintOptions) validate(cmd *cobra.Command, args []string) error {
	if err := checkOutput(o.output); err != nil {
		return err
	}
	switch {
	case o.fromCluster && len(args) > 0:
		return inputErrorf("leave one of them out", "%s and --from-cluster both say where the policies are", strings.Join(args, ", "))
	case !o.fromCluster && len(args) == 0:
		return inputErrorf("name files or folders, or - for stdin, or check what is in force with --from-cluster", "nothing to lint is given")
	case o.allNamespaces && o.namespace != "":
		return inputErrorf("leave one of them out", "--namespace and --all-namespaces both say which namespaces to check")
	}
	for _, name := range []string{"all-namespaces", "kubeconfig", "context"} {
		if !o.fromCluster && cmd.Flags().Changed(name) {
			return inputErrorf("add --from-cluster", "--%s is about a cluster, and none is to be read", name)
		}
	}
	return nil
}

func (o *lintOptions) run(cmd *cobra.Command, s streams, args []string) error {
	if err := o.validate(cmd, args); err != nil {
		return err
	}
	least, err := severityNamed(o.severity)
	if err != nil {
		return err
	}
	var policies *policies
	if o.fromCluster {
		policies, err = o.inCluster(cmd.Context(), s, cmd.Flags().Changed("system-namespace"))
	} else {
		policies, err = readPolicies(s, args, o.origin)
	}
	if err != nil {
		return err
	}
	return policies.lint(s, o.output == outputJSON, least)
}

// lint prints the problems that are so severe, counts all, and fails if any is an error.
func (p *policies) lint(s streams, asJSON bool, least policy.Severity) error {
	findings := []finding{}
	counts, documents := map[policy.Severity]int{}, 0
	system := policy.NewSystem(p.ofSystem()...)
	conflicts := p.conflicts(system)
	for i, f := range p.files {
		if f.silent {
			continue
		}
		found := f.findings(system, conflicts[i])
		for _, problem := range found {
			problem.Document, problem.Message = p.plain(problem.Document), p.plain(problem.Message)
			counts[problem.severity]++
			if problem.severity <= least {
				findings = append(findings, problem)
			}
		}
		for _, cm := range f.all() {
			documents += len(documentsIn(cm))
		}
	}
	if asJSON {
		if err := s.writeJSON(findings); err != nil {
			return err
		}
	} else {
		printFindings(s, findings)
		fmt.Fprintf(s.out, "%s, %s in %s\n", plural(counts[policy.Error], "error"), plural(counts[policy.Warning], "warning"), plural(documents, "document"))
	}
	if counts[policy.Error] > 0 {
		return errNegative
	}
	return nil
}

// findings are the problems of a file, in the order of its lines; conflicts are
// those that only show beside other policies.
func (f *policyFile) findings(system *policy.System, conflicts []policy.Problem) []finding {
	locate := newLocator(f.data)
	var findings []finding
	add := func(problems []policy.Problem) {
		for _, p := range problems {
			line := locate.line(p)
			if at := brokenAt.FindString(p.Message); line > 0 && at != "" && p.Path == "" {
				p.Message = strings.Replace(p.Message, at, "", 1) // it is the document's own line
			}
			findings = append(findings, finding{
				File: f.name, Line: line, Document: p.Document, Path: p.Path,
				Severity: p.Severity.String(), severity: p.Severity, Message: p.Message, Hint: p.Hint,
			})
		}
	}
	add(f.Problems)
	for _, cm := range f.all() {
		source := policy.Compile(cm)
		add(source.Problems)
		add(system.Violations(source))
	}
	add(conflicts)
	slices.SortStableFunc(findings, func(a, b finding) int { return cmp.Compare(a.Line, b.Line) })
	return findings
}

func printFindings(s streams, findings []finding) {
	for _, f := range findings {
		at := f.File
		if f.Line > 0 {
			at = fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		for _, part := range []string{strings.TrimSpace(strings.TrimPrefix(f.Document, f.File)), f.Path, f.Severity, f.Message} {
			if part != "" {
				at += ": " + part
			}
		}
		fmt.Fprintln(s.out, at)
		if f.Hint != "" {
			fmt.Fprintf(s.out, "    hint: %s\n", f.Hint)
		}
	}
}
