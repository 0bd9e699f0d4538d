package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// runtimeConfig is containerd's configuration: what it says is different from the defaults.
const runtimeConfig = `version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = %q
  # Root in a container, as on a build machine, may lack the right to lower it.
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = %q
  conf_dir = %q
[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"
`

// networkConfig gives each pod a device of its own to the node, with the route that goes with it. Pods' addresses are
// not translated, so that they cannot leave the node's network.
const networkConfig = `{
  "cniVersion": "0.4.0",
  "name": "pods",
  "plugins": [{
    "type": "ptp",
    "ipMasq": false,
    "ipam": {"type": "host-local", "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}]}
  }]
}
`

// startRuntime starts containerd and gives it the images.
func (n *Node) startRuntime(ctx context.Context) (containerd *component, err error) {
	config, networks := n.file("containerd.toml"), n.file("cni")
	if err := os.Mkdir(networks, 0o755); err != nil {
		return nil, err
	}
	for file, text := range map[string]string{
		config:                                   fmt.Sprintf(runtimeConfig, n.opts.PauseImage, pluginDir, networks),
		filepath.Join(networks, "pods.conflist"): fmt.Sprintf(networkConfig, podRange),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	if containerd, err = n.start("containerd", "--config", config); err != nil {
		return nil, err
	}
	if err := containerd.await(ctx, "containerd does not answer", func(ctx context.Context) error {
		return n.run(ctx, "ctr", "version")
	}); err != nil {
		return nil, err
	}
	for _, archive := range n.opts.Archives {
		if err := n.run(ctx, "ctr", "--namespace", "k8s.io", "images", "import", archive); err != nil {
			return nil, err
		}
	}
	return containerd, nil
}
