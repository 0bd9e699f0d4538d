// Package chart makes what is generated from the chart charts/quartermaster, and its tests hold the chart against what is
// promised of it: on a real API server, against the types of cert-manager, and with every combination of its optional parts.
//
// It answers one question: what must be written where, so that everything is said once? values.yaml says what a value
// means; the chart's README.md and values.schema.json repeat it. The templates say what is installed; manifests/install.yaml
// repeats it for those who have no Helm. The command generate writes all three, or tells that they are out of date.
//
// Reading order: Files (files.go), then values.go, readme.go, schema.go with jsontext.go, manifest.go.
package chart
