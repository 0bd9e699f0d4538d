package policy

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Request is a pod that is about to be created.
type Request struct {
	// Namespace the pod is created in.
	Namespace string
	// User is who creates it, as the API server authenticated it
	// ("system:serviceaccount:dev:gitlab-runner"), or empty where that is unknown.
	User string
	// Groups of that user.
	Groups []string
	// JobLabel marks job pods; empty means [DefaultJobLabel].
	JobLabel string
	// Pod as it came. It is not modified.
	Pod *Pod
}

// Pod is the part of a core/v1 Pod that a decision reads. Field names are
// those of the Kubernetes API. A nil slice or map stands for a field that is
// absent or null.
type Pod struct {
	Metadata Metadata `json:"metadata"`
	Spec     PodSpec  `json:"spec"`
}

// Metadata is the part of a pod's metadata that a decision reads.
type Metadata struct {
	Name        string            `json:"name,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// PodSpec is the part of a pod's spec that a decision reads.
type PodSpec struct {
	InitContainers        []Container         `json:"initContainers,omitempty"`
	Containers            []Container         `json:"containers,omitempty"`
	Volumes               []Volume            `json:"volumes,omitempty"`
	NodeSelector          map[string]string   `json:"nodeSelector,omitempty"`
	Tolerations           []corev1.Toleration `json:"tolerations,omitempty"`
	ServiceAccountName    string              `json:"serviceAccountName,omitempty"`
	HostPID               bool                `json:"hostPID,omitempty"`
	ShareProcessNamespace bool                `json:"shareProcessNamespace,omitempty"`
	SecurityContext       PodSecurity         `json:"securityContext"`
	Resources             ContainerResources  `json:"resources"`
	OS                    PodOS               `json:"os"`
}

// PodSecurity is the part of a pod's security context that decides who can read a file.
type PodSecurity struct {
	RunAsUser          *int64  `json:"runAsUser,omitempty"`
	RunAsGroup         *int64  `json:"runAsGroup,omitempty"`
	RunAsNonRoot       *bool   `json:"runAsNonRoot,omitempty"`
	FSGroup            *int64  `json:"fsGroup,omitempty"`
	SupplementalGroups []int64 `json:"supplementalGroups,omitempty"`
}

// PodOS is a pod's operating system.
type PodOS struct {
	Name string `json:"name,omitempty"`
}

// Container is the part of a container that a decision reads.
type Container struct {
	Name            string              `json:"name"`
	Env             Env                 `json:"env,omitempty"`
	VolumeMounts    []VolumeMount       `json:"volumeMounts,omitempty"`
	Resources       *ContainerResources `json:"resources,omitempty"`
	SecurityContext ContainerSecurity   `json:"securityContext"`
}

// ResourceList is quantities by the name of the resource.
type ResourceList map[string]resource.Quantity

// ContainerResources are the requests and limits of a container or pod.
type ContainerResources struct {
	Requests ResourceList `json:"requests,omitempty"`
	Limits   ResourceList `json:"limits,omitempty"`
}

// ContainerSecurity is the part of a container's security context that decides who can read a file.
type ContainerSecurity struct {
	RunAsUser    *int64 `json:"runAsUser,omitempty"`
	RunAsGroup   *int64 `json:"runAsGroup,omitempty"`
	RunAsNonRoot *bool  `json:"runAsNonRoot,omitempty"`
}

// VolumeMount is the part of a mount that a decision reads.
type VolumeMount struct {
	Name      string `json:"name"`
	MountPath string `json:"mountPath"`
	SubPath   string `json:"subPath,omitempty"`
	ReadOnly  bool   `json:"readOnly,omitempty"`
}

// Volume is the part of a volume that a decision reads.
type Volume struct {
	Name        string        `json:"name"`
	Secret      *SecretVolume `json:"secret,omitempty"`
	ConfigMap   *struct{}     `json:"configMap,omitempty"`
	DownwardAPI *struct{}     `json:"downwardAPI,omitempty"`
	Projected   *struct{}     `json:"projected,omitempty"`
}

// SecretVolume is the source of a Secret volume.
type SecretVolume struct {
	SecretName  string      `json:"secretName,omitempty"`
	Items       []KeyToPath `json:"items,omitempty"`
	DefaultMode *int32      `json:"defaultMode,omitempty"`
	Optional    *bool       `json:"optional,omitempty"`
}

// readOnlyTree tells whether the kubelet makes the volume's files and nothing
// can be mounted below it.
func (v *Volume) readOnlyTree() bool {
	return v.Secret != nil || v.ConfigMap != nil || v.DownwardAPI != nil || v.Projected != nil
}

// volume is the pod's volume of that name, or nil.
func (p *Pod) volume(name string) *Volume {
	for i := range p.Spec.Volumes {
		if p.Spec.Volumes[i].Name == name {
			return &p.Spec.Volumes[i]
		}
	}
	return nil
}

// containers are the indices of the containers of that name.
func (p *Pod) containers(name string) []int {
	var indices []int
	for i := range p.Spec.Containers {
		if p.Spec.Containers[i].Name == name {
			indices = append(indices, i)
		}
	}
	return indices
}

// runsAsNonRoot tells whether the pod says that the container's user is not
// root, and in which group it is if the pod says that too. A pod that says
// nothing runs as the image says; that is root for most, and taken for root.
func (p *Pod) runsAsNonRoot(c *Container) (nonRoot bool, group *int64) {
	user := first(c.SecurityContext.RunAsUser, p.Spec.SecurityContext.RunAsUser)
	group = first(c.SecurityContext.RunAsGroup, p.Spec.SecurityContext.RunAsGroup)
	if user != nil {
		return *user != 0, group
	}
	must := first(c.SecurityContext.RunAsNonRoot, p.Spec.SecurityContext.RunAsNonRoot)
	return must != nil && *must, group
}

func first[T any](values ...*T) *T {
	for _, v := range values {
		if v != nil {
			return v
		}
	}
	return nil
}
