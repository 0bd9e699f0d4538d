package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"quartermaster.dev/e2e/internal/load"
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
	floorInside
	oneOperation
	noPatch
	jsonPatch
	applyConfiguration
	quartermaster
)

func newVariants() []*variant {
	return []*variant{
		none:               {name: "no webhook", key: "bench-none"},
		floor:              {name: "constant patch (the floor)", key: "bench-floor", equips: "all"},
		floorInside:        {name: "the same from the bench's own process", key: "bench-floor-inside", equips: "all"},
		oneOperation:       {name: "constant patch of its first operation", key: "bench-one-operation", equips: "some"},
		noPatch:            {name: "constant answer, no patch", key: "bench-no-patch"},
		jsonPatch:          {name: "MutatingAdmissionPolicy, JSONPatch", key: "bench-map-json-patch", equips: "all"},
		applyConfiguration: {name: "MutatingAdmissionPolicy, ApplyConfiguration *", key: "bench-map-apply", equips: "some"},
		quartermaster:      {name: "Quartermaster", key: "bench-quartermaster", equips: "all"},
	}
}

// setUp makes the variants' namespaces and all that acts in them, and returns when it does act.
func (b *bench) setUp(ctx context.Context) ([]*variant, error) {
	variants := newVariants()
	for i, v := range variants {
		labels := map[string]string{variantLabel: v.key}
		if i != quartermaster {
			labels[injectLabel] = "disabled"
		}
		var err error
		if v.creator, err = load.NewCreator(ctx, b.plane, v.key, labels); err != nil {
			return nil, err
		}
	}
	document, err := examplePolicy()
	if err != nil {
		return nil, err
	}
	patch, err := constantPatch(variants[quartermaster].key, document, b.recordings)
	if err != nil {
		return nil, err
	}
	if err := b.registerConstant(ctx, variants, patch); err != nil {
		return nil, err
	}
	if err := b.registerPolicies(ctx, variants, patch); err != nil {
		return nil, err
	}
	if err := b.plane.Client.Create(ctx, policyMap(variants[quartermaster].key, document)); err != nil {
		return nil, err
	}
	if err := b.installed.Settle(ctx); err != nil {
		return nil, err
	}
	return variants, settle(ctx, variants, b.recordings)
}

// registerConstant starts the webhooks that do no work, each but floorInside a process as Quartermaster is, and makes the API
// server ask them.
func (b *bench) registerConstant(ctx context.Context, variants []*variant, patch []byte) error {
	first, err := firstOperation(patch)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		variant int
		start   func(patch []byte) (*constantWebhook, error)
		patch   []byte
	}{
		{floor, startFloor, patch},
		{floorInside, listenFloor, patch},
		{oneOperation, startFloor, first},
		{noPatch, startFloor, nil},
	} {
		w, err := c.start(c.patch)
		if err != nil {
			return err
		}
		b.stops = append(b.stops, w.stop)
		if err := b.plane.Client.Create(ctx, w.configuration(variants[c.variant])); err != nil {
			return err
		}
	}
	return nil
}

// registerPolicies makes the API server apply the MutatingAdmissionPolicies.
func (b *bench) registerPolicies(ctx context.Context, variants []*variant, patch []byte) error {
	for i, mutation := range map[int]func([]byte) (admissionregistrationv1.Mutation, error){
		jsonPatch: jsonPatchMutation, applyConfiguration: applyConfigurationMutation,
	} {
		m, err := mutation(patch)
		if err != nil {
			return err
		}
		if err := createPolicy(ctx, b.plane, variants[i], m); err != nil {
			return err
		}
	}
	return nil
}

// settle returns when every variant does what it should, and the ones that are to do the same do.
func settle(ctx context.Context, variants []*variant, recordings []*load.Recording) error {
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
