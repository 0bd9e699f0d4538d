// Package node runs a real Kubernetes with one node on this machine, without Docker or a virtual machine, for as long as
// the end-to-end tests need pods that run: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, containerd,
// kubelet and kube-proxy. It takes root, and a few Debian packages that Start names when they are missing.
//
// Everything runs in network, mount and PID namespaces of the node's own. So it collides with nothing: ports, addresses,
// rules of nftables, /run, /var/lib and /var/log are the node's, at their usual places, and no packet of a pod leaves the
// machine. And so it leaves nothing behind: when the first process of a PID namespace ends, the kernel kills the others,
// whatever they are and whoever started them, and the mounts and the network go with the last of them. That first
// process ends when a pipe does which this process holds open, hence also when this process is killed.
//
// What the kernel does not keep apart are control groups: two kubelets on one machine would clean up after each other. A
// lock lets one node run at a time.
//
// Reading order: Start and Stop (node.go); the namespaces (namespaces.go and the two shell scripts beside it); what runs
// in them, in the order in which it starts: controlplane.go, runtime.go, worker.go; what those stand on: pki.go,
// component.go, lock.go.
package node
