package policy

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"quartermaster.dev/policy/jsonscan"
)

// Env is the list of a container's environment variables: JSON as it came, not
// even a copy, and nil where it is absent or null. A job has hundreds of them
// and a decision asks for a few, so the list is searched instead of decoded.
// It holds secrets, and prints as nothing.
type Env []byte

// MarshalJSON hides the variables.
func (Env) MarshalJSON() ([]byte, error) { return []byte(`"hidden"`), nil }

// Format hides the variables, whatever the verb.
func (Env) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "hidden") }

// podEnvVar is a variable as it came: members are JSON, or nil where they are
// absent or null.
type podEnvVar struct {
	name             string
	value, valueFrom jsonscan.Value
}

// find returns the variables that are asked for by their names, each the last
// of its name, as for the kubelet. It goes through the list once. What is no
// variable is passed over: no API server sends it.
func (e Env) find(asked func(name []byte) bool) []podEnvVar {
	if len(e) == 0 {
		return nil
	}
	var found []podEnvVar
	in := jsonscan.Value(e).Scan()
	in.List(func() {
		if in.Kind() != '{' {
			return
		}
		var name []byte
		var value, valueFrom jsonscan.Value
		in.Object(func(key []byte) {
			switch string(key) {
			case "name":
				name = nil
				if in.Kind() == '"' {
					name = in.Bytes()
				}
			case "value":
				value = in.Value()
			case "valueFrom":
				valueFrom = in.Value()
			}
		})
		if name == nil || !asked(name) {
			return
		}
		v := podEnvVar{string(name), notNull(value), notNull(valueFrom)}
		if i := slices.IndexFunc(found, func(before podEnvVar) bool { return before.name == v.name }); i >= 0 {
			found[i] = v
		} else {
			found = append(found, v)
		}
	})
	return found
}

func notNull(value jsonscan.Value) jsonscan.Value {
	if value.Null() {
		return nil
	}
	return value
}

// has tells whether there is a variable of that name, which is of letters. Most
// lists need not be gone through: a name that is there stands there, unless its
// letters are escaped, which no encoder does without need.
func (e Env) has(name string) bool {
	if !bytes.Contains(e, []byte(name)) && !bytes.Contains(e, []byte(`\u00`)) {
		return false
	}
	return len(e.find(func(n []byte) bool { return string(n) == name })) > 0
}
