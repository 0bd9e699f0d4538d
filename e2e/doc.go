// Package e2e holds the tests against a real API server: one control plane and one release of the chart, its server built
// with the race detector, for all of them. Its packages are tools that the demo uses as well: cluster (a control plane),
// release (the chart, installed), both without nodes.
//
// A test takes a namespace of its own from namespace, writes policies with writePolicy, and asks for pods as a dry run
// with create; see helpers_test.go. Tests run in parallel: what is shared (webhook configuration, other namespaces) is
// not to be changed.
package e2e
