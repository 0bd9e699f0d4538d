package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"quartermaster.dev/e2e/internal/build"
	"quartermaster.dev/e2e/internal/load"
	"quartermaster.dev/policy"
)

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
		if operations == nil {
			return nil, fmt.Errorf("pod %s has all of it already", r.Name)
		}
		if patch != nil && !bytes.Equal(patch, operations) {
			return nil, errors.New("the pods need different patches; choose some that do not with -pods")
		}
		patch = operations
	}
	return patch, nil
}

// firstOperation is a patch of the first of the patch's operations alone.
func firstOperation(patch []byte) ([]byte, error) {
	var all []json.RawMessage
	if err := json.Unmarshal(patch, &all); err != nil {
		return nil, err
	}
	return json.Marshal(all[:1])
}
