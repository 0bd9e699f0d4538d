// Package build makes the binaries that the end-to-end tests and the demo run: Kubernetes, helm, cert-manager and
// promtool from nested modules of e2e/, which pin their versions, and the programs of this module, the race detector
// included on demand. It also finds the CustomResourceDefinitions that come with such modules.
//
// It answers one question: where is the binary, made from the source as it stands now? It knows nothing of clusters.
// Everything lands in bin/ at the top of the repository, under a name that only a finished build ever gets, so that
// an interrupted build is never taken for a good one. It imports little, so that it can be the first thing that runs
// after a clone and tell how far the long first build is.
//
// Reading order: ControlPlane and Node (controlplane.go), Helm, CertManager and Promtool (tools.go), what these are all
// made by (toolset.go), the CRDs (crds.go), Program (program.go), then what all stand on: goCommand (gocommand.go),
// progress (progress.go), lock (lock.go), Root (root.go).
package build
