package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"quartermaster.dev/policy"
)

// checkOptions are the flags of check.
type checkOptions struct {
	namespace string
	cluster   clusterOptions
	// as is who creates the pod, in place of the kubeconfig's user.
	as string
	// labels of the pod, and the one that makes it a job pod.
	labels   map[string]string
	jobLabel string
	// expect is the ConfigMap whose policy must have equipped the pod, as
	// "namespace/name"; timeout is how long that may take.
	expect  string
	timeout time.Duration
}

const checkLong = `Check asks the API server what it would make of a job pod, by a server-side dry
run: the API server calls the webhook as it does for a job, and nothing is
created. So it tells whether jobs of a namespace are equipped, all the way
through: webhook registered, certificate trusted, server answering, policy
matching. It takes the right to create pods in the namespace.

The pod is one of nobody's project, unless --label says otherwise. What a policy
asks about the creator is held against you, or against --as.

Why a pod is left alone or refused is answered by quartermaster explain.

Exit codes: 0 the pod is equipped (by the ConfigMap of --expect, where it is
given), 1 it is not, 2 the question could not be put to the cluster.`

func newCheck(s streams) *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check [-n NAMESPACE]",
		Short: "Ask a cluster whether a job pod would be equipped",
		Long:  checkLong,
		Example: `  # would the jobs of project 77 be equipped in namespace dev?
  quartermaster check -n dev --label project.runner.gitlab.com/id=77 --as system:serviceaccount:dev:gitlab-runner

  # has a policy that was just applied come into force?
  quartermaster check -n dev --expect dev/runner-jobs`,
		Args: noArguments("name the namespace with -n"),
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), s) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.namespace, "namespace", "n", "", "namespace of the pod (default: the context's)")
	flags.StringToStringVar(&o.labels, "label", nil, "label of the pod, as key=value; may be given more than once")
	flags.StringVar(&o.as, "as", "", "who creates the pod, by impersonation, as system:serviceaccount:dev:gitlab-runner (default: you)")
	flags.StringVar(&o.expect, "expect", "", "ConfigMap whose policy must equip the pod, as namespace/name")
	flags.DurationVar(&o.timeout, "timeout", 10*time.Second, "how long to wait until it does, with --expect: a policy comes into force a moment after it is applied")
	flags.StringVar(&o.jobLabel, "job-label", policy.DefaultJobLabel, "label that marks job pods; GitLab Runner before 15.6.1 sets only pod")
	o.cluster.addFlags(flags, "")
	return cmd
}

func (o *checkOptions) run(ctx context.Context, s streams) error {
	if namespace, name, ok := strings.Cut(o.expect, "/"); o.expect != "" && (!ok || namespace == "" || name == "") {
		return inputErrorf("write namespace/name, as dev/runner-jobs", "--expect %q names no ConfigMap", o.expect)
	}
	config, namespace, err := o.cluster.config(o.namespace)
	if err != nil {
		return err
	}
	heard := &warnings{}
	config.WarningHandler = heard
	config.Impersonate.UserName = o.as
	config.Timeout = clusterTimeout
	core, err := coreclient.NewForConfig(config)
	if err != nil {
		return inputErrorf("see --kubeconfig and --context", "the kubeconfig cannot be used: %v", err)
	}
	pod, err := o.ask(ctx, core.Pods(namespace))
	for _, text := range heard.take() {
		s.say("warning", text)
	}
	if err != nil {
		return o.explain(s, namespace, err)
	}
	return o.report(s, namespace, pod)
}

// ask creates the pod by a dry run, and where something is expected of it again
// until that is so or time is up.
func (o *checkOptions) ask(ctx context.Context, pods coreclient.PodInterface) (pod *corev1.Pod, err error) {
	create := func() {
		pod, err = pods.Create(ctx, o.pod(), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	}
	if create(); o.expect == "" {
		return pod, err
	}
	_ = wait.PollUntilContextTimeout(ctx, time.Second, o.timeout, false, func(context.Context) (bool, error) {
		if err == nil && o.asExpected(pod) {
			return true, nil
		}
		create()
		return false, nil
	})
	return pod, err
}

// pod is one as the runner makes them, small and harmless enough for every level
// of Pod Security and most quotas.
func (o *checkOptions) pod() *corev1.Pod {
	const name = "quartermaster-check"
	labels := map[string]string{o.jobLabel: name}
	maps.Copy(labels, o.labels)
	no, yes, nobody := false, true, int64(65534)
	small := corev1.ResourceList{ // a quota may want it said
		corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("16Mi"),
		corev1.ResourceEphemeralStorage: resource.MustParse("16Mi"),
	}
	container := func(name string) corev1.Container {
		return corev1.Container{
			Name: name, Image: "quartermaster.dev/check", ImagePullPolicy: corev1.PullNever,
			Resources: corev1.ResourceRequirements{Requests: small, Limits: small},
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: &no,
				Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		}
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: name + "-", Labels: labels},
		Spec: corev1.PodSpec{
			RestartPolicy:                corev1.RestartPolicyNever,
			AutomountServiceAccountToken: &no,
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: &yes, RunAsUser: &nobody,
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{container("build"), container("helper")},
		},
	}
}

