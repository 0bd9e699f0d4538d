package policy

import (
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
