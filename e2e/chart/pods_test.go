package chart_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
)

// placement says where pods run, so that a node reserved for them can be used.
var placement = map[string]any{
	"imagePullSecrets": []any{map[string]any{"name": "registry"}},
	"nodeSelector":     map[string]any{"pool": "ops"},
	"tolerations":      []any{map[string]any{"key": "ops", "operator": "Exists"}},
}

// podTemplate is what a Deployment or a Job makes its pods from, nil for other objects.
func podTemplate(t *testing.T, object *unstructured.Unstructured) *corev1.PodTemplateSpec {
	t.Helper()
	fields, found, err := unstructured.NestedMap(object.Object, "spec", "template")
	if err != nil {
		t.Fatal(err)
	}
	if !found {
		return nil
	}
	template := &corev1.PodTemplateSpec{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(fields, template, true); err != nil {
		t.Fatal(err)
	}
	return template
}

// TestEveryPodIsHardened looks at each pod of the release, its hooks' included.
func TestEveryPodIsHardened(t *testing.T) {
	t.Parallel()
	for _, c := range everything(t, placement) {
		var pods []string
		for _, object := range c.all() {
			template := podTemplate(t, object)
			if template == nil {
				continue
			}
			pods = append(pods, object.GetName())
			if diff := cmp.Diff(hardened(), podSettings(&template.Spec)); diff != "" {
				t.Errorf("%s: pods of %s (-want +got):\n%s", c.name, object.GetName(), diff)
			}
			for _, container := range template.Spec.Containers {
				resources := container.Resources
				if resources.Requests.Cpu().IsZero() || resources.Requests.Memory().IsZero() || resources.Limits.Memory().IsZero() {
					t.Errorf("%s: container %s of %s lacks a request or a limit of memory", c.name, container.Name, object.GetName())
				}
			}
		}
		want := []string{fullName, fullName + "-lint", fullName + "-test", fullName + "-uninstall"}
		if c.mode == "builtin" {
			want = append(want, fullName+"-certs")
		}
		slices.Sort(pods)
		slices.Sort(want)
		if diff := cmp.Diff(want, pods); diff != "" {
			t.Errorf("%s: pods (-want +got):\n%s", c.name, diff)
		}
	}
}

// settings are those of a pod that keep it within its bounds, and where it is put.
type settings struct {
	Pod          *corev1.PodSecurityContext
	Containers   []*corev1.SecurityContext
	HostAccess   bool
	Pull         []corev1.LocalObjectReference
	NodeSelector map[string]string
	Tolerations  []corev1.Toleration
}

func podSettings(spec *corev1.PodSpec) settings {
	s := settings{
		Pod: spec.SecurityContext, HostAccess: spec.HostNetwork || spec.HostPID || spec.HostIPC,
		Pull: spec.ImagePullSecrets, NodeSelector: spec.NodeSelector, Tolerations: spec.Tolerations,
	}
	for _, container := range slices.Concat(spec.InitContainers, spec.Containers) {
		s.Containers = append(s.Containers, container.SecurityContext)
	}
	for _, volume := range spec.Volumes {
		s.HostAccess = s.HostAccess || volume.HostPath != nil
	}
	return s
}

// hardened is what every pod of one container must say.
func hardened() settings {
	yes, no, nonroot := true, false, int64(65532)
	return settings{
		Pod: &corev1.PodSecurityContext{
			RunAsNonRoot: &yes, RunAsUser: &nonroot, RunAsGroup: &nonroot, FSGroup: &nonroot,
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []*corev1.SecurityContext{{
			AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		}},
		Pull:         []corev1.LocalObjectReference{{Name: "registry"}},
		NodeSelector: map[string]string{"pool": "ops"},
		Tolerations:  []corev1.Toleration{{Key: "ops", Operator: corev1.TolerationOpExists}},
	}
}

// TestTheServiceFindsTheServerAlone: a review that went to another pod of the release would fail, and a job with it.
func TestTheServiceFindsTheServerAlone(t *testing.T) {
	t.Parallel()
	for _, c := range everything(t) {
		for _, object := range c.all() {
			template := podTemplate(t, object)
			if template == nil {
				continue
			}
			isServer := object.GetName() == fullName
			for _, selecting := range slices.Concat(c.of("Service"), c.of("PodDisruptionBudget")) {
				selects := selectorOf(t, selecting).Matches(labels.Set(template.Labels))
				want := isServer
				if selecting.GetName() == fullName+"-certs" {
					want = object.GetName() == fullName+"-certs"
				}
				if selects != want {
					t.Errorf("%s: %s %s selects pods of %s: %t, want %t", c.name, selecting.GetKind(), selecting.GetName(), object.GetName(), selects, want)
				}
			}
		}
	}
}

// TestEveryPodHasANetworkPolicy: one that had none would be cut off where everything else is forbidden.
func TestEveryPodHasANetworkPolicy(t *testing.T) {
	t.Parallel()
	for _, c := range everything(t) {
		for _, object := range c.all() {
			template := podTemplate(t, object)
			if template == nil {
				continue
			}
			policies := 0
			for _, policy := range c.of("NetworkPolicy") {
				if selectorOf(t, policy).Matches(labels.Set(template.Labels)) {
					policies++
				}
			}
			if policies != 1 {
				t.Errorf("%s: %d network policies select the pods of %s, want 1", c.name, policies, object.GetName())
			}
		}
	}
}

// TestTheServerMountsThePairAlone: an authority's key that may lie beside it is not its business.
func TestTheServerMountsThePairAlone(t *testing.T) {
	t.Parallel()
	secrets := map[string]string{"builtin": fullName + "-tls", "cert-manager": fullName + "-cert-manager-tls", "provided": "own-certificate"}
	mode := int32(0o440)
	for _, c := range everything(t) {
		for _, object := range c.of("Deployment") {
			if object.GetName() != fullName {
				continue
			}
			want := []corev1.Volume{{Name: "tls", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
				SecretName:  secrets[c.mode],
				Items:       []corev1.KeyToPath{{Key: "tls.crt", Path: "tls.crt"}, {Key: "tls.key", Path: "tls.key"}},
				DefaultMode: &mode,
			}}}}
			if diff := cmp.Diff(want, podTemplate(t, object).Spec.Volumes); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.name, diff)
			}
		}
	}
}
