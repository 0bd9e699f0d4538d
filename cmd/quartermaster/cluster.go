package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"quartermaster.dev/cmd/internal/explain"
)

// clusterTimeout bounds all questions to a cluster together.
const clusterTimeout = 30 * time.Second

// clusterOptions say which cluster, as kubectl's flags do.
type clusterOptions struct {
	kubeconfig, context string
}

// addFlags adds them; when says with which other flag they count, or nothing.
func (o *clusterOptions) addFlags(flags *pflag.FlagSet, when string) {
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig file"+when+" (default: $KUBECONFIG, or ~/.kube/config; in a pod, its own account)")
	flags.StringVar(&o.context, "context", "", "context of the kubeconfig"+when+" (default: the current one)")
}

// connect gives the cluster, and the namespace that is asked about where the pod
// does not say: the one given, or that of the context.
func (o *clusterOptions) connect(namespace string) (*explain.Cluster, string, error) {
	config, namespace, err := o.config(namespace)
	if err != nil {
		return nil, "", err
	}
	cluster, err := explain.Connect(config)
	if err != nil {
		return nil, "", inputErrorf("see --kubeconfig and --context", "the kubeconfig cannot be used: %v", err)
	}
	return cluster, namespace, nil
}

// config is how to reach the cluster, and the namespace as for connect.
func (o *clusterOptions) config(namespace string) (*rest.Config, string, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = o.kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: o.context}
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
	config, err := loader.ClientConfig()
	switch {
	case clientcmd.IsEmptyConfig(err):
		return nil, "", inputErrorf("name one with --kubeconfig or $KUBECONFIG", "there is no kubeconfig")
	case err != nil:
		return nil, "", inputErrorf("see --kubeconfig and --context", "the kubeconfig names no cluster: %v", err)
	}
	if namespace == "" {
		if namespace, _, err = loader.Namespace(); err != nil {
			return nil, "", inputErrorf("see --kubeconfig and --context", "the kubeconfig cannot be read: %v", err)
		}
	}
	config.WarningHandler = rest.NoWarnings{}
	config.QPS, config.Burst = 50, 100
	return config, namespace, nil
}

// readable makes a sentence, with what to do, of an error of the cluster.
func readable(err error) error {
	var read *explain.ReadError
	switch {
	case err == nil || !errors.As(err, &read):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return inputErrorf("see --kubeconfig and --context", "the cluster does not answer in %s", clusterTimeout)
	case read.Forbidden():
		return inputErrorf("ask for that right, or give the policies as files", "%v", err)
	case read.NotFound():
		return inputErrorf("see --namespace, --kubeconfig and --context", "%v", err)
	default:
		return inputErrorf("see --kubeconfig and --context", "%v", err)
	}
}

// reader reads what there is to explain with.
type reader struct {
	*explain.Cluster
	streams
	options *explainOptions
	// fixed tells whether a flag was given.
	fixed func(flag string) bool
}

// read asks the cluster everything. Time counts from when the pod is known, for
// it may come from a pipe.
func (r *reader) read(ctx context.Context, namespace string) (*explain.Input, error) {
	o := r.options
	var pod *podInput
	var err error
	if o.livePod == "" {
		if pod, err = r.filePod(namespace); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, clusterTimeout)
	defer cancel()
	if o.livePod != "" {
		object, err := r.Pod(ctx, namespace, o.livePod)
		if err != nil {
			return nil, err
		}
		pod = &podInput{object: object, namespace: namespace}
		if err := o.complete(pod, o.livePod); err != nil {
			return nil, err
		}
	}
	registration, err := r.registration(ctx, pod)
	if err != nil {
		return nil, err
	}
	policies, err := r.policies(ctx, pod.namespace, registration)
	if err != nil {
		return nil, err
	}
	q, err := o.ask(pod, policies)
	if err != nil {
		return nil, err
	}
	in := q.input()
	in.Registration, in.Exists = registration, o.livePod != ""
	in.Secrets, err = r.Secrets(ctx, pod.namespace, explain.Needs(in))
	return in, err
}

// filePod is the pod of the file. The namespace is for one that names none.
func (r *reader) filePod(namespace string) (*podInput, error) {
	f, err := readOne(r.streams, r.options.pod)
	if err != nil {
		return nil, err
	}
	pod, err := readPod(f)
	if err != nil {
		return nil, err
	}
	if r.options.namespace == "" && pod.namespace == "" {
		pod.namespace = namespace
	}
	return pod, r.options.complete(pod, f.name)
}

// registration is what the cluster says about webhooks. What it says about the
// job label and the system namespace goes where no flag does.
func (r *reader) registration(ctx context.Context, pod *podInput) (*explain.Registration, error) {
	req, err := pod.request(r.options.jobLabel)
	if err != nil {
		return nil, err
	}
	registration, err := r.Registration(ctx, pod.namespace)
	if err != nil {
		return nil, err
	}
	label, system := registration.Server(req.Pod.Metadata.Labels)
	if label != "" && !r.fixed("job-label") {
		r.options.jobLabel = label
	}
	if system != "" && !r.fixed("system-namespace") {
		r.options.systemNamespace = system
	}
	return registration, nil
}

// policies are those of the namespace and of the system namespace. Without the
// right to read the latter, the answer is without them, and says so.
func (r *reader) policies(ctx context.Context, namespace string, registration *explain.Registration) (*policies, error) {
	maps, unread, err := r.PolicyMaps(ctx, namespace)
	if err != nil {
		return nil, err
	}
	system := r.options.systemNamespace
	if system != "" && system != namespace {
		more, others, err := r.PolicyMaps(ctx, system)
		var read *explain.ReadError
		switch {
		case errors.As(err, &read) && read.Forbidden():
			registration.Blind = true
			registration.Remark("cluster-wide policies and guardrails are left out of this answer: " + err.Error())
		case err != nil:
			return nil, err
		}
		maps, unread = append(maps, more...), append(unread, others...)
	}
	for i := range maps {
		maps[i].System = maps[i].Namespace == system && system != ""
	}
	if len(unread) > 0 {
		registration.Remark(fmt.Sprintf("nothing reads %s: the label that marks policies must be \"true\"", strings.Join(unread, ", ")))
	}
	return fromMaps(maps), nil
}
