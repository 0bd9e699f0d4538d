package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/api/resource"
	kubejson "sigs.k8s.io/json"

	"quartermaster.dev/policy/jsonscan"
)

// UnmarshalJSON lets the decoder of Kubernetes, which tests compare with, keep
// the list as it came.
func (e *Env) UnmarshalJSON(data []byte) error {
	*e = nil
	if string(data) != "null" {
		*e = bytes.Clone(data)
	}
	return json.Unmarshal(data, new([]any))
}

// recordedPods are the pods of all recorded reviews.
func recordedPods(t testing.TB) [][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*/review.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded review: %v", err)
	}
	var pods [][]byte
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var review struct {
			Request struct{ Object json.RawMessage }
		}
		if err := json.Unmarshal(data, &review); err != nil {
			t.Fatal(err)
		}
		pods = append(pods, review.Request.Object)
	}
	return pods
}

// oddPods are pods that no runner makes.
var oddPods = []string{
	``, `null`, `1`, `[]`, `{}`, `{"metadata":null,"spec":null}`, `{"Metadata":{"name":"x"},"SPEC":{"hostPID":true}}`,
	`{"metadata":{"labels":{"a":null,"b":"\u00e9\ud83d\ude00\u003c"},"annotations":{},"managedFields":[{"fieldsV1":{"f:a":{}}}]}}`,
	`{"metadata":{"labels":{"a":1}}}`, `{"metadata":{"labels":["a"]}}`, `{"metadata":{"name":["a"]}}`,
	`{"spec":{"containers":[null,{},{"name":null,"env":null,"volumeMounts":null,"resources":null}]}}`,
	`{"spec":{"containers":[{"env":[]},{"env":[null,1,[],{},{"name":1},{"name":"A"},{"name":"A","value":"2"},{"value":"b","\u006eame":"\u0043\u0049"}]}]}}`,
	`{"spec":{"containers":[{"env":{}}]}}`, `{"spec":{"containers":[{"env":"x"}]}}`, `{"spec":{"containers":{}}}`,
	`{"spec":{"containers":[{"env":[{"name":"S","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}},"value":null}]}]}}`,
	`{"spec":{"securityContext":{"runAsUser":1.0}}}`, `{"spec":{"securityContext":{"runAsUser":1e3}}}`, `{"spec":{"securityContext":{"runAsUser":-0}}}`,
	`{"spec":{"securityContext":{"runAsUser":9223372036854775808,"supplementalGroups":[1,0]}}}`,
	`{"spec":{"resources":{"requests":{"cpu":1,"memory":"1Mi","x":null},"limits":{"cpu":"no"}}}}`,
	`{"spec":{"tolerations":[{"key":"a","operator":"Exists","tolerationSeconds":5,"later":1},null]}}`,
	`{"spec":{"volumes":[{"name":"v","secret":{"secretName":"s","items":[{"key":"k","path":"p","mode":1}],"defaultMode":384,"optional":true}},{"projected":{}},{"configMap":[]}]}}`,
	`{"spec":{"hostPID":true,"shareProcessNamespace":false,"os":{"name":"windows"}}}`, `{"spec":{"hostPID":"true"}}`,
	`{"metadata":{"name":"x"}`, `{"metadata":{"name":"x"}} {}`, `{"metadata":{"name":"x",}}`, "{\"metadata\":{\"name\":\"\xff\"}}", `{"metadata":{"name":"\ud800"}}`,
	strings.Repeat(`{"spec":`, 20000), `{"spec":` + strings.Repeat(`[`, 9000) + strings.Repeat(`]`, 9000) + `}`,
}

// checkDecoding holds DecodePod against the decoder of Kubernetes, and the
// search for variables against decoding them all.
func checkDecoding(t *testing.T, object []byte) {
	t.Helper()
	before := bytes.Clone(object)
	got, err := DecodePod(object)
	if !bytes.Equal(before, object) {
		t.Fatal("the object was changed")
	}
	// What no API server sends only has to be survived: keys that stand twice,
	// and what is no UTF-8.
	if jsontext.Value(object).IsValid() {
		var want Pod
		wantErr := kubejson.UnmarshalCaseSensitivePreserveInts(object, &want)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("got the error %v, and the decoder of Kubernetes %v:\n%.500s", err, wantErr, object)
		}
		if diff := cmp.Diff(&want, got, cmpopts.EquateEmpty()); err == nil && diff != "" {
			t.Fatalf("decoded (+) is not what the decoder of Kubernetes makes of it (-):\n%s\n%.500s", diff, object)
		}
	}
	if err != nil {
		return
	}
	for i := range got.Spec.Containers {
		checkFind(t, got.Spec.Containers[i].Env)
	}
}

