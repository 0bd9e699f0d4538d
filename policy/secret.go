package policy

import (
	"crypto/sha256"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
)

// secret is a [SecretMount] compiled: presets spelled out, defaults filled.
type secret struct {
	name       string
	preset     *preset // nil where it was spelled out
	home       string
	mountPath  string
	subPath    string
	items      []KeyToPath
	mode       *int32 // nil: follow the pod
	containers []string
	index      int32 // in inject.secrets
	optional   bool
	usual      string // name of the volume in a pod whose containers are root
}

// usualMode is the mode of the files in a pod whose containers are root.
func (s *secret) usualMode() int32 {
	switch {
	case s.mode != nil:
		return *s.mode
	case s.preset != nil:
		return s.preset.mode
	default:
		return 0o600
	}
}

// field is its path in the document.
func (s *secret) field() string { return fmt.Sprintf("inject.secrets[%d]", s.index) }

// defaultHome is where presets put their files for root.
const defaultHome = "/root"

// dir is where the secret is mounted. A user that is not root cannot enter
// /root: most images ship it with mode 0700.
func (s *secret) dir(nonRoot bool) string {
	switch {
	case s.preset == nil:
		return s.mountPath
	case s.home != "":
		return path.Join(s.home, s.preset.dir)
	case nonRoot:
		return path.Join("/run/quartermaster", s.preset.name)
	default:
		return path.Join(defaultHome, s.preset.dir)
	}
}

// volume is the pod volume that shows the secret with a mode.
func (s *secret) volume(mode int32) secretVolumeJSON {
	v := secretVolumeJSON{}
	v.Secret.SecretName, v.Secret.Items, v.Secret.DefaultMode = s.name, s.items, mode
	if s.optional {
		v.Secret.Optional = &s.optional
	}
	if v.Name = s.usual; mode != s.usualMode() {
		v.Name = volumeName(s, mode)
	}
	return v
}

// secretVolumeJSON is a volume as it is written into a pod.
type secretVolumeJSON struct {
	Name   string `json:"name"`
	Secret struct {
		SecretName  string      `json:"secretName"`
		Items       []KeyToPath `json:"items,omitempty"`
		DefaultMode int32       `json:"defaultMode"`
		Optional    *bool       `json:"optional,omitempty"`
	} `json:"secret"`
}

// mountJSON is a mount as it is written into a container.
type mountJSON struct {
	Name      string `json:"name"`
	MountPath string `json:"mountPath"`
	SubPath   string `json:"subPath,omitempty"`
	ReadOnly  bool   `json:"readOnly"`
}

// volumePrefix marks the volumes that we add.
const volumePrefix = "qm-"

// volumeName is one name for each distinct source, the same on every pass. A
// Secret's name may hold dots and 253 characters, a volume's neither.
func volumeName(s *secret, mode int32) string {
	source := append(appendText([]byte{'['}, s.name), ',')
	if s.items == nil {
		source = append(source, "null,"...)
	} else {
		source = append(appendItems(source, s.items), ',')
	}
	source = strconv.AppendBool(append(strconv.AppendInt(source, int64(mode), 10), ','), s.optional)
	sum := sha256.Sum256(append(source, ']'))
	readable := strings.ReplaceAll(s.name, ".", "-")
	readable = strings.TrimRight(readable[:min(len(readable), utilvalidation.DNS1123LabelMaxLength-len(volumePrefix)-9)], "-")
	return fmt.Sprintf("%s%s-%x", volumePrefix, readable, sum[:4])
}

// same tells whether a volume of a pod is the one that we would add.
func (v *secretVolumeJSON) same(have *Volume) bool {
	return have.Secret != nil && have.Secret.SecretName == v.Secret.SecretName &&
		slices.Equal(have.Secret.Items, v.Secret.Items) &&
		have.Secret.DefaultMode != nil && *have.Secret.DefaultMode == v.Secret.DefaultMode &&
		isTrue(have.Secret.Optional) == isTrue(v.Secret.Optional)
}

// isOurs tells whether the volume is one that we add: its name follows from its source.
func (v *Volume) isOurs() bool {
	if v.Secret == nil || v.Secret.DefaultMode == nil || !strings.HasPrefix(v.Name, volumePrefix) {
		return false
	}
	s := secret{name: v.Secret.SecretName, items: v.Secret.Items, optional: isTrue(v.Secret.Optional)}
	return v.Name == volumeName(&s, *v.Secret.DefaultMode)
}

func isTrue(b *bool) bool { return b != nil && *b }

// handsPreset tells whether the policy names a preset.
func (c *compiled) handsPreset() bool {
	return slices.ContainsFunc(c.secrets, func(s secret) bool { return s.preset != nil })
}

// namesContainer tells whether the policy mounts anything into that container.
func (c *compiled) namesContainer(name string) bool {
	return slices.ContainsFunc(c.secrets, func(s secret) bool { return slices.Contains(s.containers, name) })
}
