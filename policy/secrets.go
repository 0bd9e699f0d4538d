package policy

import (
	"fmt"
	"path"
	"slices"
)

// mount is what is mounted in a container, by the pod or by a policy so far.
type mount struct {
	path   string // clean
	volume string
	secret string // the Secret it shows, or empty
	items  []KeyToPath
	mode   int32
	sub    string
	policy string // who planned it, or empty where it came with the pod
	tree   bool   // nothing can be mounted below it
	ours   bool   // the volume is of an earlier pass of our own
}

// addSecret mounts the secret into each of its containers and, for a preset,
// sets the environment variables that name its files. Where the pod has the
// same Secret at the same path it is kept as it is.
func (p *plan) addSecret(c *compiled, s *secret) {
	pod := p.req.Pod
	nonRoot, _ := pod.runsAsNonRoot(&pod.Spec.Containers[p.build])
	dir := s.dir(nonRoot)
	targets, ok := p.targets(c, s)
	if !ok {
		return
	}
	mode := p.fileMode(s, targets)
	volume := s.volume(mode)
	have := pod.volume(volume.Name)
	switch mounting := p.seenBy(volume.Name); {
	case have != nil && !volume.same(have):
		p.refuse(c, "rename the volume in the runner's configuration", "the pod comes with another volume named %s", volume.Name)
		return
	case have == nil && len(mounting) > 0:
		p.refuse(c, "take those mounts out of the runner's configuration",
			"%s would see Secret %q: there are mounts of the volume %s, which is not in the pod yet", joinWords(mounting, "and"), s.name, volume.Name)
		return
	}
	for _, i := range targets {
		if there, ok := p.collide(c, s, dir, i, mode); ok && there == nil {
			p.addMount(c, s, &volume, i, dir)
		}
	}
	if s.preset != nil {
		p.addPresetEnv(c, s, dir, nonRoot, mode)
	}
}

// targets are the indices of the containers that the secret is for.
func (p *plan) targets(c *compiled, s *secret) ([]int, bool) {
	var targets []int
	for _, name := range s.containers {
		found := p.req.Pod.containers(name)
		if name == containerHelper && isSteps(p.req) {
			return nil, false // which is refused as an obstacle
		}
		if len(found) != 1 {
			p.refuse(c, "take "+name+" out of the policy's containers, or hand it to other jobs only",
				"Secret %q is for the container %s, and the pod has %d of that name", s.name, name, len(found))
			return nil, false
		}
		targets = append(targets, found[0])
	}
	return targets, true
}

func (p *plan) addMount(c *compiled, s *secret, volume *secretVolumeJSON, container int, dir string) {
	pod := p.req.Pod
	if !p.volumes[volume.Name] && pod.volume(volume.Name) == nil {
		p.add(c, "/spec/volumes", "", levels(pod.Spec.Volumes == nil), *volume)
	}
	p.volumes[volume.Name] = true
	p.addTo(c, container, "volumeMounts", "", levels(pod.Spec.Containers[container].VolumeMounts == nil),
		mountJSON{Name: volume.Name, MountPath: dir, SubPath: s.subPath, ReadOnly: true})
	p.mounts[container] = append(p.mountsOf(container), mount{
		path: dir, volume: volume.Name, secret: s.name, items: s.items, mode: volume.Secret.DefaultMode,
		sub: s.subPath, policy: c.origin, tree: true,
	})
}

// usualMounts is room for what a container usually gets, so that the list need
// not grow.
const usualMounts = 4

// mountsOf are the mounts of a container, those planned included.
func (p *plan) mountsOf(container int) []mount {
	if mounts, ok := p.mounts[container]; ok {
		return mounts
	}
	pod := p.req.Pod
	there := pod.Spec.Containers[container].VolumeMounts
	mounts := make([]mount, 0, len(there)+usualMounts)
	for _, m := range there {
		have := mount{path: rooted(m.MountPath), volume: m.Name, sub: m.SubPath, tree: m.ReadOnly}
		if v := pod.volume(m.Name); v != nil {
			have.tree, have.ours = have.tree || v.readOnlyTree(), v.isOurs()
			if v.Secret != nil {
				have.secret, have.items, have.mode = v.Secret.SecretName, v.Secret.Items, 0o644
				if v.Secret.DefaultMode != nil {
					have.mode = *v.Secret.DefaultMode
				}
			}
		}
		mounts = append(mounts, have)
	}
	p.mounts[container] = mounts
	return mounts
}

// rooted is a path as the kubelet takes it, from the root; one that is so
// already, as most are, is not copied.
func rooted(name string) string {
	if !path.IsAbs(name) {
		name = "/" + name
	}
	return path.Clean(name)
}

