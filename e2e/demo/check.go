package main

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// poolKey is the label of the nodes between which policy and jobs choose.
const poolKey = "k8s.scaleway.com/pool-name"

// checkEquipped checks the stored pod against the policy of the example, and the changes for being additions.
func (s *stage) checkEquipped(object *unstructured.Unstructured, changes string) error {
	var pod corev1.Pod
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &pod); err != nil {
		return err
	}
	for _, want := range []struct{ secret, path, key string }{
		{"dev-api-key", "/root/.config/scw", "config.yaml"},
		{"dev-kapsule-config", "/root/.kube", "config"},
	} {
		volume := secretVolume(&pod, want.secret)
		s.check(volume != nil && volume.Secret.DefaultMode != nil && *volume.Secret.DefaultMode == 0o600 && holds(volume, want.key),
			"Secret %s is a volume of the pod, its file %s with mode 0600", want.secret, want.key)
		if volume == nil {
			continue
		}
		s.check(cmp.Equal(mounts(&pod, volume.Name), map[string][]corev1.VolumeMount{
			"build": {{Name: volume.Name, MountPath: want.path, ReadOnly: true}},
		}), "it is mounted read-only at %s in build, and in no other container or init container", want.path)
	}
	var env []corev1.EnvVar
	for _, container := range pod.Spec.Containers {
		if container.Name == "build" {
			env = container.Env
		}
	}
	for _, want := range []corev1.EnvVar{
		{Name: "SCW_CONFIG_PATH", Value: "/root/.config/scw/config.yaml"},
		{Name: "SCW_DISABLE_CHECK_VERSION", Value: "true"},
		{Name: "KUBECONFIG", Value: "/root/.kube/config"},
		{Name: "KUBECACHEDIR", Value: "/tmp/.kube/cache"},
	} {
		s.check(slices.Contains(env, want), "build has %s=%s", want.Name, want.Value)
	}
	s.check(cmp.Equal(pod.Spec.NodeSelector, map[string]string{poolKey: "dev"}), "it runs on nodes of the pool dev alone")
	s.check(slices.Contains(pod.Spec.Tolerations, corev1.Toleration{
		Key: "gitlab-runner-jobs-dev-reserved", Operator: corev1.TolerationOpEqual, Value: "true", Effect: corev1.TaintEffectNoSchedule,
	}), "it tolerates the taint of nodes that are reserved for such jobs")
	s.check(strings.HasPrefix(pod.Annotations["quartermaster.dev/applied"], "dev/runner-jobs@"),
		"an annotation names the policy that was applied")
	s.check(onlyAdds(changes), "nothing that the runner had set was changed, moved or removed")
	return nil
}

// checkRefusal checks that a refusal tells its reader what contradicts what.
func (s *stage) checkRefusal(err error) {
	message := err.Error()
	s.check(strings.HasPrefix(message, `admission webhook "job.pods.quartermaster.dev" denied the request: `),
		"Quartermaster refused it, and nothing else did")
	var status apierrors.APIStatus
	s.check(errors.As(err, &status) && status.Status().Code == http.StatusForbidden, "it did so with code 403")
	for _, part := range []string{"dev/runner-jobs", poolKey, `"prod"`, `"dev"`} {
		s.check(strings.Contains(message, part), "the refusal names %s", part)
	}
}

func secretVolume(pod *corev1.Pod, secret string) *corev1.Volume {
	for i, volume := range pod.Spec.Volumes {
		if volume.Secret != nil && volume.Secret.SecretName == secret {
			return &pod.Spec.Volumes[i]
		}
	}
	return nil
}

// holds reports whether a Secret volume has the key as a file of that name.
func holds(volume *corev1.Volume, key string) bool {
	items := volume.Secret.Items
	return len(items) == 0 || slices.Contains(items, corev1.KeyToPath{Key: key, Path: key})
}

// mounts returns the mounts of a volume by the name of the container or init container that has them.
func mounts(pod *corev1.Pod, volume string) map[string][]corev1.VolumeMount {
	found := map[string][]corev1.VolumeMount{}
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		for _, mount := range container.VolumeMounts {
			if mount.Name == volume {
				found[container.Name] = append(found[container.Name], mount)
			}
		}
	}
	return found
}
