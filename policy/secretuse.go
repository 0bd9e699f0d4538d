package policy

import (
	"slices"
	"strings"
)

// SecretUse is a Secret that a policy names, and what a pod that the policy
// equips waits for.
type SecretUse struct {
	// Name of the Secret, in the pod's own namespace.
	Name string
	// Keys that it must hold, sorted; none where the policy takes what there is.
	Keys []string
	// Optional lets the pod start without the Secret and its keys.
	Optional bool
}

// Secrets are those that the policy of that name (as in [Verdict]) hands out,
// as files or variables, in its order. There are two for a Secret that the
// policy needs in one place and not in another.
func (s *Set) Secrets(policy string) []SecretUse {
	var uses []SecretUse
	add := func(name string, optional bool, keys ...string) {
		i := slices.IndexFunc(uses, func(u SecretUse) bool { return u.Name == name && u.Optional == optional })
		if i < 0 {
			i = len(uses)
			uses = append(uses, SecretUse{Name: name, Optional: optional})
		}
		keys = slices.Concat(uses[i].Keys, keys)
		slices.Sort(keys)
		uses[i].Keys = slices.Compact(keys)
	}
	for _, c := range s.policies {
		if c.origin != policy {
			continue
		}
		for i := range c.secrets {
			add(c.secrets[i].name, c.secrets[i].optional, c.secrets[i].keys()...)
		}
		for _, e := range c.inject.Env {
			if e.ValueFrom != nil {
				ref := e.ValueFrom.SecretKeyRef
				add(ref.Name, isTrue(ref.Optional), ref.Key)
			}
		}
	}
	return uses
}

// keys are those without which the kubelet does not start the pod: each of the
// items and, where all keys are shown, the one that a subPath mounts.
func (s *secret) keys() []string {
	if s.items == nil && s.subPath != "" && !strings.Contains(s.subPath, "/") {
		return []string{s.subPath}
	}
	keys := make([]string, len(s.items))
	for i, item := range s.items {
		keys[i] = item.Key
	}
	return keys
}