// asExpected tells whether the pod was equipped, and by whom it should be.
func (o *checkOptions) asExpected(pod *corev1.Pod) bool {
	stamps := stampsOf(pod)
	return len(stamps) > 0 && (o.expect == "" || slices.ContainsFunc(stamps, func(stamp string) bool {
		configMap, _, _ := strings.Cut(stamp, "@")
		return configMap == o.expect
	}))
}

// stampsOf are the ConfigMaps that equipped a pod, each with the hash of its data.
func stampsOf(pod *corev1.Pod) []string {
	return strings.FieldsFunc(pod.Annotations[policy.AnnotationApplied], func(r rune) bool { return r == ',' })
}

// report says what became of the pod.
func (o *checkOptions) report(s streams, namespace string, pod *corev1.Pod) error {
	stamps := stampsOf(pod)
	if len(stamps) == 0 {
		fmt.Fprintf(s.out, "left alone: no policy equips this pod in namespace %q, or the webhook is not asked\n", namespace)
	} else {
		fmt.Fprintf(s.out, "equipped in namespace %q by %s\n", namespace, strings.Join(stamps, ", "))
		printEquipment(s, pod)
	}
	if o.asExpected(pod) {
		return nil
	}
	if o.expect != "" && len(stamps) > 0 {
		fmt.Fprintf(s.out, "but not by %s\n", o.expect)
	}
	s.say("hint", "`quartermaster explain --from-cluster` tells why")
	return errNegative
}

// printEquipment prints what the pod holds: it came with none of it.
func printEquipment(s streams, pod *corev1.Pod) {
	for _, c := range pod.Spec.Containers {
		for _, m := range c.VolumeMounts {
			fmt.Fprintf(s.out, "  %s: mount %s\n", c.Name, m.MountPath)
		}
		for _, e := range c.Env {
			fmt.Fprintf(s.out, "  %s: variable %s\n", c.Name, e.Name)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(pod.Spec.NodeSelector)) {
		fmt.Fprintf(s.out, "  node selector %s=%s\n", key, pod.Spec.NodeSelector[key])
	}
	for _, t := range pod.Spec.Tolerations {
		if !strings.HasPrefix(t.Key, "node.kubernetes.io/") { // which the API server adds to every pod
			fmt.Fprintf(s.out, "  toleration %s\n", t.Key)
		}
	}
}

// explain makes an answer, or a sentence, of an error of the API server.
func (o *checkOptions) explain(s streams, namespace string, err error) error {
	var status *apierrors.StatusError
	if !errors.As(err, &status) {
		return inputErrorf("see --kubeconfig and --context", "the cluster does not answer: %v", err)
	}
	message := strings.TrimSpace(status.ErrStatus.Message)
	ours := strings.Contains(message, webhookSuffix)
	switch {
	case ours && strings.Contains(message, "denied the request"):
		fmt.Fprintf(s.out, "refused in namespace %q: %s\n", namespace, message)
		s.say("hint", "`quartermaster explain --from-cluster` tells why")
		return errNegative
	case ours && strings.Contains(message, "failed calling webhook"):
		fmt.Fprintf(s.out, "not answered: %s\n", message)
		s.say("hint", "no job of this namespace can start: see whether the server's pods are ready, and their certificate trusted")
		return errNegative
	case strings.Contains(message, "cannot create resource"), strings.Contains(message, "cannot impersonate"):
		return inputErrorf("ask for the right to create pods there, or to impersonate with --as", "the API server refuses: %s", message)
	case apierrors.IsNotFound(err):
		return inputErrorf("see --namespace, --kubeconfig and --context", "%s", message)
	default:
		return inputErrorf("it is no word of Quartermaster's: a quota, Pod Security or another webhook may refuse what check asks for, and not a runner's pods",
			"the API server refuses the pod: %s", message)
	}
}

// webhookSuffix ends the names of our webhooks for pods, as errors quote them.
const webhookSuffix = `.pods.quartermaster.dev"`

// warnings collects what the API server, or a webhook, warns of.
type warnings struct {
	mu    sync.Mutex
	heard []string
}

var _ rest.WarningHandler = &warnings{}

// HandleWarningHeader implements [rest.WarningHandler].
func (w *warnings) HandleWarningHeader(code int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if code == 299 && !slices.Contains(w.heard, text) {
		w.heard = append(w.heard, text)
	}
}

func (w *warnings) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.heard
}
