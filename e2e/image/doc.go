// Package image makes the container images that the end-to-end tests run on a node, without a registry: Quartermaster's
// own, from the Dockerfile as it is, the one that job pods run, and the pause image that holds a pod's namespaces.
//
// It answers one question: where is the archive that containerd imports? It knows nothing of clusters. Nothing is
// pulled: the images that the Dockerfile begins with are stood in for by what this machine has, and so are the programs
// of a job.
//
// Reading order: Options (options.go), Build (build.go), the images that it stands in for (standins.go) and the program
// that it uses (buildah.go), Job (job.go), Pause (pause.go), then what all stand on: what any image has (base.go), its
// files (rootfs.go), the archive (archive.go).
package image
