package main

import (
	"github.com/spf13/cobra"

	"quartermaster.dev/cmd/internal/explain"
	"quartermaster.dev/policy"
)

// explainOptions are the flags of explain.
type explainOptions struct {
	podOptions
	// fromCluster reads policies, and what else there is to know, from a cluster.
	fromCluster bool
	cluster     clusterOptions
	// livePod is the name of a pod of the cluster, in place of a file.
	livePod string
	// output is text or json.
	output string
}

const explainLong = `Explain decides on a pod as the webhook would and says why: the verdict first,
then for each policy of the namespace, and each cluster-wide one, whether it
applies, which condition failed, what it adds, what the pod has already and
what is withheld. A refusal is shown as the job log shows it. The value of a
variable is never shown.

With --from-cluster it reads the policies and guardrails that are in force, with
your kubeconfig and your rights, and looks further: whether the API server asks
Quartermaster about this pod at all (webhooks registered, namespace not opted
out, server reachable), and whether each Secret and key is there that a policy
which matches names. Of a Secret whose keys matter it fetches the whole, keeps
the names of the keys, and shows nothing else. What you may not read is said, and
which right is missing. Nothing is written.

Who creates a pod is not on the pod: say it with --user, or give the
AdmissionReview. --job-label and --system-namespace default to what is registered
in the cluster.

With -o json the answer is an object. Fields and words may be added to it, and
none changes its meaning:
  verdict   equipped, untouched, audited or refused; from a cluster also
            not-asked, unreachable (no answer) or stuck (a Secret is missing)
  summary, hint   the verdict in a sentence, and what to do
  ok        whether the exit code is 0
  refusal   what the job log says where the policies refuse the pod
  pod, stamp      what was asked about, and the annotation that it is given
  policies  for each its name, source, state (applies, no-match, audit, refuses,
            withheld, held-back, would-apply, would-refuse), mismatches, adds,
            has, notes and secrets
  broken, webhooks, notes   ConfigMaps that are broken; who is asked; the rest

Exit codes:
  0  the pod is created, and handed what its policies say, which may be nothing
  1  it is not: it is refused, or nobody is asked, or the API server cannot reach
     the webhook, or the job would wait for a Secret or key that is not there
  2  broken input or usage, or a cluster that cannot be read`

const explainExample = `  # why was this job not equipped? (a pod of the cluster, the policies in force)
  quartermaster explain --from-cluster -n dev --pod runner-abc --user system:serviceaccount:dev:gitlab-runner

  # would it be, with the policies of a repository?
  quartermaster explain --policy policies/ -f pod.yaml --user system:serviceaccount:dev:gitlab-runner

  # a review as the API server sent it brings its namespace and user
  quartermaster explain --policy policies/ -f review.json

  # in a pipeline: which policies apply
  quartermaster explain --from-cluster -f pod.yaml -o json | jq -r '.policies[] | select(.state == "applies") | .name'`

func newExplain(s streams) *cobra.Command {
	var o explainOptions
	cmd := &cobra.Command{
		Use:     "explain (--policy FILE_OR_DIR | --from-cluster) -f POD",
		Short:   "Say why a pod is equipped, refused or left alone",
		Long:    explainLong,
		Example: explainExample,
		Args:    noArguments("name the pod with -f, and the policies with --policy or --from-cluster"),
		RunE:    func(cmd *cobra.Command, _ []string) error { return o.run(cmd, s) },
	}
	o.addFlags(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&o.fromCluster, "from-cluster", false, "read the policies in force, webhooks and Secrets from the cluster")
	flags.StringVar(&o.livePod, "pod", "", "name of a pod of the cluster, in place of -f; with --from-cluster")
	o.cluster.addFlags(flags, ", with --from-cluster")
	addOutputFlag(cmd, &o.output)
	return cmd
}

// validate refuses flags that do not go together.
func (o *explainOptions) validate(cmd *cobra.Command) error {
	if err := checkOutput(o.output); err != nil {
		return err
	}
	if o.fromCluster && len(o.policies) > 0 {
		return inputErrorf("leave one of them out", "--policy and --from-cluster both say where the policies are")
	}
	for _, name := range []string{"pod", "kubeconfig", "context"} {
		if !o.fromCluster && cmd.Flags().Changed(name) {
			return inputErrorf("add --from-cluster", "--%s is about a cluster, and none is to be read", name)
		}
	}
	switch {
	case o.livePod != "" && o.pod != "":
		return inputErrorf("leave one of them out", "--pod and -f both name a pod")
	case o.pod == "" && o.livePod == "" && o.fromCluster:
		return inputErrorf("name its file with -f, or - for stdin, or a pod of the cluster with --pod", "no pod is given")
	case o.pod != "" && !o.fromCluster && len(o.policies) == 0:
		return inputErrorf("name files or folders with --policy, or read those in force with --from-cluster", "no policy is given")
	}
	return nil
}

func (o *explainOptions) run(cmd *cobra.Command, s streams) error {
	if err := o.validate(cmd); err != nil {
		return err
	}
	var in *explain.Input
	var err error
	if o.fromCluster {
		in, err = o.inCluster(cmd, s)
	} else {
		in, err = o.inFiles(s)
	}
	if err != nil {
		return err
	}
	return o.print(s, explain.Explain(in))
}

// inFiles is what there is to explain with where policies are files.
func (o *explainOptions) inFiles(s streams) (*explain.Input, error) {
	q, err := o.question(s)
	if err != nil {
		return nil, err
	}
	return q.input(), nil
}

func (q *question) input() *explain.Input {
	return &explain.Input{
		Request: q.req, Set: q.set, Sources: q.sources, Elsewhere: q.policies.namespaces(), Plain: q.policies.plain,
	}
}

// inCluster is what there is to explain with where a cluster says it.
func (o *explainOptions) inCluster(cmd *cobra.Command, s streams) (*explain.Input, error) {
	cluster, namespace, err := o.cluster.connect(o.namespace)
	if err != nil {
		return nil, err
	}
	r := &reader{Cluster: cluster, options: o, streams: s, fixed: cmd.Flags().Changed}
	in, err := r.read(cmd.Context(), namespace)
	return in, readable(err)
}

// print prints the report, and fails where it is a negative one.
func (o *explainOptions) print(s streams, report *explain.Report) error {
	if o.output == outputJSON {
		if err := s.writeJSON(report); err != nil {
			return err
		}
	} else {
		_, colored := s.out.(terminal)
		if err := report.Write(s.out, colored); err != nil {
			return err
		}
	}
	if !report.OK {
		return errNegative
	}
	return nil
}

// fromMaps are the policies in ConfigMaps of a cluster.
func fromMaps(maps []policy.ConfigMap) *policies {
	return &policies{files: []policyFile{{Manifest: policy.Manifest{ConfigMaps: maps}}}}
}
