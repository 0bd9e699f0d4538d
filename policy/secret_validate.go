package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
)

// shellSafe is what a path may hold that ends up in a shell command.
var shellSafe = regexp.MustCompile(`^[A-Za-z0-9/._+@-]*$`)

// onlyBuild are the containers that see a Secret where the policy names none.
var onlyBuild = []string{containerBuild}

func validateSecrets(mounts []SecretMount, r *report) []secret {
	secrets := make([]secret, 0, len(mounts))
	for i := range mounts {
		s := validateSecret(i, &mounts[i], r)
		for j := range secrets {
			s.validateBeside(&secrets[j], r)
		}
		secrets = append(secrets, s)
	}
	return secrets
}

func validateSecret(index int, m *SecretMount, r *report) secret {
	s := secret{
		name: m.Name, home: m.Home, mountPath: m.MountPath, subPath: m.SubPath, items: m.Items,
		mode: m.DefaultMode, optional: isTrue(m.Optional), containers: m.Containers, index: int32(index),
	}
	validateSecretName(s.field()+".name", m.Name, r)
	if m.Containers == nil {
		s.containers = onlyBuild
	}
	if m.Preset != "" {
		s.validatePreset(m, r)
	} else {
		s.validateSpelledOut(m, r)
	}
	s.usual = volumeName(&s, s.usualMode())
	return s
}

// validatePreset checks an entry that names a preset: the preset says the rest.
func (s *secret) validatePreset(m *SecretMount, r *report) {
	at := s.field()
	s.preset = presetNamed(m.Preset)
	if s.preset == nil {
		hint := "known here: " + strings.Join(Presets(), ", ")
		if best := nearest(m.Preset, Presets()); best != "" {
			hint = fmt.Sprintf("did you mean %q?", best)
		}
		r.errorf(at+".preset", hint, "%q is no preset", m.Preset)
		return
	}
	for _, given := range []struct {
		field string
		is    bool
	}{
		{"mountPath", m.MountPath != ""}, {"items", m.Items != nil}, {"subPath", m.SubPath != ""},
		{"defaultMode", m.DefaultMode != nil}, {"containers", m.Containers != nil},
	} {
		if given.is {
			r.errorf(at+"."+given.field, "leave it out, or spell the Secret out without preset", "goes with mountPath; the preset %s says it itself", m.Preset)
		}
	}
	s.items = s.preset.items
	if m.Key != "" {
		s.validateKey(m, r)
	}
	if m.Home != "" {
		validatePath(at+".home", m.Home, r)
		if !shellSafe.MatchString(m.Home) {
			r.errorf(at+".home", "use letters, digits and . _ + @ -", "%q cannot be named safely in a command", m.Home)
		}
		validateMountPath(at+".home", s.dir(false), r)
	}
}

func (s *secret) validateKey(m *SecretMount, r *report) {
	at := s.field() + ".key"
	if s.preset.name != "ssh" {
		r.errorf(at, "leave it out", "the preset %s has fixed keys: %s", m.Preset, keys(s.items))
		return
	}
	r.invalid(at, "key of a Secret", m.Key, utilvalidation.IsConfigMapKey(m.Key))
	if m.Key == s.items[1].Key {
		r.errorf(at, "name the key of the private key", "%q holds the host keys", m.Key)
	}
	s.items = []KeyToPath{{Key: m.Key, Path: m.Key}, s.items[1]}
}

func keys(items []KeyToPath) string {
	names := make([]string, len(items))
	for i, item := range items {
		names[i] = item.Key
	}
	return strings.Join(names, ", ")
}

