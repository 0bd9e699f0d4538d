// Module crds pins the CustomResourceDefinitions of prometheus-operator, which e2e/internal/build finds in the module's
// own folder. It has no Go code, so `go mod tidy` is not for it: that would drop the requirement.
module quartermaster.dev/e2e/crds

go 1.26.0

require github.com/prometheus-operator/prometheus-operator v0.85.0
