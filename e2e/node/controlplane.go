package node

import (
	"context"
	"path/filepath"
)

// startControlPlane starts etcd and the API server, without waiting for them.
func (n *Node) startAPIServer() (apiServer *component, err error) {
	const etcdURL = "http://127.0.0.1:2379"
	if _, err := n.start(filepath.Join(n.opts.ControlPlane, "etcd"),
		"--data-dir=/var/lib/etcd",
		"--unsafe-no-fsync", // only data that outlive the machine need it
		"--listen-client-urls="+etcdURL,
		"--advertise-client-urls="+etcdURL,
		"--listen-peer-urls=http://127.0.0.1:2380",
	); err != nil {
		return nil, err
	}
	return n.start(filepath.Join(n.opts.ControlPlane, "kube-apiserver"),
		"--etcd-servers="+etcdURL,
		"--bind-address="+Address,
		"--advertise-address="+Address,
		"--tls-cert-file="+n.file("apiserver.crt"),
		"--tls-private-key-file="+n.file("apiserver.key"),
		"--client-ca-file="+n.file("ca.crt"),
		"--kubelet-client-certificate="+n.file("apiserver.crt"),
		"--kubelet-client-key="+n.file("apiserver.key"),
		"--kubelet-preferred-address-types=InternalIP", // nobody resolves the node's name
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+n.file("service-accounts.pub"),
		"--service-account-signing-key-file="+n.file("service-accounts.key"),
		"--service-cluster-ip-range="+serviceRange,
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged",
	)
}

// startControllers starts what needs an API server that is ready.
func (n *Node) startControllers() error {
	if _, err := n.start(filepath.Join(n.opts.Programs, "kube-controller-manager"),
		"--kubeconfig="+n.file("kube-controller-manager.kubeconfig"),
		"--service-account-private-key-file="+n.file("service-accounts.key"),
		"--root-ca-file="+n.file("ca.crt"),
		"--use-service-account-credentials",
		"--leader-elect=false",
		"--flex-volume-plugin-dir="+volumePluginDir,
	); err != nil {
		return err
	}
	_, err := n.start(filepath.Join(n.opts.Programs, "kube-scheduler"),
		"--kubeconfig="+n.file("kube-scheduler.kubeconfig"),
		"--leader-elect=false",
	)
	return err
}

// awaitAPIServer waits until the API server is ready.
func (n *Node) awaitAPIServer(ctx context.Context, apiServer *component) error {
	return apiServer.await(ctx, "the API server does not become ready", func(ctx context.Context) error {
		return n.kubectl(ctx, "get", "--raw", "/readyz")
	})
}
