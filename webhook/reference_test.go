package webhook

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// newReference is a webhook as it is usually built: controller-runtime decodes
// the pod into a corev1.Pod, a Defaulter changes that, and the patch is the
// difference between the pod as it came and the pod marshalled again. It
// injects what the patch does, without deciding anything.
func newReference(t testing.TB, patch []byte) http.Handler {
	t.Helper()
	ctrllog.SetLogger(logr.Discard())
	defaulter := &injector{}
	var ops []struct {
		Path  string          `json:"path"`
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(patch, &ops); err != nil {
		t.Fatal(err)
	}
	for _, op := range ops {
		apply, err := injection(op.Path, op.Value)
		if err != nil {
			t.Fatalf("%s: %v", op.Path, err)
		}
		defaulter.injections = append(defaulter.injections, apply)
	}
	return admission.WithDefaulter(scheme.Scheme, defaulter)
}

// injector adds to every pod what its injections say.
type injector struct{ injections []func(*corev1.Pod) }

// Default implements admission.Defaulter.
func (in *injector) Default(_ context.Context, pod *corev1.Pod) error {
	for _, apply := range in.injections {
		apply(pod)
	}
	return nil
}

// injection is one operation of a patch of ours on a decoded pod.
func injection(path string, value []byte) (func(*corev1.Pod), error) {
	list := strings.TrimSuffix(path, "/-")
	switch {
	case list == "/spec/volumes":
		return appendTo(value, list != path, func(p *corev1.Pod) *[]corev1.Volume { return &p.Spec.Volumes })
	case list == "/spec/tolerations":
		return appendTo(value, list != path, func(p *corev1.Pod) *[]corev1.Toleration { return &p.Spec.Tolerations })
	case strings.HasSuffix(list, "/volumeMounts"):
		i, err := container(list)
		if err != nil {
			return nil, err
		}
		return appendTo(value, list != path, func(p *corev1.Pod) *[]corev1.VolumeMount { return &p.Spec.Containers[i].VolumeMounts })
	case strings.HasSuffix(list, "/env"):
		i, err := container(list)
		if err != nil {
			return nil, err
		}
		return appendTo(value, list != path, func(p *corev1.Pod) *[]corev1.EnvVar { return &p.Spec.Containers[i].Env })
	case strings.HasPrefix(path, "/spec/nodeSelector"):
		return setIn(value, strings.TrimPrefix(path, "/spec/nodeSelector"), func(p *corev1.Pod) *map[string]string { return &p.Spec.NodeSelector })
	default:
		return setIn(value, strings.TrimPrefix(path, "/metadata/annotations"), func(p *corev1.Pod) *map[string]string { return &p.Annotations })
	}
}

// container is the index in /spec/containers/<index>/….
func container(path string) (int, error) { return strconv.Atoi(strings.Split(path, "/")[3]) }

// appendTo appends an item, or all items of a list that the pod does not have.
func appendTo[T any](value []byte, one bool, list func(*corev1.Pod) *[]T) (func(*corev1.Pod), error) {
	items := make([]T, 1)
	var err error
	if one {
		err = json.Unmarshal(value, &items[0])
	} else {
		err = json.Unmarshal(value, &items)
	}
	return func(p *corev1.Pod) { *list(p) = append(*list(p), items...) }, err
}

// setIn sets one key, or all of a mapping that the pod does not have.
func setIn(value []byte, pointer string, mapping func(*corev1.Pod) *map[string]string) (func(*corev1.Pod), error) {
	entries := map[string]string{}
	var err error
	if pointer == "" {
		err = json.Unmarshal(value, &entries)
	} else {
		var text string
		err = json.Unmarshal(value, &text)
		entries[strings.NewReplacer("~1", "/", "~0", "~").Replace(pointer[1:])] = text
	}
	return func(p *corev1.Pod) {
		if *mapping(p) == nil {
			*mapping(p) = map[string]string{}
		}
		for key, value := range entries {
			(*mapping(p))[key] = value
		}
	}, err
}
