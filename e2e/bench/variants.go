package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"quartermaster.dev/e2e/cluster"
	"quartermaster.dev/e2e/internal/build"
	"quartermaster.dev/e2e/internal/load"
	"quartermaster.dev/e2e/release"
	"quartermaster.dev/policy"
)

// variantLabel tells the namespaces apart to webhooks and policies; injectLabel keeps Quartermaster out.
const (
	variantLabel = "bench.example/variant"
	injectLabel  = "quartermaster.dev/inject"
)

// A variant is one way in which a pod is changed on its way, or not: a namespace.
type variant struct {
	name string // as in the tables
	key  string // the namespace, and the value of variantLabel
	// equips says what becomes of a pod: "all" that Quartermaster does, "some" of it, or nothing.
	equips  string
	creator *load.Creator
}

// The variants in the order of the tables. All others are compared with the first two.
const (
	none = iota
	floor
	noPatch
	jsonPatch
	applyConfiguration
	quartermaster
)

func newVariants() []*variant {
	return []*variant{
		none:               {name: "no webhook", key: "bench-none"},
		floor:              {name: "constant patch (the floor)", key: "bench-floor", equips: "all"},
		noPatch:            {name: "constant answer, no patch", key: "bench-no-patch"},
		jsonPatch:          {name: "MutatingAdmissionPolicy, JSONPatch", key: "bench-map-json-patch", equips: "all"},
		applyConfiguration: {name: "MutatingAdmissionPolicy, ApplyConfiguration *", key: "bench-map-apply", equips: "some"},
		quartermaster:      {name: "Quartermaster", key: "bench-quartermaster", equips: "all"},
	}
}

// setUp makes the variants' namespaces and all that acts in them, and returns when it does act.
func setUp(ctx context.Context, plane *cluster.Cluster, installed *release.Release, recordings []*load.Recording, stderr io.Writer) ([]*variant, func() error, error) {
	variants := newVariants()
	for i, v := range variants {
		labels := map[string]string{variantLabel: v.key}
		if i != quartermaster {
			labels[injectLabel] = "disabled"
		}
		var err error
		if v.creator, err = load.NewCreator(ctx, plane, v.key, labels); err != nil {
			return nil, nil, err
		}
	}
	document, err := examplePolicy()
	if err != nil {
		return nil, nil, err
	}
	patch, err := constantPatch(variants[quartermaster].key, document, recordings)
	if err != nil {
		return nil, nil, err
	}
	fmt.Fprintf(stderr, "the patch: %s\n", patch)
	constant, err := startFloor(patch)
	if err != nil {
		return nil, nil, err
	}
	if err := register(ctx, plane, constant, variants, patch); err != nil {
		return nil, constant.stop, err
	}
	if err := plane.Client.Create(ctx, policyMap(variants[quartermaster].key, document)); err != nil {
		return nil, constant.stop, err
	}
	if err := installed.Settle(ctx); err != nil {
		return nil, constant.stop, err
	}
	return variants, constant.stop, settle(ctx, variants, constant, recordings)
}

// register makes the API server ask the constant webhook and the MutatingAdmissionPolicies.
func register(ctx context.Context, plane *cluster.Cluster, constant *constantWebhook, variants []*variant, patch []byte) error {
	for i, path := range map[int]string{floor: pathPatch, noPatch: pathNoPatch} {
		if err := plane.Client.Create(ctx, constant.configuration(variants[i], path)); err != nil {
			return err
		}
	}
	jsonPatchMutation, err := jsonPatchMutation(patch)
	if err != nil {
		return err
	}
	applyMutation, err := applyConfigurationMutation(patch)
	if err != nil {
		return err
	}
	if err := createPolicy(ctx, plane, variants[jsonPatch], jsonPatchMutation); err != nil {
		return err
	}
	return createPolicy(ctx, plane, variants[applyConfiguration], applyMutation)
}

