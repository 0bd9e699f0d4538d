package explain

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"quartermaster.dev/policy"
)

// additions says what of a policy is added to the pod and, held against what
// would be added to a bare one, what was there already.
func (e *explainer) additions(name string, added, bare policy.Additions) (adds, has []Addition) {
	seen := map[string]bool{}
	for _, a := range added {
		if a.Policy != name {
			continue
		}
		seen[a.String()] = true
		if say, ok := e.say(&a, added); ok {
			adds = append(adds, say)
		}
	}
	for _, a := range bare {
		if a.Policy != name || seen[a.String()] || !e.pod(&a) || addedByAnother(&a, added) {
			continue
		}
		if say, ok := e.say(&a, bare); ok {
			has = append(has, say)
		}
	}
	return adds, has
}

// addedByAnother tells whether another policy adds the very same.
func addedByAnother(a *policy.Addition, added policy.Additions) bool {
	return slices.ContainsFunc(added, func(other policy.Addition) bool { return other.String() == a.String() })
}

// mountValue is the part of an added mount, or of a volume, that is told.
type mountValue struct {
	Name      string `json:"name"`
	MountPath string `json:"mountPath"`
	SubPath   string `json:"subPath"`
	Secret    *struct {
		SecretName  string `json:"secretName"`
		DefaultMode int32  `json:"defaultMode"`
	} `json:"secret"`
}

// valueOf reads what is added, if it is a mount or a volume.
func valueOf(a *policy.Addition) (mountValue, bool) {
	var v mountValue
	if a.Parent != "/spec/volumes" && !strings.HasSuffix(a.Parent, "/volumeMounts") {
		return v, false
	}
	text, err := json.Marshal(a.Value)
	return v, err == nil && json.Unmarshal(text, &v) == nil
}

// say puts an addition into words. A volume is told of with its mounts.
func (e *explainer) say(a *policy.Addition, among policy.Additions) (Addition, bool) {
	key := "-"
	if a.Key != "" {
		key = strings.NewReplacer("~", "~0", "/", "~1").Replace(a.Key)
	}
	said := Addition{What: inPlace(a.String()), Path: a.Parent + "/" + key}
	v, ok := valueOf(a)
	if !ok {
		return said, true
	}
	if v.Secret != nil {
		return said, false
	}
	at := v.MountPath
	if v.SubPath != "" {
		at += " (its file " + v.SubPath + ")"
	}
	for i := range among {
		if volume, ok := valueOf(&among[i]); ok && volume.Secret != nil && volume.Name == v.Name {
			said.What = fmt.Sprintf("Secret %q at %s in %s, with mode %#o", volume.Secret.SecretName, at, e.container(a), volume.Secret.DefaultMode)
			return said, true
		}
	}
	// The volume is there, from an earlier pass or for another container.
	for _, volume := range e.Request.Pod.Spec.Volumes {
		if volume.Name == v.Name && volume.Secret != nil {
			said.What = fmt.Sprintf("Secret %q at %s in %s", volume.Secret.SecretName, at, e.container(a))
		}
	}
	return said, true
}

// inPlace is "x in build" for "x to build".
func inPlace(what string) string {
	if i := strings.LastIndex(what, " to "); i >= 0 {
		return what[:i] + " in " + what[i+len(" to "):]
	}
	return what
}

// container is the name of the container that is added to.
func (e *explainer) container(a *policy.Addition) string {
	var i int
	if _, err := fmt.Sscanf(a.Parent, "/spec/containers/%d/", &i); err != nil || i >= len(e.Request.Pod.Spec.Containers) {
		return "the pod"
	}
	return e.Request.Pod.Spec.Containers[i].Name
}

// pod tells whether the pod itself has what would be added to a bare one. That
// is so of all but a Secret which the runner mounts in its own way and a
// resource of which it wants another quantity: of those, a note tells.
func (e *explainer) pod(a *policy.Addition) bool {
	v, ok := valueOf(a)
	if !ok {
		return !strings.Contains(a.Parent, "/resources/") || e.sets(a)
	}
	spec := &e.Request.Pod.Spec
	if v.Secret != nil {
		return slices.ContainsFunc(spec.Volumes, func(have policy.Volume) bool { return have.Name == v.Name })
	}
	return slices.ContainsFunc(spec.Containers, func(c policy.Container) bool {
		return c.Name == e.container(a) && slices.ContainsFunc(c.VolumeMounts, func(have policy.VolumeMount) bool {
			return have.Name == v.Name && have.MountPath == v.MountPath
		})
	})
}

// sets tells whether the pod says the same about a resource.
func (e *explainer) sets(a *policy.Addition) bool {
	for _, c := range e.Request.Pod.Spec.Containers {
		if c.Name != e.container(a) || c.Resources == nil {
			continue
		}
		list := c.Resources.Requests
		if strings.HasSuffix(a.Parent, "/limits") {
			list = c.Resources.Limits
		}
		have, ok := list[a.Key]
		return ok && have.String() == fmt.Sprint(a.Value)
	}
	return false
}

// bareAdditions are what the policies would add to the pod if it came with
// nothing of what they hand out. The difference is what was there already.
func (e *explainer) bareAdditions() policy.Additions {
	bare := *e.Request.Pod
	bare.Metadata.Annotations = nil
	bare.Spec.Volumes, bare.Spec.NodeSelector, bare.Spec.Tolerations = nil, nil, nil
	bare.Spec.Resources = policy.ContainerResources{}
	bare.Spec.Containers = slices.Clone(bare.Spec.Containers)
	for i := range bare.Spec.Containers {
		c := &bare.Spec.Containers[i]
		c.Env, c.VolumeMounts, c.Resources = nil, nil, nil
	}
	req := e.Request
	req.Pod = &bare
	d := policy.Decide(req, e.Set)
	return slices.Concat(d.Additions, d.WouldAdd)
}
