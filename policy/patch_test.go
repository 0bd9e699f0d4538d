package policy

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestValuesAreMarshalledAsTheEncoderDoes fills every field of all that can be
// added, those included that a later version of a type may have.
func TestValuesAreMarshalledAsTheEncoderDoes(t *testing.T) {
	t.Parallel()
	var volume secretVolumeJSON
	var mount mountJSON
	var toleration corev1.Toleration
	var plain, fromSecret EnvVar
	for _, v := range []any{&volume, &mount, &toleration, &plain, &fromSecret} {
		fill(reflect.ValueOf(v).Elem())
	}
	plain.ValueFrom, fromSecret.Value = nil, nil
	values := []any{
		volume, mount, toleration, &plain, &fromSecret, secretVolumeJSON{}, mountJSON{}, corev1.Toleration{}, &EnvVar{}, "", "a\"<>&\u2028\n\x00é",
		&[]any{}, &[]any{mount, "b", toleration}, map[string]any{}, map[string]any{"b": "c", "a": map[string]any{"x": "y"}, "<": "1"},
	}
	for _, v := range values {
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
		if got := marshalled(nil, v); !sameJSON(t, got, want.Bytes()) {
			t.Errorf("got  %s\nwant %s", got, want.Bytes())
		}
	}
}

// fill gives every field a value that is not its zero value.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("tex\"t")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		v.SetInt(-7)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0))
		fill(v.Index(1))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	default:
		panic("no value for a " + v.Kind().String())
	}
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Fatalf("%v: %s", err, a)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(x, y)
}
