// Package policy decides what a GitLab job pod is handed.
//
// It answers one question: given a pod that is about to be created, who
// creates it and the policies of its namespace, what has to be added to the
// pod, or why must it be refused? It refuses to know anything else: there is
// no context, clock, logger, file or network in this package, its inputs are
// never modified, and the same input gives the same answer.
//
// Read it in this order:
//
//   - document.go: what a policy may say
//   - compile.go: from a ConfigMap to a [Source], with every [Problem] in it
//   - pod.go and kind.go: the part of a pod that a decision reads, and the kinds of pod
//   - match.go: which policies apply
//   - set.go: what is in force for a namespace, guardrail.go: what bounds it
//   - decide.go: [Decide], and the rules it applies, one file each
//     (secrets.go, env.go, nodeselector.go, toleration.go, resources.go)
//   - addition.go: what a decision adds, as an RFC 6902 patch
package policy
