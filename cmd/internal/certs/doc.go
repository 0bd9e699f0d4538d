// Package certs decides how the serving certificate of a webhook is made and
// replaced, so that at every moment, and wherever the process is stopped, each
// certificate that a server may be serving is trusted by each caBundle that an
// API server may be using.
//
// Each serving certificate has an authority of its own, whose key is forgotten
// when it has signed: nothing but the serving key is worth stealing, and the one
// way to a new certificate is the way that every rotation takes:
//
//	Issue    a new pair is written to the Secret, beside the one that is served
//	Trust    its authority joins the caBundles
//	         for the time of the overlap, every API server gets to know that
//	Promote  it becomes the served pair; servers pick it up within minutes
//	         for the time of retaining, servers that have not are still trusted
//	Forget   what else was trusted leaves the Secret, and then, by Trust, the caBundles
//
// Nothing is remembered but what the Secret and the bundles hold, and each step
// is one write. It knows no API server: values in, decision out, the clock
// included. What wears off with time is told by clocks that no setting of the
// wall clock moves (State.NextTrusted, State.CurrentInPlace).
//
// Reading order: Pair (pair.go), Secret (secret.go), Plan (plan.go).
package certs