// validateSpelledOut checks an entry that says itself what is mounted where.
func (s *secret) validateSpelledOut(m *SecretMount, r *report) {
	at := s.field()
	for _, given := range []struct {
		field string
		is    bool
	}{{"home", m.Home != ""}, {"key", m.Key != ""}} {
		if given.is {
			r.errorf(at+"."+given.field, "leave it out, or name a preset", "goes with preset")
		}
	}
	if m.MountPath == "" {
		r.errorf(at+".mountPath", "say where, as /etc/npm, or name a preset: "+strings.Join(Presets(), ", "), "is missing")
	} else {
		validatePath(at+".mountPath", m.MountPath, r)
		validateMountPath(at+".mountPath", m.MountPath, r)
	}
	if m.DefaultMode != nil {
		validateMode(at+".defaultMode", *m.DefaultMode, r)
	}
	if m.SubPath != "" {
		validateRelative(at+".subPath", m.SubPath, r)
		r.warnf(at+".subPath", "mount the directory to see a new key at once", "a subPath mount keeps the bytes it started with when the Secret changes")
	}
	validateItems(at+".items", m.Items, r)
	if m.SubPath != "" && len(m.Items) > 0 && !slices.ContainsFunc(m.Items, func(i KeyToPath) bool { return i.Path == m.SubPath || within(i.Path, m.SubPath) }) {
		r.errorf(at+".subPath", "name the path of one of the items", "%q is none of the items, so that the container could not start", m.SubPath)
	}
	if m.Containers != nil && len(m.Containers) == 0 {
		r.errorf(at+".containers", "name build, helper or both, or leave the field out to mean build", "is an empty list")
	}
	validateContainerNames(at+".containers", m.Containers, r)
}

func validateItems(at string, items []KeyToPath, r *report) {
	if items != nil && len(items) == 0 {
		r.errorf(at, "name at least one key, or leave the field out to show all", "is an empty list")
	}
	for i, item := range items {
		here := fmt.Sprintf("%s[%d]", at, i)
		r.invalid(here+".key", "key of a Secret", item.Key, utilvalidation.IsConfigMapKey(item.Key))
		validateRelative(here+".path", item.Path, r)
		for _, other := range items[:i] {
			switch {
			case item.Path == other.Path:
				r.errorf(here+".path", "give each key a file of its own", "%q is the file of two keys", item.Path)
			case within(item.Path, other.Path) || within(other.Path, item.Path):
				r.errorf(here+".path", "choose another name", "%q and %q cannot both be files: one would be the other's directory", item.Path, other.Path)
			}
		}
	}
}

func validateContainerNames(at string, containers []string, r *report) {
	for i, name := range containers {
		here := fmt.Sprintf("%s[%d]", at, i)
		if name != containerBuild && name != containerHelper {
			r.errorf(here, "write build or helper", "%q is no container of the runner's own: the names of services are the job author's", name)
		}
		if slices.Contains(containers[:i], name) {
			r.errorf(here, "take one out", "%q is listed twice", name)
		}
	}
}

// validateMode checks the mode of files. A decimal that reads like an octal is
// the usual slip: 440 is 0670.
func validateMode(at string, mode int32, r *report) {
	if mode < 0 || mode > 0o777 {
		hint := "write an octal number such as 0400"
		if octal, err := strconv.ParseInt(fmt.Sprint(mode), 8, 32); err == nil && octal >= 0 && octal <= 0o777 {
			hint = fmt.Sprintf("write 0%d", mode)
		}
		r.errorf(at, hint, "%d is no mode of a file: the range is 0 to 0777", mode)
		return
	}
	switch digits := fmt.Sprint(mode); digits {
	case "400", "440", "444", "500", "550", "555":
		r.warnf(at, "write 0"+digits, "%s is decimal and means %#o", digits, mode)
	}
}

// validateBeside checks s against another entry of the same policy.
func (s *secret) validateBeside(other *secret, r *report) {
	for _, nonRoot := range []bool{false, true} {
		a, b := s.dir(nonRoot), other.dir(nonRoot)
		if a == "" || b == "" || !slices.ContainsFunc(s.containers, func(c string) bool { return slices.Contains(other.containers, c) }) {
			continue
		}
		switch {
		case a == b:
			r.errorf(s.field(), "give each a path of its own", "is mounted at %s, as %s is", a, other.field())
			return
		case within(a, b) || within(b, a):
			r.errorf(s.field(), "mount them beside each other", "is mounted at %s and %s at %s: one hides the other", a, other.field(), b)
			return
		}
	}
}
