// Package cluster runs a real control plane, etcd and kube-apiserver, for as long as a test or a demo needs one.
//
// It answers one question: how do I talk to a Kubernetes API server, as an administrator or as any service account?
// There are no nodes and no controllers: what is created stays as it was admitted, which is just what an admission
// webhook's tests look at. A namespace gets no default service account by itself (Cluster.Namespace makes one) and
// never finishes deleting; the whole cluster is thrown away instead.
//
// Reading order: Assets, Start and Stop (start.go), then what a running Cluster offers: Namespace, Apply
// (objects.go), ServiceAccount, WriteKubeconfig (identity.go).
package cluster
