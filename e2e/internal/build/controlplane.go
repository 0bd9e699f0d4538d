package build

import (
	"context"
	"fmt"
	"io"
	"strings"
)

// kubernetes is the module of every Kubernetes program.
const kubernetes = "k8s.io/kubernetes"

// The binaries of a control plane have the names that envtest gives them.
var controlPlane = toolset{
	name:   "the control plane",
	module: "controlplane",
	folder: "controlplane",
	what:   "kube-apiserver %s and etcd %s",
	cost:   "5 to 10 minutes",
	pins:   []string{kubernetes, "go.etcd.io/etcd/server/v3"},
	programs: []program{
		{name: "etcd", pkg: "go.etcd.io/etcd/server", version: "v3"},
		{name: "kube-apiserver", pkg: kubernetes + "/cmd/kube-apiserver"},
	},
	versionFlags: kubernetesVersion,
}

// The rest of Kubernetes is pinned by the same go.mod, and is built apart: most tests need an API server and nothing else.
var node = toolset{
	name:   "the node",
	module: "controlplane",
	folder: "node",
	what:   "the rest of Kubernetes %s",
	cost:   "2 to 4 minutes",
	pins:   []string{kubernetes},
	programs: []program{
		{name: "kube-controller-manager", pkg: kubernetes + "/cmd/kube-controller-manager"},
		{name: "kube-proxy", pkg: kubernetes + "/cmd/kube-proxy"},
		{name: "kube-scheduler", pkg: kubernetes + "/cmd/kube-scheduler"},
		{name: "kubectl", pkg: kubernetes + "/cmd/kubectl"},
		{name: "kubelet", pkg: kubernetes + "/cmd/kubelet"},
	},
	versionFlags: kubernetesVersion,
}

// ControlPlane returns the folder that holds etcd and kube-apiserver in the versions that e2e/controlplane/go.mod
// pins: bin/controlplane. It builds them when they are missing or were built from another go.mod, which takes minutes
// the first time and is told on out; otherwise it returns at once.
func ControlPlane(ctx context.Context, out io.Writer) (string, error) {
	return controlPlane.build(ctx, out)
}

// CheckAssets returns an error that names what dir lacks to be a folder of control plane binaries.
func CheckAssets(dir string) error { return controlPlane.check(dir) }

// Node returns the folder that holds kube-controller-manager, kube-proxy, kube-scheduler, kubectl and kubelet in the
// version that e2e/controlplane/go.mod pins: bin/node. It builds them as ControlPlane does.
func Node(ctx context.Context, out io.Writer) (string, error) { return node.build(ctx, out) }

// kubernetesVersion gives a Kubernetes program the version that it reports, which is otherwise taken from the files of
// a release.
func kubernetesVersion(version string) string {
	const at = "k8s.io/component-base/version."
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	return fmt.Sprintf("-X %[1]sgitVersion=%[2]s -X %[1]sgitMajor=%[3]s -X %[1]sgitMinor=%[4]s", at, version, parts[0], parts[1])
}
