package policy

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// APIVersion is the apiVersion of every document.
	APIVersion = "quartermaster.dev/v1alpha1"
	// KindJobPolicy is the kind of a [JobPolicy].
	KindJobPolicy = "JobPolicy"
	// KindGuardrail is the kind of a [Guardrail].
	KindGuardrail = "Guardrail"
	// LabelPolicy marks, with the value "true", the ConfigMaps that hold documents.
	LabelPolicy = "quartermaster.dev/policy"
	// AnnotationApplied is the stamp on an equipped pod: the ConfigMaps whose
	// policies applied, each as namespace/name@hash of its data, joined by commas.
	// It is evidence for people and never an input to a decision.
	AnnotationApplied = "quartermaster.dev/applied"
)

// JobPolicy says which GitLab job pods it is for and what those are handed.
// It is one YAML document in a ConfigMap labelled [LabelPolicy].
type JobPolicy struct {
	// APIVersion is [APIVersion].
	APIVersion string `json:"apiVersion"`
	// Kind is [KindJobPolicy].
	Kind string `json:"kind"`
	// Name tells documents of one ConfigMap apart in messages.
	Name string `json:"name,omitempty"`
	// Mode is [ModeEnforce], the default, or [ModeAudit].
	Mode string `json:"mode,omitempty"`
	// Match says which pods the policy is for. It must be there; `match: {}` is
	// every job pod of the namespace.
	Match *Match `json:"match"`
	// Inject says what such a pod is handed.
	Inject *Inject `json:"inject"`
}

const (
	// ModeEnforce applies the policy.
	ModeEnforce = "Enforce"
	// ModeAudit decides and records what the policy would do, and does nothing.
	ModeAudit = "Audit"
)

// Match holds the conditions of a policy. All that are given must hold, and
// each holds when one of its values does.
type Match struct {
	// ProjectIDs are GitLab project IDs, from the label
	// project.runner.gitlab.com/id that GitLab Runner sets from 17.9 on.
	ProjectIDs []int64 `json:"projectIDs,omitempty"`
	// RootNamespaceIDs are IDs of GitLab top-level groups or personal
	// namespaces, from the label project.runner.gitlab.com/root-namespace-id
	// that GitLab Runner sets from 19.0 on.
	RootNamespaceIDs []int64 `json:"rootNamespaceIDs,omitempty"`
	// RunnerNames are the runners' configured names, from the label
	// manager.runner.gitlab.com/name (GitLab Runner 17.9 and later).
	RunnerNames []string `json:"runnerNames,omitempty"`
	// CreatedBy are the accounts that may have created the pod, as the API
	// server authenticated them.
	CreatedBy []Subject `json:"createdBy,omitempty"`
	// PodSelector narrows by the pod's labels. It is never enough for a
	// credential: job authors can influence most labels.
	PodSelector *metav1.LabelSelector `json:"podSelector,omitempty"`
	// Namespaces that a policy of the system namespace is for: names, or globs
	// with * and ?. Such a policy must name some, and no other policy may.
	Namespaces []string `json:"namespaces,omitempty"`
}

// Subject is an account, shaped like the subject of an RBAC binding.
type Subject struct {
	// Kind is ServiceAccount, User or Group.
	Kind string `json:"kind"`
	// APIGroup is empty, or rbac.authorization.k8s.io for a User or Group.
	APIGroup string `json:"apiGroup,omitempty"`
	// Name of the account.
	Name string `json:"name"`
	// Namespace of a ServiceAccount; without it, the pod's own.
	Namespace string `json:"namespace,omitempty"`
}

// Inject is what a policy hands out.
type Inject struct {
	// Secrets are Secrets of the pod's namespace, as files.
	Secrets []SecretMount `json:"secrets,omitempty"`
	// Env are variables of the container build.
	Env []EnvVar `json:"env,omitempty"`
	// NodeSelector is added to the pod's.
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	// Tolerations are added to the pod's.
	Tolerations []corev1.Toleration `json:"tolerations,omitempty"`
	// Resources are filled in where neither the runner nor a LimitRange set any.
	Resources *Resources `json:"resources,omitempty"`
}

// EnvVar is an environment variable: a Value, or a key of a Secret.
type EnvVar struct {
	// Name of the variable.
	Name string `json:"name"`
	// Value in plain text.
	Value *string `json:"value,omitempty"`
	// ValueFrom takes the value from a Secret of the pod's namespace.
	ValueFrom *EnvVarSource `json:"valueFrom,omitempty"`
}

