package policy

import "slices"

// Kind is what kind of pod a request is about. It decides what the pod may be
// handed, whatever the policies say.
type Kind string

// The kinds of pod. A pod can be of several at once, and what each forbids is
// forbidden; the first that holds, in this order, gives its name.
const (
	// OtherPod is no pod of GitLab Runner's: it is left alone.
	OtherPod Kind = "other"
	// PausePod reserves idle capacity: it is scheduled as jobs are, and handed nothing.
	PausePod Kind = "pause"
	// BootVerifyPod is the manager's trial at its start: it is scheduled as
	// jobs are, handed nothing and never refused.
	BootVerifyPod Kind = "boot-verify"
	// NoBuildPod has the job label and no container build: it is left alone.
	NoBuildPod Kind = "no-build"
	// DuplicateBuildPod has two containers build, one of them a service's alias.
	DuplicateBuildPod Kind = "duplicate-build"
	// OwnAccountPod runs as the account that created it.
	OwnAccountPod Kind = "own-account"
	// SharedProcessesPod lets its containers see each other's processes and so files.
	SharedProcessesPod Kind = "shared-processes"
	// SuspendPod keeps its file system on a persistent volume.
	SuspendPod Kind = "suspend"
	// WindowsPod runs on Windows.
	WindowsPod Kind = "windows"
	// StepsPod runs GitLab steps: it has no helper container.
	StepsPod Kind = "steps"
	// JobPod is a job pod without any of these.
	JobPod Kind = "job"
)

const (
	containerBuild  = "build"
	containerHelper = "helper"

	labelOS = "kubernetes.io/os"
	windows = "windows"
)

// neverRefused tells whether the pod is admitted whatever is wrong: the runner
// could not start, or not keep its capacity, without it.
func (k Kind) neverRefused() bool { return k == BootVerifyPod || k == PausePod }

// withholds tells whether the pod is scheduled and handed nothing else.
func (k Kind) withholds() bool { return k.neverRefused() }

// obstacle is a shape of pod that must not be handed all that a policy says.
type obstacle struct {
	kind Kind
	told func(req *Request) bool
	// refuses tells whether a policy asks for what the shape rules out.
	refuses func(c *compiled) bool
	// why and hint are the refusal.
	why  func(req *Request) string
	hint string
}

// says is a reason that is the same for every pod.
func says(why string) func(*Request) string { return func(*Request) string { return why } }

// obstacles in the order in which they name a pod's kind. Sources: GitLab
// Runner 19.4, executors/kubernetes/{kubernetes,suspend,steps_pod}.go.
var obstacles = []obstacle{{
	kind:    DuplicateBuildPod,
	told:    func(req *Request) bool { return len(req.Pod.containers(containerBuild)) > 1 },
	refuses: (*compiled).handsCredentials,
	why:     says("two containers are named build, and one of them is a service whose image could read the credential"),
	hint:    "give the service in .gitlab-ci.yml another alias",
}, {
	kind: OwnAccountPod,
	told: func(req *Request) bool {
		account := req.Pod.Spec.ServiceAccountName
		if account == "" {
			account = "default" // as the API server fills in
		}
		return req.User == serviceAccountUser(req.Namespace, account)
	},
	refuses: (*compiled).handsCredentials,
	why: func(req *Request) string {
		return "the job runs as " + req.User + ", which creates job pods, so it could create pods in the runner's name"
	},
	hint: "set service_account in the runner's configuration to an account of its own for jobs, and leave service_account_overwrite_allowed unset",
}, {
	kind:    SharedProcessesPod,
	told:    func(req *Request) bool { return req.Pod.Spec.ShareProcessNamespace || req.Pod.Spec.HostPID },
	refuses: (*compiled).handsCredentials,
	why:     says("the pod's containers share their processes (shareProcessNamespace or hostPID), so every service could read the files of build"),
	hint:    "take shareProcessNamespace and hostPID out of the runner's configuration",
}, {
	kind:    SuspendPod,
	told:    isSuspend,
	refuses: (*compiled).handsCredentials,
	why:     says("the job can be suspended, so the credential's files would stay on its persistent volume"),
	hint:    "set FF_SUSPENDABLE_ENVIRONMENTS to false in the runner's configuration",
}, {
	kind:    WindowsPod,
	told:    isWindows,
	refuses: (*compiled).handsPreset,
	why:     says("the pod runs on Windows, and presets know the paths of Linux only"),
	hint:    "spell the Secret out with mountPath in a policy of its own for Windows runners",
}, {
	kind:    StepsPod,
	told:    isSteps,
	refuses: func(c *compiled) bool { return c.namesContainer(containerHelper) },
	why:     says("a job that runs steps has no helper container of the runner's, so a service could pose as helper"),
	hint:    "take helper out of the policy's containers, or set FF_CONCRETE to false in the runner's configuration",
}}

// kindOf names the pod's kind and the obstacles that hold.
func kindOf(req *Request) (Kind, []*obstacle) {
	jobLabel := req.JobLabel
	if jobLabel == "" {
		jobLabel = DefaultJobLabel
	}
	labels := req.Pod.Metadata.Labels
	switch _, isJob := labels[jobLabel]; {
	case !isJob && hasLabel(labels, labelPausePod):
		return PausePod, nil
	case !isJob:
		return OtherPod, nil
	case labels[labelProjectID] == "0":
		return BootVerifyPod, nil
	case len(req.Pod.containers(containerBuild)) == 0:
		return NoBuildPod, nil
	}
	kind := JobPod
	var hold []*obstacle
	for i := range obstacles {
		if obstacles[i].told(req) {
			if kind == JobPod {
				kind = obstacles[i].kind
			}
			hold = append(hold, &obstacles[i])
		}
	}
	return kind, hold
}

func hasLabel(labels map[string]string, key string) bool {
	_, ok := labels[key]
	return ok
}

func isSuspend(req *Request) bool {
	if req.Pod.volume("gl-runner-suspend-pvc") != nil {
		return true
	}
	for _, i := range req.Pod.containers(containerBuild) {
		if req.Pod.Spec.Containers[i].Env.has("CI_SUSPEND_REBIND_PATHS") {
			return true
		}
	}
	return false
}

func isWindows(req *Request) bool {
	return req.Pod.Spec.OS.Name == windows || req.Pod.Spec.NodeSelector[labelOS] == windows
}

func isSteps(req *Request) bool {
	return slices.ContainsFunc(req.Pod.Spec.InitContainers, func(c Container) bool { return c.Name == "init-steps-bootstrap" })
}
