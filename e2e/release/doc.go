// Package release installs the chart charts/quartermaster on a cluster without nodes: every object as Helm renders it,
// and the webhook server as a child process in place of the Deployment's pods.
//
// It answers one question: what happens to a pod when this chart is installed? So the server runs with the arguments of
// the rendered Deployment and with the rights of the rendered service account, and the rendered webhook configuration is
// registered; what differs is only what nodes would have provided: addresses on the loopback device, a serving
// certificate (so the chart's mode is always "provided") and the account's token as files.
//
// Reading order: Render (render.go), Install and Stop (release.go), the child process (server.go), Settle (settle.go).
package release
