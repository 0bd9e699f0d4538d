// Package policytest is the corpus: what Quartermaster does, as one folder a
// behaviour in policy/testdata, named like the sentence that it proves.
//
// A case holds
//
//   - review.json, an AdmissionReview as a real API server sent it, or
//     request.yaml, a pod derived from one or written out (see [request]);
//   - policy.yaml, the manifests that are applied beforehand;
//   - want.yaml, what the API server answers then: the stored Pod, without what
//     no two creations have in common, or the Status that refuses it;
//   - notes.txt, if there is anything: what the decision remarks, one line each.
//
// The same cases run through policy.Decide, the HTTP handler, the CLI and a
// real API server. Each of these runners loads them with [Load] and holds what
// came out against the case with [Check]. The runner in package policy alone
// rewrites want.yaml and notes.txt:
//
//	go test ./policy -run TestCorpus -update
package policytest