// EnvVarSource is where a variable's value comes from.
type EnvVarSource struct {
	// SecretKeyRef names the Secret and its key.
	SecretKeyRef *SecretKeySelector `json:"secretKeyRef"`
}

// SecretKeySelector is one key of a Secret.
type SecretKeySelector struct {
	// Name of the Secret, in the pod's own namespace.
	Name string `json:"name"`
	// Key of the Secret.
	Key string `json:"key"`
	// Optional lets the job start without the Secret or the key.
	Optional *bool `json:"optional,omitempty"`
}

// Resources are requests and limits by container.
type Resources struct {
	// Build is the container that runs the job's script.
	Build *ResourceRequirements `json:"build,omitempty"`
	// Helper is the runner's own container.
	Helper *ResourceRequirements `json:"helper,omitempty"`
	// Services are all other containers.
	Services *ResourceRequirements `json:"services,omitempty"`
}

// ResourceRequirements are the requests and limits of one container, by the
// name of the resource (cpu, memory, ephemeral-storage, …).
type ResourceRequirements struct {
	// Requests are what the scheduler reserves.
	Requests map[string]resource.Quantity `json:"requests,omitempty"`
	// Limits are what the container cannot exceed.
	Limits map[string]resource.Quantity `json:"limits,omitempty"`
}

// SecretMount hands out one Secret: by Preset, or spelled out with MountPath.
type SecretMount struct {
	// Name of the Secret, in the pod's own namespace.
	Name string `json:"name"`
	// Preset is one of the names in [Presets]: well-known keys at well-known
	// paths, with the environment variables that name them.
	Preset string `json:"preset,omitempty"`
	// Home is the directory below which a preset puts its files; /root, or
	// /run/quartermaster/<preset> where the pod says that build is not root.
	Home string `json:"home,omitempty"`
	// Key is the key of the Secret that holds the ssh preset's private key.
	Key string `json:"key,omitempty"`
	// MountPath is the directory (with SubPath: the file) of the Secret in the container.
	MountPath string `json:"mountPath,omitempty"`
	// Items are the keys to show, and the file of each below MountPath; without, all keys.
	Items []KeyToPath `json:"items,omitempty"`
	// SubPath mounts one file of the Secret. It does not follow a rotation.
	SubPath string `json:"subPath,omitempty"`
	// DefaultMode is the mode of the files; without, the narrowest that the
	// containers' users can read.
	DefaultMode *int32 `json:"defaultMode,omitempty"`
	// Optional lets the job start without the Secret or one of its keys.
	Optional *bool `json:"optional,omitempty"`
	// Containers that see the files: build (the default), helper, or both.
	Containers []string `json:"containers,omitempty"`
}

// KeyToPath shows one key of a Secret as a file.
type KeyToPath struct {
	// Key of the Secret.
	Key string `json:"key"`
	// Path of the file, relative to the mount path.
	Path string `json:"path"`
}

// Guardrail bounds what the policies of namespaces may do. It is a document of
// the system namespace; several apply together, and policies of the system
// namespace itself are not bound. A field that is left out bounds nothing, and
// an empty list allows nothing. Everything but MountPaths and Containers may
// hold the globs * and ?.
type Guardrail struct {
	// APIVersion is [APIVersion].
	APIVersion string `json:"apiVersion"`
	// Kind is [KindGuardrail].
	Kind string `json:"kind"`
	// Name tells documents of one ConfigMap apart in messages.
	Name string `json:"name,omitempty"`
	// Namespaces whose policies are bound; without, those of all namespaces.
	Namespaces []string `json:"namespaces,omitempty"`
	// Allow is all that those policies may do.
	Allow *Allow `json:"allow"`
}

// Allow is what a [Guardrail] lets policies do.
type Allow struct {
	// SecretNames that a policy may hand out, as files or variables.
	SecretNames []string `json:"secretNames,omitempty"`
	// MountPaths on and below which a policy may mount.
	MountPaths []string `json:"mountPaths,omitempty"`
	// EnvNames that a policy may set; those that a preset sets come with it.
	EnvNames []string `json:"envNames,omitempty"`
	// Containers that a policy may mount into.
	Containers []string `json:"containers,omitempty"`
	// NodeSelector keys that a policy may use, and the values of each.
	NodeSelector map[string][]string `json:"nodeSelector,omitempty"`
	// TolerationKeys that a policy may tolerate; only "*" allows a toleration
	// of every taint.
	TolerationKeys []string `json:"tolerationKeys,omitempty"`
}
