//go:build e2e

package installed

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"quartermaster.dev/e2e/internal/build"
	"quartermaster.dev/e2e/internal/harness"
)

// What the tests are given, see e2e/up.
var (
	kubeconfig  = flag.String("e2e.kubeconfig", "", "kubeconfig file of an administrator of the cluster")
	kubectlPath = flag.String("e2e.kubectl", "kubectl", "the kubectl binary")
	helmPath    = flag.String("e2e.helm", "helm", "the Helm binary")
	image       = flag.String("e2e.image", "", "reference of Quartermaster's image, as REPOSITORY:TAG")
	jobImage    = flag.String("e2e.job-image", "", "reference of the image that jobs run in: a shell, git, ssh and kubectl")
	sshHost     = flag.String("e2e.ssh-host", "", "address at which pods reach this machine (default: the one it reaches the API server from)")
	// certManagerPath is the program of e2e/certmanager.
	certManagerPath = flag.String("e2e.certmanager", "", "the binary that runs cert-manager's controllers")
)

// What all tests share. It is set before the first of them runs.
var (
	admin       client.Client // an administrator's
	adminConfig *rest.Config
	root        string // the repository's top folder
)

// The node on which jobs run, like one of a Kapsule pool that is reserved for them.
const (
	poolLabel     = "k8s.scaleway.com/pool-name"
	pool          = "dev"
	reservedTaint = "gitlab-runner-jobs-dev-reserved"
)

func TestMain(m *testing.M) { harness.Tests(m, runTests) }

// runTests runs the tests, and takes from the cluster what they have brought, also when ctx ends first.
func runTests(ctx context.Context, tests func() (int, error)) (code int, err error) {
	if root, err = build.Root(); err != nil {
		return 1, err
	}
	if err := connect(ctx); err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "quartermaster-clients-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	// What Helm and kubectl keep at home for whoever runs the tests must neither decide anything here nor change.
	for _, name := range []string{"HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "KUBECACHEDIR"} {
		if err := os.Setenv(name, filepath.Join(dir, name)); err != nil {
			return 1, err
		}
	}
	defer func() { err = errors.Join(err, sweep()) }()
	return tests()
}

// connect makes the administrator's client and looks at whether the cluster is one for these tests.
func connect(ctx context.Context) (err error) {
	if *kubeconfig == "" || *image == "" || *jobImage == "" {
		return errors.New("the flags -e2e.kubeconfig, -e2e.image and -e2e.job-image must be given; `make e2e` does that")
	}
	if strings.LastIndex(*image, ":") < strings.LastIndex(*image, "/") || strings.Contains(*image, "@") {
		return fmt.Errorf("image %q has no tag; give it as REPOSITORY:TAG", *image)
	}
	if adminConfig, err = clientcmd.BuildConfigFromFlags("", *kubeconfig); err != nil {
		return err
	}
	adminConfig.QPS, adminConfig.WarningHandler = -1, rest.NoWarnings{}
	ctrllog.SetLogger(logr.Discard()) // without one, controller-runtime complains
	if admin, err = client.New(adminConfig, client.Options{}); err != nil {
		return err
	}
	if err := checkReleaseNamespace(ctx); err != nil {
		return err
	}
	return checkNodes(ctx)
}

// checkReleaseNamespace returns an error unless the namespace of releases is free: what is in it in the end is deleted.
func checkReleaseNamespace(ctx context.Context) error {
	err := admin.Get(ctx, types.NamespacedName{Name: releaseName}, &corev1.Namespace{})
	if err == nil {
		return fmt.Errorf("the cluster has a namespace %q, which the tests would install the chart into, and delete; take a cluster without", releaseName)
	}
	return client.IgnoreNotFound(err)
}

// checkNodes returns an error unless jobs, and pods that tolerate as much, are all that can run on the cluster's nodes: a
// pod that has not been equipped must find no other place.
func checkNodes(ctx context.Context) error {
	nodes := &corev1.NodeList{}
	if err := admin.List(ctx, nodes); err != nil {
		return err
	}
	reserved := 0
	var commands strings.Builder
	for _, node := range nodes.Items {
		switch {
		case node.Labels[poolLabel] == pool && slices.ContainsFunc(node.Spec.Taints, isReservedTaint):
			reserved++
		case !node.Spec.Unschedulable && !slices.ContainsFunc(node.Spec.Taints, keepsPodsOff):
			fmt.Fprintf(&commands, "\n  kubectl label node %[1]s %s=%s\n  kubectl taint node %[1]s %s=true:NoSchedule", node.Name, poolLabel, pool, reservedTaint)
		}
	}
	switch {
	case commands.Len() > 0:
		return fmt.Errorf("the cluster has nodes that are not reserved for jobs; reserve them for as long as the tests run:%s", &commands)
	case reserved == 0:
		return errors.New("the cluster has no node that pods could run on")
	}
	return nil
}

func isReservedTaint(taint corev1.Taint) bool {
	return taint.Key == reservedTaint && taint.Value == "true" && taint.Effect == corev1.TaintEffectNoSchedule
}

func keepsPodsOff(taint corev1.Taint) bool { return taint.Effect != corev1.TaintEffectPreferNoSchedule }
