// Package webhook is the adapter between the API server and package policy:
// an AdmissionReview comes in, [policy.Decide] decides, an AdmissionReview goes
// out. It decides nothing itself.
//
// Read it in this order:
//
//   - handler.go: one review, from bytes to bytes
//   - review.go: the envelope, and what is refused as no review at all
//   - store.go: the policies in force, one immutable set a namespace
//   - watch.go: from the ConfigMaps of the cluster to the store
//   - validate.go: one review of a policy that is being written
//   - reporter.go: what is told of policies, as Events on their ConfigMaps
//   - drain.go: how a replica ends without failing a request
//   - metrics.go: what is counted
package webhook
