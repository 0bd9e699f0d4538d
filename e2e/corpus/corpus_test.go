// Package corpus runs the corpus of decisions against a real API server: each
// case's policies are written to it and its pod is created there, through the
// installed chart and the real server.
package corpus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"quartermaster.dev/e2e/cluster"
	"quartermaster.dev/e2e/internal/build"
	"quartermaster.dev/e2e/release"
	"quartermaster.dev/policy"
	"quartermaster.dev/policy/policytest"
)

// labelLegacy marks the namespaces that the second release, which takes the
// label "pod" for the job label, is asked about.
const labelLegacy = "legacy"

// TestCorpus runs its cases one after the other: they share their namespaces,
// which their policies and messages name.
func TestCorpus(t *testing.T) {
	ctx := t.Context()
	plane, err := cluster.Start(ctx, cluster.Options{Out: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	stop(t, plane)
	// Broken policies are part of the corpus, so that nothing may refuse them
	// where they are written.
	unvalidated := map[string]any{"enabled": false}
	modern := install(t, plane, release.Options{Namespace: policytest.SystemNamespace, Values: map[string]any{
		"validation": unvalidated,
	}})
	// Settle asks for pods in this namespace.
	if err := plane.Namespace(ctx, "legacy-system-canary", map[string]string{labelLegacy: "true"}); err != nil {
		t.Fatal(err)
	}
	legacy := install(t, plane, release.Options{Name: "legacy", Namespace: "legacy-system", Values: map[string]any{
		"validation": unvalidated,
		"jobLabel":   "pod",
		"webhook": map[string]any{"namespaceSelector": map[string]any{"matchExpressions": []any{
			map[string]any{"key": labelLegacy, "operator": "Exists"},
		}}},
	}})
	for _, c := range policytest.Load(t) {
		t.Run(c.Name, func(t *testing.T) {
			runner := &run{plane: plane, release: modern, c: &c}
			if c.JobLabel == "pod" {
				runner.release = legacy
			} else if c.JobLabel != "" {
				t.Fatalf("no release takes %s for the job label", c.JobLabel)
			}
			runner.test(t)
		})
	}
}

func stop(t *testing.T, s interface{ Stop() error }) {
	t.Helper()
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
}

func install(t *testing.T, plane *cluster.Cluster, o release.Options) *release.Release {
	t.Helper()
	o.Race, o.Out = build.RaceDetector(t.Context()) == nil, os.Stderr
	r, err := release.Install(t.Context(), plane, o)
	if err != nil {
		t.Fatal(err)
	}
	stop(t, r)
	return r
}

// run is one case on the cluster.
type run struct {
	plane   *cluster.Cluster
	release *release.Release
	c       *policytest.Case
}

func (r *run) test(t *testing.T) {
	ctx := t.Context()
	r.prepare(t)
	if err := r.release.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	pod := &unstructured.Unstructured{}
	if err := json.Unmarshal(r.c.Object, &pod.Object); err != nil {
		t.Fatal(err)
	}
	// Set by the API server, and not to be sent.
	for _, field := range []string{"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"} {
		unstructured.RemoveNestedField(pod.Object, "metadata", field)
	}
	err := r.creator(t).Create(ctx, pod, client.DryRunAll)
	refusal, refused := denied(err)
	switch {
	case r.c.NotStored != "" && refused:
		t.Errorf("refused: %s", refusal)
	case r.c.NotStored != "": // what becomes of it then is not ours
	case refused:
		policytest.Check(t, r.c, policytest.Answer{Refusal: refusal})
	case err != nil:
		t.Fatal(err)
	default:
		stored, err := json.Marshal(pod.Object)
		if err != nil {
			t.Fatal(err)
		}
		policytest.Check(t, r.c, policytest.Answer{Pod: stored})
	}
}

// denied is what our webhook said, without what the API server puts before it,
// and whether it refused the pod as it should: as forbidden.
func denied(err error) (string, bool) {
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) || !apierrors.IsForbidden(err) {
		return "", false
	}
	_, message, ours := strings.Cut(status.Status().Message, `admission webhook "job.pods.quartermaster.dev" denied the request: `)
	return message, ours
}

// prepare makes the case's namespaces, accounts and policies, and takes them
// away again at the end.
func (r *run) prepare(t *testing.T) {
	ctx := t.Context()
	if err := r.plane.Namespace(ctx, r.c.Namespace, nil); err != nil {
		t.Fatal(err)
	}
	label := fmt.Sprintf(`{"metadata":{"labels":{%q:null}}}`, labelLegacy)
	if r.c.JobLabel != "" {
		label = fmt.Sprintf(`{"metadata":{"labels":{%q:"true"}}}`, labelLegacy)
	}
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: r.c.Namespace}}
	if err := r.plane.Client.Patch(ctx, ns, client.RawPatch(types.MergePatchType, []byte(label))); err != nil {
		t.Fatal(err)
	}
	var objects []client.Object
	for _, cm := range r.c.ConfigMaps {
		if err := r.plane.Namespace(ctx, cm.Namespace, nil); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, configMap(cm))
	}
	pod, err := policy.DecodePod(r.c.Object)
	if err != nil {
		t.Fatal(err)
	}
	if name := pod.Spec.ServiceAccountName; name != "" && name != "default" {
		objects = append(objects, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: r.c.Namespace, Name: name}})
	}
	for _, o := range objects {
		if err := r.plane.Client.Create(ctx, o); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := r.plane.Client.Delete(context.WithoutCancel(ctx), o); err != nil {
				t.Error(err)
			}
		})
	}
}

func configMap(cm policy.ConfigMap) *corev1.ConfigMap {
	out := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: cm.Namespace, Name: cm.Name, Labels: map[string]string{policy.LabelPolicy: "true"}},
		Data:       cm.Data,
	}
	for _, key := range cm.BinaryKeys {
		if out.BinaryData == nil {
			out.BinaryData = map[string][]byte{}
		}
		out.BinaryData[key] = []byte("x")
	}
	return out
}

// creator is a client of the case's user: an administrator who acts as that
// user, for no user of a case has rights of its own.
func (r *run) creator(t *testing.T) client.Client {
	t.Helper()
	config := rest.CopyConfig(r.plane.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: r.c.User, Groups: append([]string{"system:masters"}, r.c.Groups...)}
	if r.c.User == "" {
		t.Fatal("the case has no user, and an API server always knows one")
	}
	c, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
