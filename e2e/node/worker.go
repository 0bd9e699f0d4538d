package node

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// volumePluginDir is made by who is told of it, and by default lies below /usr, which is the machine's.
const volumePluginDir = "/var/lib/kubelet/volume-plugins"

// kubeletConfig is the kubelet's configuration, where it is not the default.
func (n *Node) kubeletConfig() ([]byte, error) {
	return yaml.Marshal(map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1",
		"kind":       "KubeletConfiguration",
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false},
			"webhook":   map[string]any{"enabled": true},
			"x509":      map[string]any{"clientCAFile": n.file("ca.crt")},
		},
		"authorization":            map[string]any{"mode": "Webhook"},
		"containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
		"registerWithTaints":       n.opts.Taints,
		"volumePluginDir":          volumePluginDir,
		"clusterDomain":            "cluster.local",
		"resolvConf":               "", // there are no names to resolve
		// How soon a changed Secret is in the pods that mount it; a minute by default.
		"syncFrequency": "1s",
		// The machine is not the node's alone.
		"cgroupDriver":                "cgroupfs",
		"cgroupRoot":                  "/" + controlGroup(n.Dir),
		"failCgroupV1":                false,
		"failSwapOn":                  false,
		"enforceNodeAllocatable":      []string{},
		"evictionHard":                map[string]string{"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
		"imageGCHighThresholdPercent": 100,
	})
}

// startWorker starts the kubelet and kube-proxy and waits until the node is Ready.
func (n *Node) startWorker(ctx context.Context, containerd *component) (err error) {
	config, err := n.kubeletConfig()
	if err != nil {
		return err
	}
	if err := os.WriteFile(n.file("kubelet.yaml"), config, 0o600); err != nil {
		return err
	}
	var labels []string
	for _, key := range slices.Sorted(maps.Keys(n.opts.Labels)) {
		labels = append(labels, key+"="+n.opts.Labels[key])
	}
	kubelet, err := n.start(filepath.Join(n.opts.Programs, "kubelet"),
		"--config="+n.file("kubelet.yaml"),
		"--kubeconfig="+n.file("kubelet.kubeconfig"),
		"--hostname-override="+Name,
		"--node-ip="+Address,
		"--node-labels="+strings.Join(labels, ","),
	)
	if err != nil {
		return err
	}
	proxy, err := n.start(filepath.Join(n.opts.Programs, "kube-proxy"),
		"--kubeconfig="+n.file("kube-proxy.kubeconfig"),
		"--hostname-override="+Name,
		"--proxy-mode=nftables",
		"--cluster-cidr="+podRange,
		// These settings of the kernel are the machine's, whatever namespace asks.
		"--conntrack-max-per-core=0", "--conntrack-min=0",
		"--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0",
	)
	if err != nil {
		return err
	}
	return kubelet.await(ctx, fmt.Sprintf("node %q does not become Ready", Name), func(ctx context.Context) error {
		return n.kubectl(ctx, "wait", "--for=condition=Ready", "node/"+Name, "--timeout=1s")
	}, containerd, proxy)
}
