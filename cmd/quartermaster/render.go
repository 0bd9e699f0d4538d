package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"quartermaster.dev/policy"
)

// renderOptions are the flags of render.
type renderOptions struct {
	// policies are files or folders of manifests.
	policies []string
	// pod is the file of the Pod or AdmissionReview.
	pod string
	// namespace that the pod is created in, where the pod does not say.
	namespace string
	// user who creates the pod, with its groups; an AdmissionReview says both.
	user   string
	groups []string
	// jobLabel marks job pods.
	jobLabel string
	// systemNamespace is where cluster-wide policies and guardrails are.
	systemNamespace string
}

// defaultSystemNamespace is that of the chart.
const defaultSystemNamespace = "quartermaster"

func newRender(s streams) *cobra.Command {
	var o renderOptions
	cmd := &cobra.Command{
		Use:   "render --policy FILE_OR_DIR -f POD",
		Short: "Show what a pod becomes under policies",
		Long: `Render decides on a pod as the webhook would and prints the pod that results.

The pod is a Pod or an AdmissionReview, as YAML or JSON. The policies are
ConfigMaps, as they are applied; those of the pod's namespace and of the system
namespace count. A document without a ConfigMap counts for any namespace.

What else is worth knowing goes to stderr: what was already there, what was
withheld, and why nothing happened. A refusal is printed as the job log shows it.

Exit codes: 0 the pod is admitted, 1 it is refused, 2 broken input or usage.`,
		Example: `  # a pod of the cluster, under the policies of a repository
  kubectl get pod -n dev runner-abc -o yaml |
    quartermaster render --policy policies/ --user system:serviceaccount:dev:gitlab-runner -f -

  # what changes
  diff pod.yaml <(quartermaster render --policy policies/ -f pod.yaml)

  # a review as the API server sent it brings its namespace and user
  quartermaster render --policy policy.yaml -f review.json`,
		Args: noArguments("name the pod with -f and the policies with --policy"),
		RunE: func(*cobra.Command, []string) error { return o.run(s) },
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&o.policies, "policy", nil, "file or folder of policies, or - for stdin; may be given more than once")
	flags.StringVarP(&o.pod, "filename", "f", "", "file of the Pod or AdmissionReview, or - for stdin")
	flags.StringVarP(&o.namespace, "namespace", "n", "", "namespace of the pod, and of ConfigMaps, that name none")
	flags.StringVar(&o.user, "user", "", "who creates the pod, in full, as system:serviceaccount:dev:gitlab-runner (default: the review's)")
	flags.StringArrayVar(&o.groups, "group", nil, "group of that user; may be given more than once (default: those of a service account)")
	flags.StringVar(&o.jobLabel, "job-label", policy.DefaultJobLabel, "label that marks job pods; GitLab Runner before 15.6.1 sets only pod")
	flags.StringVar(&o.systemNamespace, "system-namespace", defaultSystemNamespace, "namespace of cluster-wide policies and guardrails")
	for _, name := range []string{"policy", "filename"} {
		if err := cmd.MarkFlagFilename(name, "yaml", "yml", "json"); err != nil {
			panic(err) // a flag that is defined above
		}
	}
	return cmd
}

func (o *renderOptions) run(s streams) error {
	switch {
	case o.pod == "":
		return inputErrorf("name its file with -f, or - for stdin", "no pod is given")
	case len(o.policies) == 0:
		return inputErrorf("name files or folders with --policy", "no policy is given")
	case o.jobLabel == "":
		return inputErrorf("leave it out to mean "+policy.DefaultJobLabel, "--job-label is empty")
	}
	pod, err := o.readPod(s)
	if err != nil {
		return err
	}
	policies, err := readPolicies(s, o.policies, origin{pod.namespace, o.systemNamespace})
	if err != nil {
		return err
	}
	if err := policies.remark(s); err != nil {
		return err
	}
	req, err := pod.request(o.jobLabel)
	if err != nil {
		return err
	}
	set := policy.NewSet(pod.namespace, policies.system(), policies.in(pod.namespace)...)
	decision := policy.Decide(req, set)
	explain(s, &explanation{req, policies, &decision})
	if decision.Outcome == policy.Refused {
		s.say("refused", policies.plain(decision.Message()))
		return errNegative
	}
	return printPod(s, pod.object, decision.Additions)
}

// readPod reads the pod, and fills in what the flags say about it.
func (o *renderOptions) readPod(s streams) (*podInput, error) {
	for _, name := range o.policies {
		if name == "-" && o.pod == "-" {
			return nil, inputErrorf("give one of them as a file", "the pod and the policies cannot both be read from stdin")
		}
	}
	f, err := readOne(s, o.pod)
	if err != nil {
		return nil, err
	}
	pod, err := readPod(f)
	if err != nil {
		return nil, err
	}
	switch {
	case o.namespace != "" && pod.namespace != "" && o.namespace != pod.namespace:
		return nil, inputErrorf("leave --namespace out, or change the pod",
			"%s is in namespace %q, and --namespace says %q", f.name, pod.namespace, o.namespace)
	case o.namespace != "":
		pod.namespace = o.namespace
	case pod.namespace == "":
		return nil, inputErrorf("say which with --namespace", "%s names no namespace, and policies are a namespace's", f.name)
	}
	if o.user != "" {
		pod.user, pod.groups = o.user, groupsOf(o.user)
	}
	if len(o.groups) > 0 {
		pod.groups = o.groups
	}
	return pod, nil
}

// groupsOf are the groups in which the API server puts a user.
func groupsOf(user string) []string {
	groups := []string{"system:authenticated"}
	if account, ok := strings.CutPrefix(user, "system:serviceaccount:"); ok {
		namespace, _, _ := strings.Cut(account, ":")
		groups = append(groups, "system:serviceaccounts", "system:serviceaccounts:"+namespace)
	}
	return groups
}

// printPod applies the additions to the pod as it came, and prints it.
func printPod(s streams, object []byte, additions policy.Additions) error {
	operations, err := additions.Patch()
	if err != nil {
		return err
	}
	if operations != nil {
		patch, err := jsonpatch.DecodePatch(operations)
		if err != nil {
			return err
		}
		if object, err = patch.Apply(object); err != nil {
			return fmt.Errorf("the patch does not fit the pod: %w", err)
		}
	}
	// JSON may spell characters as pairs of escapes, which the YAML parser does
	// not put together: they are spelled out here. Numbers stay as they are.
	var tree any
	dec := json.NewDecoder(bytes.NewReader(object))
	dec.UseNumber()
	if err := dec.Decode(&tree); err != nil {
		return err
	}
	if object, err = json.Marshal(tree); err != nil {
		return err
	}
	text, err := yaml.JSONToYAML(object)
	if err != nil {
		return err
	}
	_, err = s.out.Write(text)
	return err
}
