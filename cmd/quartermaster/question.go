package main

import (
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/util/validation"

	"quartermaster.dev/policy"
)

// podOptions are the flags about a pod and the policies that decide on it.
type podOptions struct {
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

func (o *podOptions) addFlags(cmd *cobra.Command) {
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
}

// question is a pod and what decides on it.
type question struct {
	pod      *podInput
	req      policy.Request
	policies *policies
	// sources are what set was made of.
	sources []*policy.Source
	set     *policy.Set
}

// question reads what the flags name.
func (o *podOptions) question(s streams) (*question, error) {
	switch {
	case o.pod == "":
		return nil, inputErrorf("name its file with -f, or - for stdin", "no pod is given")
	case len(o.policies) == 0:
		return nil, inputErrorf("name files or folders with --policy", "no policy is given")
	}
	pod, err := o.readPod(s)
	if err != nil {
		return nil, err
	}
	policies, err := readPolicies(s, o.policies, origin{pod.namespace, o.systemNamespace})
	if err != nil {
		return nil, err
	}
	if err := policies.remark(s); err != nil {
		return nil, err
	}
	return o.ask(pod, policies)
}

// ask puts a pod and policies together.
func (o *podOptions) ask(pod *podInput, policies *policies) (*question, error) {
	if msgs := validation.IsQualifiedName(o.jobLabel); len(msgs) > 0 {
		return nil, inputErrorf("write the key of a label, as "+policy.DefaultJobLabel, "--job-label %q is no label key", o.jobLabel)
	}
	if o.jobLabel == "" {
		return nil, inputErrorf("leave it out to mean "+policy.DefaultJobLabel, "--job-label is empty")
	}
	req, err := pod.request(o.jobLabel)
	if err != nil {
		return nil, err
	}
	own, system := policies.in(pod.namespace), policies.ofSystem()
	return &question{
		pod: pod, req: req, policies: policies, sources: append(own, system...),
		set: policy.NewSet(pod.namespace, policy.NewSystem(system...), own...),
	}, nil
}

// readPod reads the pod from its file.
func (o *podOptions) readPod(s streams) (*podInput, error) {
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
	return pod, o.complete(pod, f.name)
}

// complete fills in what the flags say about a pod.
func (o *podOptions) complete(pod *podInput, name string) error {
	switch {
	case o.namespace != "" && pod.namespace != "" && o.namespace != pod.namespace:
		return inputErrorf("leave --namespace out, or change the pod",
			"%s is in namespace %q, and --namespace says %q", name, pod.namespace, o.namespace)
	case o.namespace != "":
		pod.namespace = o.namespace
	case pod.namespace == "":
		return inputErrorf("say which with --namespace", "%s names no namespace, and policies are a namespace's", name)
	}
	if o.user != "" {
		pod.user, pod.groups = o.user, groupsOf(o.user)
	}
	if len(o.groups) > 0 {
		pod.groups = o.groups
	}
	return nil
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