// examplePolicy is the policy of the example: two Secrets with their variables, a node selector and a toleration.
func examplePolicy() (string, error) {
	root, err := build.Root()
	if err != nil {
		return "", err
	}
	file := filepath.Join(root, "manifests", "examples", "dev", "4-policy.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	m := policy.ReadManifest(file, "dev", text)
	if len(m.ConfigMaps) != 1 || len(m.ConfigMaps[0].Data) != 1 {
		return "", fmt.Errorf("%s must hold one ConfigMap with one key", file)
	}
	for _, document := range m.ConfigMaps[0].Data {
		return document, nil
	}
	return "", nil
}

func policyMap(namespace, document string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "runner-jobs", Labels: map[string]string{policy.LabelPolicy: "true"}},
		Data:       map[string]string{"policy.yaml": document},
	}
}

// constantPatch is the patch that Quartermaster sends for every one of the pods, byte by byte.
func constantPatch(namespace, document string, recordings []*load.Recording) ([]byte, error) {
	source := policy.Compile(policy.ConfigMap{Namespace: namespace, Name: "runner-jobs", Data: map[string]string{"policy.yaml": document}})
	set := policy.NewSet(namespace, nil, source)
	var patch []byte
	for _, r := range recordings {
		pod, err := policy.DecodePod(r.Object)
		if err != nil {
			return nil, err
		}
		d := policy.Decide(policy.Request{Namespace: namespace, User: "system:serviceaccount:" + namespace + ":" + load.Runner, Pod: pod}, set)
		if d.Outcome != policy.Equipped {
			return nil, fmt.Errorf("pod %s would be %s: %s", r.Name, d.Outcome, d.Message())
		}
		operations, err := d.Additions.Patch()
		if err != nil {
			return nil, err
		}
		if patch != nil && !bytes.Equal(patch, operations) {
			return nil, errors.New("the pods need different patches; choose some that do not with -pods")
		}
		patch = operations
	}
	return patch, nil
}

// settle returns when every variant does what it should, and the ones that are to do the same do.
func settle(ctx context.Context, variants []*variant, constant *constantWebhook, recordings []*load.Recording) error {
	for _, r := range recordings {
		plain, _, err := create(ctx, variants[none], r)
		if err != nil {
			return err
		}
		want, _, err := create(ctx, variants[quartermaster], r)
		if err != nil {
			return err
		}
		if cmp.Equal(plain, want) {
			return fmt.Errorf("pod %s: Quartermaster does nothing", r.Name)
		}
		for _, v := range variants {
			if err := v.settle(ctx, r, plain, want); err != nil {
				return err
			}
		}
	}
	if constant.asked(pathNoPatch) == 0 {
		return errors.New("the webhook without a patch was not asked")
	}
	return nil
}

// settle waits until a pod comes out as it should.
func (v *variant) settle(ctx context.Context, r *load.Recording, plain, want any) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		got, _, err := create(ctx, v, r)
		if err != nil {
			if ctx.Err() == nil {
				last = err
			}
			return false, nil
		}
		switch v.equips {
		case "all":
			last = same(want, got)
		case "":
			last = same(plain, got)
		default:
			if cmp.Equal(plain, got) {
				last = errors.New("the pod is not changed")
			}
		}
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("%s: pod %s: %w: %w", v.name, r.Name, err, last)
	}
	return nil
}

func same(want, got any) error {
	if diff := cmp.Diff(want, got); diff != "" {
		return fmt.Errorf("it comes out otherwise (-want +got):\n%s", diff)
	}
	return nil
}

// create creates a pod and returns its spec as it would be stored.
func create(ctx context.Context, v *variant, r *load.Recording) (spec any, took time.Duration, err error) {
	answer, took, err := v.creator.Create(ctx, r)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", v.name, err)
	}
	var pod map[string]any
	err = json.Unmarshal(answer, &pod)
	return pod["spec"], took, err
}
