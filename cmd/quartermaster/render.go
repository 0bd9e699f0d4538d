package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"quartermaster.dev/policy"
)

func newRender(s streams) *cobra.Command {
	var o podOptions
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
		RunE: func(*cobra.Command, []string) error { return render(s, &o) },
	}
	o.addFlags(cmd)
	return cmd
}

// render prints what the pod becomes.
func render(s streams, o *podOptions) error {
	q, err := o.question(s)
	if err != nil {
		return err
	}
	decision := policy.Decide(q.req, q.set)
	remark(s, &remarks{q, &decision})
	if decision.Outcome == policy.Refused {
		s.say("refused", q.policies.plain(decision.Message()))
		return errNegative
	}
	return printPod(s, q.pod.object, decision.Additions)
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