func checkFind(t *testing.T, env Env) {
	t.Helper()
	var all []json.RawMessage
	if err := json.Unmarshal(append([]byte(" "), env...), &all); env != nil && err != nil {
		t.Fatal(err)
	}
	last := map[string]podEnvVar{}
	names := []string{"absent"}
	for _, entry := range all {
		var members map[string]json.RawMessage
		var name *string
		if json.Unmarshal(entry, &members) != nil || json.Unmarshal(members["name"], &name) != nil || name == nil {
			continue
		}
		last[*name] = podEnvVar{*name, notNull(jsonscan.Value(members["value"])), notNull(jsonscan.Value(members["valueFrom"]))}
		if !slices.Contains(names, *name) {
			names = append(names, *name)
		}
	}
	if !jsontext.Value(env).IsValid() {
		return
	}
	got := map[string]podEnvVar{}
	for _, v := range env.find(func(name []byte) bool { return slices.Contains(names, string(name)) }) {
		got[v.name] = v
	}
	if diff := cmp.Diff(last, got, cmp.AllowUnexported(podEnvVar{}), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("found (+) is not what is there (-):\n%s", diff)
	}
	if env.has("absent") != slices.ContainsFunc(names[1:], func(n string) bool { return n == "absent" }) {
		t.Error("a variable that is absent was found")
	}
}

func TestPodsAreDecodedAsKubernetesDoes(t *testing.T) {
	t.Parallel()
	for i, object := range recordedPods(t) {
		t.Run(fmt.Sprint("recorded ", i), func(t *testing.T) { checkDecoding(t, object) })
	}
	for _, object := range oddPods {
		t.Run(fmt.Sprintf("%.60s", object), func(t *testing.T) { checkDecoding(t, []byte(object)) })
	}
}

// everyField is a pod that has something in each field of [Pod].
const everyField = `{"metadata":{"name":"n","labels":{"l":"1"},"annotations":{"a":"1"}},"spec":{
"initContainers":[{"name":"i","env":[{"name":"E"}],"volumeMounts":[{"name":"v","mountPath":"/m","subPath":"s","readOnly":true}],
  "resources":{"requests":{"cpu":"1"},"limits":{"cpu":"2"}},"securityContext":{"runAsUser":1,"runAsGroup":2,"runAsNonRoot":true}}],
"containers":[{"name":"c","env":[{"name":"E"}],"volumeMounts":[{"name":"v","mountPath":"/m","subPath":"s","readOnly":true}],
  "resources":{"requests":{"cpu":"1"},"limits":{"cpu":"2"}},"securityContext":{"runAsUser":1,"runAsGroup":2,"runAsNonRoot":true}}],
"volumes":[{"name":"v","secret":{"secretName":"s","items":[{"key":"k","path":"p"}],"defaultMode":256,"optional":true},
  "configMap":{"name":"x"},"downwardAPI":{"items":[]},"projected":{"sources":[]}}],
"nodeSelector":{"s":"1"},"tolerations":[{"key":"k","operator":"Equal","value":"v","effect":"NoExecute","tolerationSeconds":5}],
"serviceAccountName":"a","hostPID":true,"shareProcessNamespace":true,
"securityContext":{"runAsUser":1,"runAsGroup":2,"runAsNonRoot":true,"fsGroup":3,"supplementalGroups":[4]},
"resources":{"requests":{"cpu":"1"},"limits":{"cpu":"2"}},"os":{"name":"linux"}}}`

// TestEveryFieldIsDecoded: a field that [Pod.Scan] does not read would stay empty.
func TestEveryFieldIsDecoded(t *testing.T) {
	t.Parallel()
	checkDecoding(t, []byte(everyField))
	pod, err := DecodePod([]byte(everyField))
	if err != nil {
		t.Fatal(err)
	}
	checkFilled(t, "Pod", reflect.ValueOf(*pod))
}

func checkFilled(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	switch {
	case v.Type() == reflect.TypeFor[struct{}]():
	case v.IsZero():
		t.Errorf("%s is empty", path)
	case v.Kind() == reflect.Pointer:
		checkFilled(t, path, v.Elem())
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[resource.Quantity]():
		for f, field := range v.Fields() {
			checkFilled(t, path+"."+f.Name, field)
		}
	case v.Kind() == reflect.Slice && v.Type() != reflect.TypeFor[Env]():
		checkFilled(t, path+"[0]", v.Index(0))
	}
}

func FuzzDecodePod(f *testing.F) {
	for _, object := range recordedPods(f) {
		f.Add(shortened(f, object))
	}
	for _, object := range oddPods {
		if len(object) < 4096 {
			f.Add([]byte(object))
		}
	}
	f.Fuzz(checkDecoding)
}

