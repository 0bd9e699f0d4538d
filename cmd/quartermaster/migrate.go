package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"quartermaster.dev/cmd/internal/migrate"
	"quartermaster.dev/policy"
)

// runnerInput are the flags that name a runner's configuration.
type runnerInput struct {
	// values or config is the file.
	values, config string
	migrate.Options
}

// migrateOptions are the flags of migrate.
type migrateOptions struct {
	runnerInput
	// out is the folder to write to, or empty to print.
	out string
	// force overwrites files.
	force bool
	// verify is the file of a job pod, to show what changes.
	verify string
	// jobLabel marks job pods.
	jobLabel string
}

func newMigrate(s streams) *cobra.Command {
	var o migrateOptions
	cmd := &cobra.Command{
		Use:   "migrate -f VALUES | --config CONFIG",
		Short: "Turn a runner's configuration into a policy",
		Long: `Migrate reads the values of GitLab Runner's Helm chart, or a config.toml, and
moves into a policy what a policy can hold: Secret volumes, node selectors,
tolerations, requests and limits. What it does not recognise stays as it was.

Without --out the policy and what is left of the file are printed. What moved,
what stayed and what to look at is said on stderr, line by line.

With --verify it prints instead what changes about a job pod: what the runner
made of it before, against what comes out under the new values and the policy.

Exit codes: 0 done, 1 the pod of --verify gets nothing, 2 broken input or usage.`,
		Example: `  # what would move
  helm get values gitlab-runner -n dev -o yaml > values.yaml
  quartermaster migrate -f values.yaml --namespace dev --release gitlab-runner

  # write out/policy.yaml and out/values.yaml
  quartermaster migrate -f values.yaml --namespace dev --release gitlab-runner --out out

  # the proof, on a pod of the cluster
  kubectl get pod -n dev runner-abc -o yaml > pod.yaml
  quartermaster migrate -f values.yaml --namespace dev --release gitlab-runner --verify pod.yaml`,
		Args: noArguments("name the file with -f, or a config.toml with --config"),
		RunE: func(*cobra.Command, []string) error { return o.run(s) },
	}
	flags := cmd.Flags()
	o.register(cmd)
	flags.StringVar(&o.Name, "name", "runner-jobs", "name of the policy's ConfigMap")
	flags.StringVar(&o.out, "out", "", "folder to write the policy and what is left of the file to")
	flags.BoolVar(&o.force, "force", false, "overwrite files in --out")
	flags.StringVar(&o.verify, "verify", "", "file of a Pod or AdmissionReview; print what changes about it")
	flags.StringVar(&o.jobLabel, "job-label", policy.DefaultJobLabel, "label that marks job pods; GitLab Runner before 15.6.1 sets only pod")
	return cmd
}

// register adds the flags that say where a configuration is from.
func (in *runnerInput) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&in.values, "filename", "f", "", "values of GitLab Runner's Helm chart, or - for stdin")
	flags.StringVar(&in.config, "config", "", "config.toml instead of values, or - for stdin")
	flags.StringVarP(&in.Namespace, "namespace", "n", "", "namespace of the release, and of its jobs where the file names none")
	flags.StringVar(&in.Release, "release", "", "name of the Helm release, after which the chart names its service account")
	flags.StringVar(&in.Account, "account", "", "service account of the runner's manager, where it is not named after the release")
	flags.StringVar(&in.ChartVersion, "chart-version", "", "version of the chart (default: the current); before 0.42 it read runners.nodeSelector and the like")
	for name, extensions := range map[string][]string{"filename": {"yaml", "yml", "json"}, "config": {"toml"}} {
		if err := cmd.MarkFlagFilename(name, extensions...); err != nil {
			panic(err) // a flag that is defined above
		}
	}
}

// read reads the file that the flags name.
func (in *runnerInput) read(s streams) (file, *migrate.Config, error) {
	name := in.values + in.config
	switch {
	case in.values != "" && in.config != "":
		return file{}, nil, inputErrorf("give one of them", "both values and a config.toml are given")
	case name == "":
		return file{}, nil, inputErrorf("name the values of the chart with -f, or a config.toml with --config", "no configuration is given")
	}
	f, err := readOne(s, name)
	if err != nil {
		return f, nil, err
	}
	c, err := migrate.Read(migrate.Input{Name: f.name, Data: f.data, TOML: in.config != ""}, in.Options)
	return f, c, atFile(f, err)
}

// atFile makes an error of package migrate one of the file.
func atFile(f file, err error) error {
	var broken *migrate.SyntaxError
	var need *migrate.NeedError
	switch {
	case errors.As(err, &broken) && broken.Line > 0:
		return inputErrorf(broken.Hint, "%s:%d: %s", f.name, broken.Line, broken.Message)
	case errors.As(err, &broken):
		return inputErrorf(broken.Hint, "%s: %s", f.name, broken.Message)
	case errors.As(err, &need):
		return inputErrorf(need.Hint, "%s", need.Message)
	}
	return err
}

func (o *migrateOptions) run(s streams) error {
	pod, err := o.pod(s)
	if err != nil {
		return err
	}
	f, config, err := o.read(s)
	if err != nil {
		return err
	}
	result, err := config.Migrate()
	if err != nil {
		return atFile(f, err)
	}
	if pod != nil {
		return o.prove(s, f, result, pod)
	}
	rest := "values.yaml"
	if o.config != "" {
		rest = "config.toml"
	}
	outputs := []file{{name: "policy.yaml", data: []byte(result.Policy)}, {name: rest, data: []byte(result.Rest)}}
	if result.Policy == "" {
		outputs = outputs[1:]
	}
	if o.out != "" {
		if err := write(o.out, outputs, o.force); err != nil {
			return err
		}
	}
	report(s, f, result)
	for i, out := range outputs {
		if o.out != "" {
			s.say("wrote", filepath.Join(o.out, out.name))
			continue
		}
		if i > 0 {
			fmt.Fprintln(s.out)
		}
		fmt.Fprintf(s.out, "# %s\n%s", out.name, out.data)
	}
	return nil
}

// report says what became of everything.
func report(s streams, f file, result *migrate.Result) {
	for _, line := range result.Report {
		at := f.name
		if line.At > 0 {
			at = fmt.Sprintf("%s:%d", f.name, line.At)
		}
		s.say(line.Kind, at+": "+line.Text)
		if line.Hint != "" {
			s.say("hint", line.Hint)
		}
	}
	if result.Policy == "" {
		s.say("note", "nothing is to be moved")
	}
}

// write writes files to a folder, all or none. A file that is there and says
// something else is not overwritten without force.
func write(folder string, files []file, force bool) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return cannotWrite(err)
	}
	for _, f := range files {
		name := filepath.Join(folder, f.name)
		old, err := os.ReadFile(name)
		if err == nil && !force && !bytes.Equal(old, f.data) {
			return inputErrorf("say --force to overwrite it, or another --out", "%q is there already", name)
		}
	}
	for _, f := range files {
		// What is left of the values may hold tokens.
		if err := os.WriteFile(filepath.Join(folder, f.name), f.data, 0o600); err != nil {
			return cannotWrite(err)
		}
	}
	return nil
}

// cannotWrite makes a sentence of an error of the file system.
func cannotWrite(err error) error {
	var pathError *os.PathError
	if errors.As(err, &pathError) {
		return inputErrorf("", "cannot write %q: %v", pathError.Path, pathError.Err)
	}
	return err
}
