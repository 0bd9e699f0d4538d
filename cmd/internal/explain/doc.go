// Package explain answers one question: why does a job become what it becomes?
// For each policy it says whether it applies and which condition failed, what
// it adds and what was there already; and, where it may look into the cluster,
// whether the API server asks Quartermaster about the pod at all, and whether
// the Secrets are there that the job would wait for.
//
// It decides nothing: [policy.Decide] does. It shows no value of a variable and
// none of a Secret, and changes nothing in a cluster.
//
// Reading order: the report (report.go), how it is made of a decision
// (explain.go, policies.go, additions.go) and of what the cluster says
// (verdict.go, registration.go, selector.go, secrets.go), how that is read
// (cluster.go, read.go), how it is printed (text.go).
package explain