// shortened is a pod with a few of its managed fields and variables: a fuzzer
// gets nowhere with hundreds of kilobytes.
func shortened(t testing.TB, object []byte) []byte {
	t.Helper()
	var pod struct {
		Metadata map[string]any `json:"metadata"`
		Spec     map[string]any `json:"spec"`
	}
	if err := json.Unmarshal(object, &pod); err != nil {
		t.Fatal(err)
	}
	pod.Metadata["managedFields"] = []any{map[string]any{"fieldsV1": map[string]any{"f:spec": map[string]any{}}}}
	for _, c := range pod.Spec["containers"].([]any) {
		c := c.(map[string]any)
		if env, ok := c["env"].([]any); ok {
			c["env"] = env[:3]
		}
	}
	data, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestEnvIsPartOfTheObject: the list is neither copied nor moved.
func TestEnvIsPartOfTheObject(t *testing.T) {
	t.Parallel()
	for _, object := range recordedPods(t) {
		pod, err := DecodePod(object)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range pod.Spec.Containers {
			if c.Env == nil {
				continue
			}
			at := uintptr(unsafe.Pointer(unsafe.SliceData(c.Env))) - uintptr(unsafe.Pointer(unsafe.SliceData(object)))
			if at >= uintptr(len(object)) || !bytes.HasPrefix(object[at:], c.Env) {
				t.Errorf("the variables of %s are elsewhere", c.Name)
			}
		}
	}
}

// TestDecodingTakesNoMemoryForVariables: neither deciding nor decoding
// allocates more for a pod with more of them.
func TestDecodingTakesNoMemoryForVariables(t *testing.T) {
	source := Compile(ConfigMap{Namespace: "dev", Name: "p", Data: map[string]string{"policy.yaml": `
apiVersion: quartermaster.dev/v1alpha1
kind: JobPolicy
match: {}
inject: {secrets: [{name: s, preset: scaleway}], env: [{name: MINE, value: "1"}]}`}})
	set := NewSet("dev", nil, source)
	memory := func(variables int) (bytes uint64) {
		env := strings.TrimSuffix(strings.Repeat(`{"name":"CI_SOMETHING","value":"with \u003cvalue\u003e"},`, variables), ",")
		object := []byte(`{"metadata":{"labels":{"job.runner.gitlab.com/pod":"x"}},"spec":{"containers":[{"name":"build","env":[` + env + `]}]}}`)
		const runs = 1000
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			pod, err := DecodePod(object)
			if err != nil {
				t.Fatal(err)
			}
			if d := Decide(Request{Namespace: "dev", Pod: pod}, set); d.Outcome != Equipped {
				t.Fatal(d.Message())
			}
		}
		runtime.ReadMemStats(&after)
		return (after.TotalAlloc - before.TotalAlloc) / runs
	}
	memory(1) // fills pools
	few, many := memory(1), memory(1000)
	if many > few+few/10 {
		t.Errorf("a pod with 1 variable takes %d bytes, and one with 1,000 takes %d", few, many)
	}
}

func TestWhatIsNoPodIsToldByItsPlace(t *testing.T) {
	t.Parallel()
	for object, want := range map[string]string{
		`{"metadata":{"labels":{"a":1}}}`:                                `the object is no core/v1 Pod: "/metadata/labels/a" cannot be this number`,
		`{"spec":{"containers":{}}}`:                                     `the object is no core/v1 Pod: "/spec/containers" cannot be an object`,
		`{"spec":{"containers":[{},{"env":"s3cr3t"}]}}`:                  `the object is no core/v1 Pod: "/spec/containers/1/env" cannot be this string`,
		`{"spec":{"securityContext":{"runAsUser":"s3cr3t"}}}`:            `the object is no core/v1 Pod: "/spec/securityContext/runAsUser" cannot be this string`,
		`{"spec":{"containers":[{"resources":{"limits":{"cpu":"x"}}}]}}`: `the object is no core/v1 Pod: "/spec/containers/0/resources/limits/cpu" cannot be this string`,
		`[]`:        `the object is no core/v1 Pod: "" cannot be a list`,
		`{"spec":{`: `the object is no core/v1 Pod: it is no JSON after 9 bytes: it ends too early`,
		`{} {}`:     `the object is no core/v1 Pod: it is no JSON after 3 bytes: invalid character '{' after top-level value`,
	} {
		_, err := DecodePod([]byte(object))
		if err == nil || err.Error() != want {
			t.Errorf("%s:\ngot  %v\nwant %s", object, err, want)
		}
	}
}
