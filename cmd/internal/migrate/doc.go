// Package migrate turns the configuration of a GitLab Runner, the values of its
// Helm chart or a config.toml, into policies and what is left of it.
//
// It answers what moves, what stays and what to look at. It reads and writes no
// files, asks no cluster, and never tells the value of a token.
//
// Reading order: [Read] finds the runners of a file (values.go, runner.go, on
// top of toml.go, template.go and yaml.go), [Config.Audit] says what is unwise
// about them (audit.go), [Config.Migrate] moves what policies can hold (move.go,
// document.go, cut.go), and [Result.Verify] proves on a pod what that changes
// (verify.go).
package migrate
