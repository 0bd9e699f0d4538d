package migrate

import (
	"path"
	"slices"
	"strings"

	"quartermaster.dev/policy"
)

// wellKnown is a preset of package policy as a mounted Secret shows it.
type wellKnown struct {
	preset string
	// dir is where the files are, below the home directory.
	dir string
	// items are the keys and their files.
	items []policy.KeyToPath
	// sure tells that a Secret mounted whole in dir has these keys, since nothing
	// would read it there if it had not.
	sure bool
	// variable names another file where the job's environment sets it.
	variable string
}

var wellKnowns = []wellKnown{
	{"scaleway", ".config/scw", []policy.KeyToPath{{Key: "config.yaml", Path: "config.yaml"}}, true, "SCW_CONFIG_PATH"},
	{"kubeconfig", ".kube", []policy.KeyToPath{{Key: "config", Path: "config"}}, true, "KUBECONFIG"},
	{"docker", ".docker", []policy.KeyToPath{{Key: ".dockerconfigjson", Path: "config.json"}}, false, "DOCKER_CONFIG"},
	{"aws", ".aws", []policy.KeyToPath{{Key: "config", Path: "config"}, {Key: "credentials", Path: "credentials"}}, false, "AWS_CONFIG_FILE"},
}

// asPreset is the mount as a preset, or false where none says the same.
func asPreset(m *policy.SecretMount, environment []string) (policy.SecretMount, bool) {
	shown, dir := m.Items, m.MountPath
	if m.SubPath != "" {
		shown, dir = singleFile(m), path.Dir(m.MountPath)
	}
	for _, w := range wellKnowns {
		home, ok := strings.CutSuffix(dir, "/"+w.dir)
		overridden := slices.ContainsFunc(environment, func(v string) bool { return strings.HasPrefix(v, w.variable+"=") })
		if ok && isHome(home) && (shown == nil && w.sure && !overridden || slices.Equal(byKey(shown), w.items)) {
			return preset(m.Name, w.preset, home), true
		}
	}
	if home, ok := strings.CutSuffix(dir, "/.ssh"); ok && isHome(home) && m.SubPath == "" {
		return asSSH(m, home)
	}
	return *m, false
}

// asSSH is the preset for a private key and the host keys under their own names.
func asSSH(m *policy.SecretMount, home string) (policy.SecretMount, bool) {
	var key string
	hosts := false
	for _, item := range m.Items {
		switch {
		case item.Key != item.Path:
			return *m, false
		case item.Key == "known_hosts":
			hosts = true
		default:
			key = item.Key
		}
	}
	if len(m.Items) != 2 || !hosts || key == "" {
		return *m, false
	}
	s := preset(m.Name, "ssh", home)
	if key != "ssh-privatekey" {
		s.Key = key
	}
	return s, true
}

func preset(secret, name, home string) policy.SecretMount {
	s := policy.SecretMount{Name: secret, Preset: name}
	if home != "/root" {
		s.Home = home
	}
	return s
}

// isHome tells whether a directory is somebody's.
func isHome(dir string) bool { return dir == "/root" || path.Dir(dir) == "/home" }

// singleFile is the key that a mount with sub_path shows, under the name of the
// file that it is mounted as.
func singleFile(m *policy.SecretMount) []policy.KeyToPath {
	key := m.SubPath
	if m.Items != nil {
		key = ""
		for _, item := range m.Items {
			if item.Path == m.SubPath {
				key = item.Key
			}
		}
	}
	return []policy.KeyToPath{{Key: key, Path: path.Base(m.MountPath)}}
}

func byKey(items []policy.KeyToPath) []policy.KeyToPath {
	items = slices.Clone(items)
	slices.SortFunc(items, func(a, b policy.KeyToPath) int { return strings.Compare(a.Key, b.Key) })
	return items
}
