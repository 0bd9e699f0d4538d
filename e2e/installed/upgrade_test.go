//go:build e2e

package installed

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"quartermaster.dev/policy"
)

// TestNoJobFailsOnAnUpgrade upgrades a release, and rolls that back, while job pods are asked for: each is created, and
// equipped.
func TestNoJobFailsOnAnUpgrade(t *testing.T) {
	t.Run("to other values", func(t *testing.T) {
		noJobFailsOnAnUpgrade(t, chartDir(), "", "")
	})
	t.Run("from the chart of an earlier commit", func(t *testing.T) {
		commit, err := earlierCommit(t.Context())
		if err != nil {
			step(t, "NOTE: nothing to upgrade from: %v", err)
			return
		}
		step(t, "the last commit with another chart is %s", commit)
		chart := extractChart(t, commit)
		values, next := earlierValues(t, chart)
		noJobFailsOnAnUpgrade(t, chart, values, next)
	})
}

// changed are values by which every replica has to be replaced.
const changed = "\npodAnnotations: {example.com/changed: 'yes'}"

// noJobFailsOnAnUpgrade upgrades from a chart, installed with values, to this one with the values of next, and others.
func noJobFailsOnAnUpgrade(t *testing.T, chart, values, next string) {
	ns := namespace(t, nil)
	applyExample(t, ns, "dev/*.yaml")
	r := installChartFrom(t, chart, values)
	r.settle(t, ns)
	generation := r.deployment(t).Generation

	stream := startStream(t, newRunner(t, ns), jobPod(t, "stream", "attach"))
	step(t, "helm upgrade, while job pods are asked for")
	r.upgrade(t, next+changed)
	if r.deployment(t).Generation == generation {
		t.Error("the upgrade has replaced no replica")
	}
	step(t, "helm test")
	if out, err := r.test(t.Context()); err != nil {
		t.Errorf("%v; it said\n%s", err, out)
	}
	step(t, "helm rollback")
	if _, err := helm(t.Context(), "rollback", r.name, "--namespace", r.namespace, "--wait", "--timeout", "2m"); err != nil {
		t.Error(err)
	}
	stream.stopAllEquipped(t)
}

// earlierCommit returns the last commit whose chart differs from the one in the working tree. A shallow clone may know none.
func earlierCommit(ctx context.Context) (string, error) {
	commits, err := run(ctx, "", "git", "-C", root, "log", "--format=%H", "--", "charts/quartermaster")
	if err != nil {
		return "", err
	}
	for _, commit := range strings.Fields(commits) {
		if _, err := run(ctx, "", "git", "-C", root, "diff", "--quiet", commit, "--", "charts/quartermaster"); err != nil {
			return commit, nil
		}
	}
	return "", errors.New("no commit that is known here has another chart")
}

// extractChart writes the chart of a commit to a folder, which it returns.
func extractChart(t *testing.T, commit string) string {
	t.Helper()
	archive, err := run(t.Context(), "", "git", "-C", root, "archive", commit, "charts/quartermaster")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := run(t.Context(), archive, "tar", "-x", "-C", dir); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "charts", "quartermaster")
}

// earlierValues returns the values to install an earlier chart with, and those to upgrade it with. It is given a certificate,
// whose Secret they name: the image is this commit's, and its quartermaster-certs is made for this commit's chart.
func earlierValues(t *testing.T, chart string) (values, next string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var defaults struct {
		Certificates struct {
			Mode string `json:"mode"`
		} `json:"certificates"`
	}
	if err := yaml.Unmarshal(text, &defaults); err != nil {
		t.Fatal(err)
	}
	const secret = "provided-tls"
	pair := newProvided(t, 24*time.Hour)
	if err := admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: releaseName}}); err != nil {
		t.Fatal(err)
	}
	bring(releaseName, nil)
	putSecret(t, releaseName, secret, map[string]string{"tls.crt": string(pair.Certificate), "tls.key": string(pair.Key)})
	bundle := base64.StdEncoding.EncodeToString(pair.Authority)
	next = fmt.Sprintf("certificates: {mode: provided, provided: {secretName: %s, caBundle: %s}}", secret, bundle)
	if defaults.Certificates.Mode == "" { // the chart before there were modes
		return fmt.Sprintf("certificates: {secretName: %s, caBundle: %s}", secret, bundle), next
	}
	return next, next
}

// deployment is the server's.
func (r *release) deployment(t *testing.T) *appsv1.Deployment {
	t.Helper()
	deployment := &appsv1.Deployment{}
	if err := admin.Get(t.Context(), types.NamespacedName{Namespace: r.namespace, Name: r.name}, deployment); err != nil {
		t.Fatal(err)
	}
	return deployment
}

// TestAnUpgradeThatWouldBreakJobsIsRefused: a policy that the new version takes for broken would refuse the jobs of its
// namespace. The upgrade is refused instead, says why, and has changed nothing.
func TestAnUpgradeThatWouldBreakJobsIsRefused(t *testing.T) {
	const unvalidated = "validation: {enabled: false}" // or a broken policy could not be written
	ns := namespace(t, nil)
	r := installChart(t, unvalidated)
	policyMap := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "jobs", Labels: map[string]string{policy.LabelPolicy: "true"}},
		Data: map[string]string{"policy.yaml": `apiVersion: quartermaster.dev/v1alpha1
kind: JobPolicy
match: {}
inject: {nodeSelectors: {pool: dev}}
`},
	}
	if err := admin.Create(t.Context(), policyMap); err != nil {
		t.Fatal(err)
	}
	before := r.deployment(t)

	step(t, "helm upgrade with a broken policy in the cluster")
	err := r.helm(t.Context(), chartDir(), unvalidated+changed, "upgrade")
	if err == nil {
		t.Fatal("the upgrade was not refused")
	}
	for _, want := range []string{"pre-upgrade", ns + "/jobs", "inject.nodeSelectors"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the refusal does not say %q:\n%v", want, err)
		}
	}
	if after := r.deployment(t); after.Generation != before.Generation {
		t.Error("the refused upgrade has changed the server")
	}
	jobs := &batchv1.JobList{}
	if err := admin.List(t.Context(), jobs, client.InNamespace(r.namespace)); err != nil || len(jobs.Items) > 0 {
		t.Errorf("the refused upgrade has left %d Jobs, %v", len(jobs.Items), err)
	}

	step(t, "refused; the policy is mended")
	policyMap.Data["policy.yaml"] = strings.ReplaceAll(policyMap.Data["policy.yaml"], "nodeSelectors", "nodeSelector")
	if err := admin.Update(t.Context(), policyMap); err != nil {
		t.Fatal(err)
	}
	r.upgrade(t, unvalidated+changed)
	if after := r.deployment(t); after.Generation == before.Generation {
		t.Error("the upgrade has changed nothing")
	}
}
