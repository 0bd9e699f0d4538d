package policy

import "path"

// preset is a Secret whose keys, paths, mode and environment are known by name.
type preset struct {
	name string
	// dir is where the files are, below home.
	dir string
	// items are the keys of the Secret and their files below dir. The ssh
	// preset's private key is the first.
	items []KeyToPath
	mode  int32
	// needsExactMode says what breaks where the files are readable for a group,
	// as the kubelet makes them in a pod with an fsGroup; empty if nothing does.
	needsExactMode string
	// overrides are variables that win over the files, field by field.
	overrides []string
	// env is the environment that names the files in dir. With groupReadable
	// they belong to build's user and a group can read them.
	env func(dir string, items []KeyToPath, groupReadable bool) []EnvVar
	// sets are the names of those variables.
	sets []string
}

// withSets fills in what follows from the rest.
func withSets(presets []preset) []preset {
	for i := range presets {
		p := &presets[i]
		for _, e := range p.env("", p.items, false) {
			p.sets = append(p.sets, e.Name)
		}
	}
	return presets
}

func plainEnv(name, value string) EnvVar { return EnvVar{Name: name, Value: &value} }

// presets by name. Sources: scaleway-sdk-go scw/config.go and scw/path.go (the
// file must be 0600 to the bit, or scw warns on stdout), client-go
// tools/clientcmd (KUBECONFIG) and kubectl (KUBECACHEDIR, for the directory is
// read-only), docker config (DOCKER_CONFIG, and BUILDX_CONFIG for what
// buildx writes), the AWS CLI's environment variables, git-config core.sshCommand and ssh(1) (a private key that is the
// user's own and readable for others is refused).
var presets = withSets([]preset{{
	name:           "scaleway",
	dir:            ".config/scw",
	items:          []KeyToPath{{Key: "config.yaml", Path: "config.yaml"}},
	mode:           0o600,
	needsExactMode: "scw prints a warning on stdout for a file that is not 0600",
	overrides: []string{
		"SCW_ACCESS_KEY", "SCW_SECRET_KEY", "SCW_PROFILE", "SCW_API_URL",
		"SCW_DEFAULT_ORGANIZATION_ID", "SCW_DEFAULT_PROJECT_ID", "SCW_DEFAULT_REGION", "SCW_DEFAULT_ZONE",
		"SCALEWAY_ACCESS_KEY", "SCALEWAY_TOKEN", "SCW_TOKEN", "SCALEWAY_ORGANIZATION", "SCW_ORGANIZATION",
	},
	env: func(dir string, _ []KeyToPath, _ bool) []EnvVar {
		return []EnvVar{
			plainEnv("SCW_CONFIG_PATH", path.Join(dir, "config.yaml")),
			plainEnv("SCW_DISABLE_CHECK_VERSION", "true"),
		}
	},
}, {
	name:  "kubeconfig",
	dir:   ".kube",
	items: []KeyToPath{{Key: "config", Path: "config"}},
	mode:  0o600,
	env: func(dir string, _ []KeyToPath, _ bool) []EnvVar {
		return []EnvVar{
			plainEnv("KUBECONFIG", path.Join(dir, "config")),
			plainEnv("KUBECACHEDIR", "/tmp/.kube/cache"),
		}
	},
}, {
	name:  "ssh",
	dir:   ".ssh",
	items: []KeyToPath{{Key: "ssh-privatekey", Path: "ssh-privatekey"}, {Key: "known_hosts", Path: "known_hosts"}},
	mode:  0o400,
	env: func(dir string, items []KeyToPath, groupReadable bool) []EnvVar {
		key, prepare := path.Join(dir, items[0].Path), ""
		if groupReadable {
			// ssh refuses root's own key when a group can read it, and the kubelet
			// leaves no other mode in a pod with an fsGroup. git hands the command to
			// a shell, which makes a private copy. The kubelet reads "$$" as "$".
			private := "/tmp/.ssh-key-$$$$"
			prepare = "(umask 077 && cat " + key + " >" + private + ") && "
			key = private
		}
		return []EnvVar{plainEnv("GIT_SSH_COMMAND", prepare+"ssh -i "+key+
			" -o IdentitiesOnly=yes -o UserKnownHostsFile="+path.Join(dir, "known_hosts")+" -o StrictHostKeyChecking=yes")}
	},
}, {
	name:      "docker",
	dir:       ".docker",
	items:     []KeyToPath{{Key: ".dockerconfigjson", Path: "config.json"}},
	mode:      0o600,
	overrides: []string{"DOCKER_AUTH_CONFIG"},
	env: func(dir string, _ []KeyToPath, _ bool) []EnvVar {
		return []EnvVar{
			plainEnv("DOCKER_CONFIG", dir),
			plainEnv("BUILDX_CONFIG", "/tmp/.buildx"),
		}
	},
}, {
	name:      "aws",
	dir:       ".aws",
	items:     []KeyToPath{{Key: "credentials", Path: "credentials"}, {Key: "config", Path: "config"}},
	mode:      0o600,
	overrides: []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"},
	env: func(dir string, _ []KeyToPath, _ bool) []EnvVar {
		return []EnvVar{
			plainEnv("AWS_SHARED_CREDENTIALS_FILE", path.Join(dir, "credentials")),
			plainEnv("AWS_CONFIG_FILE", path.Join(dir, "config")),
		}
	},
}})

// Presets are the names of the presets, in the order of the reference.
func Presets() []string {
	names := make([]string, len(presets))
	for i := range presets {
		names[i] = presets[i].name
	}
	return names
}

func presetNamed(name string) *preset {
	for i := range presets {
		if presets[i].name == name {
			return &presets[i]
		}
	}
	return nil
}
