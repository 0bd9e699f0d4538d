package node

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// pluginDir is where Debian puts the plugins of the Container Network Interface.
const pluginDir = "/usr/lib/cni"

// needed are the programs that are not built here, and the Debian packages that have them.
var needed = []struct{ program, pkg string }{
	{"containerd", "containerd"},
	{"ctr", "containerd"},
	{"runc", "runc"},
	{filepath.Join(pluginDir, "ptp"), "containernetworking-plugins"},
	{filepath.Join(pluginDir, "host-local"), "containernetworking-plugins"},
	{"nft", "nftables"},
	{"ip", "iproute2"},
	{"nsenter", "util-linux"},
	{"unshare", "util-linux"},
	{"mount", "mount"},
	{"find", "findutils"},
}

// CheckMachine returns an error that says what this machine lacks to run a node, and what to do about it.
func CheckMachine() error {
	if os.Geteuid() != 0 {
		return errors.New("a Kubernetes node makes namespaces, mounts and control groups, which takes root; run this as root")
	}
	var missing, packages []string
	for _, n := range needed {
		if _, err := exec.LookPath(n.program); err != nil {
			missing = append(missing, n.program)
			packages = append(packages, n.pkg)
		}
	}
	if len(missing) > 0 {
		packages = slices.Compact(packages)
		return fmt.Errorf("a Kubernetes node needs %s, which this machine does not have; install them:\n  apt-get install --no-install-recommends %s",
			strings.Join(missing, ", "), strings.Join(packages, " "))
	}
	return nil
}
