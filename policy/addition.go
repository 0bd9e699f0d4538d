package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Addition puts one value into a list or mapping of the pod. There is no other
// kind of change: nothing of the pod is removed, replaced, moved or renamed.
type Addition struct {
	// Policy that asked for it, or empty for the stamp.
	Policy string
	// Parent is the JSON pointer (RFC 6901) of the list or mapping.
	Parent string
	// Key in the mapping; empty to append to the list.
	Key string
	// Value as it is to be marshalled.
	Value any

	// container that it goes to, by name, or empty.
	container string
	// absent is how many levels at the end of Parent the pod does not have, or
	// has null there.
	absent int
}

// Additions are what a decision adds, in order.
type Additions []Addition

// operation is one operation of an RFC 6902 patch.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// Patch renders the additions as an RFC 6902 patch on the pod as it came. A
// list or mapping that the pod does not have is created by the first operation
// that needs it, holding all that goes into it: an add to a member that is
// null replaces the null. Without additions the patch is empty.
func (as Additions) Patch() ([]byte, error) {
	if len(as) == 0 {
		return nil, nil
	}
	p := patch{ops: make([]operation, 0, len(as))}
	for _, a := range as {
		switch {
		case a.absent == 0:
			p.ops = append(p.ops, operation{"add", a.Parent + "/" + a.member(), a.Value})
		case a.Key == "":
			list := p.list(a.Parent)
			*list = append(*list, a.Value)
		default:
			p.mapping(a.Parent, a.absent)[a.Key] = a.Value
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(p.ops)
	return bytes.TrimSpace(b.Bytes()), err
}

// patch is the operations so far, and the lists and mappings that they create.
type patch struct {
	ops      []operation
	lists    map[string]*[]any
	mappings map[string]map[string]any
}

func (p *patch) list(pointer string) *[]any {
	if p.lists[pointer] == nil {
		if p.lists == nil {
			p.lists = map[string]*[]any{}
		}
		p.lists[pointer] = new([]any)
		p.ops = append(p.ops, operation{"add", pointer, p.lists[pointer]})
	}
	return p.lists[pointer]
}

func (p *patch) mapping(pointer string, absent int) map[string]any {
	if m, ok := p.mappings[pointer]; ok {
		return m
	}
	if p.mappings == nil {
		p.mappings = map[string]map[string]any{}
	}
	m := map[string]any{}
	p.mappings[pointer] = m
	if absent > 1 {
		parent, key := path.Split(pointer)
		p.mapping(strings.TrimSuffix(parent, "/"), absent-1)[key] = m
	} else {
		p.ops = append(p.ops, operation{"add", pointer, m})
	}
	return m
}

var pointerEscaper = strings.NewReplacer("~", "~0", "/", "~1")

func (a *Addition) member() string {
	if a.Key == "" {
		return "-"
	}
	return pointerEscaper.Replace(a.Key)
}

// addTo plans an addition to a list or mapping of a container.
func (p *plan) addTo(c *compiled, container int, member, key string, absent int, value any) {
	p.add(c, "/spec/containers/"+strconv.Itoa(container)+"/"+member, key, absent, value)
	p.additions[len(p.additions)-1].container = p.req.Pod.Spec.Containers[container].Name
}

// String is what is added, in words, and no value of a variable.
func (a Addition) String() string {
	switch v := a.Value.(type) {
	case secretVolumeJSON:
		return fmt.Sprintf("Secret %q with mode %#o as volume %s", v.Secret.SecretName, v.Secret.DefaultMode, v.Name)
	case mountJSON:
		return fmt.Sprintf("%s of volume %s to %s", v.MountPath, v.Name, a.container)
	case *EnvVar:
		return fmt.Sprintf("the variable %s to %s", v.Name, a.container)
	case corev1.Toleration:
		return "the toleration " + describe(&v)
	}
	_, member := path.Split(a.Parent)
	if a.container != "" {
		return fmt.Sprintf("%s.%s of %v to %s", member, a.Key, a.Value, a.container)
	}
	return fmt.Sprintf("%s %s=%v", member, a.Key, a.Value)
}

// levels is 1 if the level is absent, else 0.
func levels(absent bool) int {
	if absent {
		return 1
	}
	return 0
}
