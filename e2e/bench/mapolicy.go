package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"quartermaster.dev/e2e/cluster"
)

// operation is one operation of Quartermaster's patch. All of them add.
type operation struct {
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value"`
}

func operations(patch []byte) ([]operation, error) {
	var ops []operation
	err := json.Unmarshal(patch, &ops)
	return ops, err
}

// createPolicy makes a MutatingAdmissionPolicy with one mutation, and binds it to the variant's namespace.
func createPolicy(ctx context.Context, plane *cluster.Cluster, v *variant, mutation admissionregistrationv1.Mutation) error {
	fail := admissionregistrationv1.Fail
	policy := &admissionregistrationv1.MutatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: v.key},
		Spec: admissionregistrationv1.MutatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{variantLabel: v.key}},
				ObjectSelector:    jobPods(),
				ResourceRules:     []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: createPods()}},
			},
			Mutations:          []admissionregistrationv1.Mutation{mutation},
			FailurePolicy:      &fail,
			ReinvocationPolicy: admissionregistrationv1.NeverReinvocationPolicy, // its patch appends, and a second time would append again
		},
	}
	if err := plane.Client.Create(ctx, policy); err != nil {
		return err
	}
	return plane.Client.Create(ctx, &admissionregistrationv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: v.key},
		Spec:       admissionregistrationv1.MutatingAdmissionPolicyBindingSpec{PolicyName: v.key},
	})
}

// jsonPatchMutation says the very operations in CEL.
func jsonPatchMutation(patch []byte) (m admissionregistrationv1.Mutation, err error) {
	ops, err := operations(patch)
	if err != nil {
		return m, err
	}
	var patches []string
	for _, op := range ops {
		var value any
		if err := json.Unmarshal(op.Value, &value); err != nil {
			return m, err
		}
		patches = append(patches, fmt.Sprintf("JSONPatch{op: \"add\", path: %q, value: %s}", op.Path, literal(value)))
	}
	return admissionregistrationv1.Mutation{
		PatchType: admissionregistrationv1.PatchTypeJSONPatch,
		JSONPatch: &admissionregistrationv1.JSONPatch{Expression: "[" + strings.Join(patches, ",\n ") + "]"},
	}, nil
}

// literal is a JSON value in CEL. Values of a mapping may differ in their type, which CEL has to be told.
func literal(value any) string {
	switch v := value.(type) {
	case string:
		return strconv.Quote(v)
	case float64:
		return strconv.FormatInt(int64(v), 10)
	case map[string]any:
		var members []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			members = append(members, fmt.Sprintf("%q: dyn(%s)", key, literal(v[key])))
		}
		return "{" + strings.Join(members, ", ") + "}"
	case []any:
		var items []string
		for _, item := range v {
			items = append(items, "dyn("+literal(item)+")")
		}
		return "[" + strings.Join(items, ", ") + "]"
	default:
		return fmt.Sprint(v)
	}
}

// applyConfigurationMutation says as much of the operations as ApplyConfiguration can: lists and mappings that the schema calls
// atomic must not be set, which leaves out the node selector, the tolerations, and which keys of a Secret are files.
func applyConfigurationMutation(patch []byte) (m admissionregistrationv1.Mutation, err error) {
	ops, err := operations(patch)
	if err != nil {
		return m, err
	}
	var annotations, volumes, mounts, env []string
	for _, op := range ops {
		var err error
		switch {
		case strings.HasPrefix(op.Path, "/metadata/annotations/"):
			key := strings.NewReplacer("~1", "/", "~0", "~").Replace(strings.TrimPrefix(op.Path, "/metadata/annotations/"))
			annotations = append(annotations, fmt.Sprintf("%q: %s", key, op.Value))
		case op.Path == "/spec/volumes/-":
			var v corev1.Volume
			err = json.Unmarshal(op.Value, &v)
			volumes = append(volumes, fmt.Sprintf("Object.spec.volumes{name: %q, secret: Object.spec.volumes.secret{secretName: %q, defaultMode: %d}}",
				v.Name, v.Secret.SecretName, *v.Secret.DefaultMode))
		case strings.HasSuffix(op.Path, "/volumeMounts/-"):
			var v corev1.VolumeMount
			err = json.Unmarshal(op.Value, &v)
			mounts = append(mounts, fmt.Sprintf("Object.spec.containers.volumeMounts{name: %q, mountPath: %q, readOnly: %t}", v.Name, v.MountPath, v.ReadOnly))
		case strings.HasSuffix(op.Path, "/env/-"):
			var v corev1.EnvVar
			err = json.Unmarshal(op.Value, &v)
			env = append(env, fmt.Sprintf("Object.spec.containers.env{name: %q, value: %q}", v.Name, v.Value))
		}
		if err != nil {
			return m, err
		}
	}
	list := func(items []string) string { return strings.Join(items, ", ") }
	expression := fmt.Sprintf(`Object{
 metadata: Object.metadata{annotations: {%s}},
 spec: Object.spec{
  volumes: [%s],
  containers: [Object.spec.containers{name: "build", volumeMounts: [%s], env: [%s]}]}}`, list(annotations), list(volumes), list(mounts), list(env))
	return admissionregistrationv1.Mutation{
		PatchType:          admissionregistrationv1.PatchTypeApplyConfiguration,
		ApplyConfiguration: &admissionregistrationv1.ApplyConfiguration{Expression: expression},
	}, nil
}