// collide holds the secret against the mounts of a container. It returns the
// mount that serves already, if one does, and false where there are conflicts.
func (p *plan) collide(c *compiled, s *secret, dir string, container int, mode int32) (*mount, bool) {
	var there *mount
	ok := true
	name := p.req.Pod.Spec.Containers[container].Name
	refuse := func(m *mount, format string, args ...any) {
		what := fmt.Sprintf("container %s: Secret %q is to be mounted at %s", name, s.name, dir)
		p.refuse(c, p.wayOut(m), "%s, %s", what, fmt.Sprintf(format, args...))
		ok = false
	}
	for i, m := range p.mountsOf(container) {
		switch {
		case m.path == dir && m.secret == s.name:
			there = &p.mounts[container][i]
			p.noteMounted(c, s, there, mode)
		case m.path == dir:
			refuse(&m, "where %s is", m.describe())
		case within(m.path, dir):
			refuse(&m, "and %s is mounted below it at %s", m.describe(), m.path)
		case within(dir, m.path) && m.tree:
			refuse(&m, "below %s at %s, which is read-only", m.describe(), m.path)
		}
	}
	return there, ok
}

func (m *mount) describe() string {
	what := fmt.Sprintf("volume %q", m.volume)
	if m.secret != "" {
		what = fmt.Sprintf("Secret %q", m.secret)
	}
	if m.policy != "" {
		what += " of " + m.policy
	}
	return what
}

func (p *plan) wayOut(m *mount) string {
	if m.policy != "" {
		return "choose another mountPath or home in one of the two policies, or let only one match"
	}
	return "take that mount out of the runner's configuration, or choose another mountPath or home in the policy"
}

// noteMounted says that the Secret is there already, and who else sees it.
func (p *plan) noteMounted(c *compiled, s *secret, there *mount, mode int32) {
	differs := there.mode != mode || there.sub != s.subPath || !slices.Equal(there.items, s.items)
	switch {
	case there.policy != "":
		if differs {
			p.note(c, "Secret %q is already mounted at %s by %s with other keys, mode or subPath, and is kept so", s.name, there.path, there.policy)
		}
	case there.ours:
	case slices.Equal(p.seenBy(there.volume), s.containers) && there.mode == mode:
		p.note(c, "Secret %q is already mounted at %s by the runner, and is kept so", s.name, there.path)
	default:
		p.warn(c, fmt.Sprintf("remove it from the runner's configuration, so that only %s sees it, with mode %#o", joinWords(s.containers, "and"), mode),
			"Secret %q is already mounted at %s by the runner, in %s, with mode %#o, and is kept so",
			s.name, there.path, joinWords(p.seenBy(there.volume), "and"), there.mode)
	}
}

// seenBy are the names of all containers that mount the volume.
func (p *plan) seenBy(volume string) []string {
	var names []string
	for _, containers := range [][]Container{p.req.Pod.Spec.Containers, p.req.Pod.Spec.InitContainers} {
		for _, c := range containers {
			if slices.ContainsFunc(c.VolumeMounts, func(m VolumeMount) bool { return m.Name == volume }) {
				names = append(names, c.Name)
			}
		}
	}
	return names
}

// fileMode is the mode with which every target container's user can read the
// files, and no wider. The kubelet makes them root's; in a pod with an fsGroup
// it adds that group and lets it read, whatever the mode says. A user that is
// not root and whose group is not known needs the bits for everybody and, since
// that group may be root's (an image's default), the group's too; the files are
// in no other container than those that the policy names.
func (p *plan) fileMode(s *secret, targets []int) int32 {
	mode, security := s.usualMode(), p.req.Pod.Spec.SecurityContext
	if s.mode != nil || security.FSGroup != nil {
		return mode
	}
	for _, i := range targets {
		nonRoot, group := p.req.Pod.runsAsNonRoot(&p.req.Pod.Spec.Containers[i])
		switch {
		case !nonRoot:
		case group != nil && *group == 0 || slices.Contains(security.SupplementalGroups, 0):
			mode |= 0o040
		default:
			mode |= 0o044
		}
	}
	return mode
}

// addPresetEnv sets the variables that name the preset's files, and notes what
// the pod comes with that will surprise.
func (p *plan) addPresetEnv(c *compiled, s *secret, dir string, nonRoot bool, mode int32) {
	groupReadable := p.req.Pod.Spec.SecurityContext.FSGroup != nil
	switch {
	case s.preset.needsExactMode == "":
	case groupReadable:
		p.note(c, "the pod has an fsGroup, which lets that group read the files of Secret %q: %s", s.name, s.preset.needsExactMode)
	case mode != s.preset.mode:
		p.note(c, "build does not run as root, so the files of Secret %q have the mode %#o: %s", s.name, mode, s.preset.needsExactMode)
	}
	for _, name := range s.preset.overrides {
		if have := p.inPod(name); have != nil && !c.sets(have) {
			p.warn(c, "take it out of .gitlab-ci.yml", "the job sets %s, which overrides that field of Secret %q", name, s.name)
		}
	}
	vars := s.preset.env(dir, s.items, groupReadable && !nonRoot)
	for i := range vars {
		p.addEnv(c, &vars[i])
	}
}
