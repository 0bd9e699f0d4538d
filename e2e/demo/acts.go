package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"quartermaster.dev/e2e/cluster"
	"quartermaster.dev/e2e/internal/build"
	"quartermaster.dev/e2e/release"
)

// The scenario's files, from the top of the repository.
const (
	examples  = "manifests/examples/dev"
	policy    = "4-policy.yaml"
	recording = "policy/testdata/the-demo-job-is-handed-both-secrets-and-its-place/review.json"
)

// play sets the scenario up and plays its three acts.
func play(ctx context.Context, s *stage, plane *cluster.Cluster, installed *release.Release) error {
	root, err := build.Root()
	if err != nil {
		return err
	}
	s.title("Namespace dev: accounts, credentials, and the policy")
	if err := setUp(ctx, s, plane, filepath.Join(root, examples)); err != nil {
		return err
	}
	if err := installed.Settle(ctx); err != nil {
		return err
	}
	recorded, err := recordedPod(filepath.Join(root, recording))
	if err != nil {
		return err
	}
	config, err := plane.ServiceAccount(ctx, "dev", "gitlab-runner")
	if err != nil {
		return err
	}
	runner, err := client.New(config, client.Options{Mapper: plane.Client.RESTMapper()})
	if err != nil {
		return err
	}
	for _, act := range []func(context.Context, *stage, client.Client, *unstructured.Unstructured) error{equipped, refused, untouched} {
		if err := act(ctx, s, runner, recorded.DeepCopy()); err != nil {
			return err
		}
	}
	return nil
}

// setUp applies the example's files in the order of their names and shows the policy.
func setUp(ctx context.Context, s *stage, plane *cluster.Cluster, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("there are no YAML files in %q", dir)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		objects, err := cluster.Decode(text)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := plane.Apply(ctx, objects...); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		s.say("applied %s", filepath.Join(examples, filepath.Base(file)))
		if filepath.Base(file) == policy {
			s.show(string(text))
		}
	}
	return nil
}

// recordedPod is the pod of a recorded review, as the runner's request had become when the API server asked webhooks.
func recordedPod(file string) (*unstructured.Unstructured, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(text, &review); err != nil || review.Request == nil {
		return nil, fmt.Errorf("%q is no recorded AdmissionReview: %w", file, err)
	}
	pod := &unstructured.Unstructured{}
	if err := pod.UnmarshalJSON(review.Request.Object.Raw); err != nil {
		return nil, fmt.Errorf("%q holds no pod: %w", file, err)
	}
	return plain(pod), nil
}

// equipped: the pod of a real runner is handed what the policy says.
func equipped(ctx context.Context, s *stage, runner client.Client, pod *unstructured.Unstructured) error {
	s.title("A GitLab job pod, created by the service account gitlab-runner")
	s.say("GitLab Runner 18.6 made it for a real job; this is what became of it:")
	stored := pod.DeepCopy()
	if err := runner.Create(ctx, stored); err != nil {
		return err
	}
	changes, err := difference(pod, stored)
	if err != nil {
		return err
	}
	s.diff(changes)
	return s.checkEquipped(stored, changes)
}

// refused: a job that asks for another node than the policy is told so where its author looks, in the job log.
func refused(ctx context.Context, s *stage, runner client.Client, pod *unstructured.Unstructured) error {
	s.title("A job that asks for another pool than the policy, prod")
	pod.SetName("runner-k8sdevrun-project-77-concurrent-0-contrary")
	if err := unstructured.SetNestedStringMap(pod.Object, map[string]string{poolKey: "prod"}, "spec", "nodeSelector"); err != nil {
		return err
	}
	err := runner.Create(ctx, pod.DeepCopy())
	if err == nil {
		s.check(false, "the pod is refused")
		return nil
	}
	if !apierrors.IsForbidden(err) {
		return err // the webhook could not be asked, which is not what is shown here
	}
	s.say("The job log says:")
	// This is how GitLab Runner words it around the API server's error.
	s.problem(fmt.Sprintf("ERROR: Job failed (system failure): prepare environment: setting up build pod: %v. "+
		"Check https://docs.gitlab.com/runner/shells/#shell-profile-loading for more information", err))
	s.checkRefusal(err)
	gone := runner.Get(ctx, client.ObjectKeyFromObject(pod), &corev1.Pod{})
	s.check(apierrors.IsNotFound(gone), "no pod was created")
	return nil
}

// untouched: the very same pod, but for the labels that make it a GitLab job.
func untouched(ctx context.Context, s *stage, runner client.Client, pod *unstructured.Unstructured) error {
	s.title("The same pod without GitLab's labels: no GitLab job")
	pod.SetName("no-gitlab-job")
	pod.SetLabels(map[string]string{"app": "shop"})
	stored := pod.DeepCopy()
	if err := runner.Create(ctx, stored); err != nil {
		return err
	}
	changes, err := difference(pod, stored)
	if err != nil {
		return err
	}
	s.diff(changes)
	s.check(changes == "", "it was stored exactly as it was sent")
	return nil
}
