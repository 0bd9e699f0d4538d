package build

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const certManagerModule = "github.com/cert-manager/cert-manager"

// CertManagerCRDs returns the folder of cert-manager's CustomResourceDefinitions, in the version that CertManager
// builds. It lies in the module cache: nothing may write there.
func CertManagerCRDs(ctx context.Context) (string, error) {
	return moduleFolder(ctx, "certmanager", certManagerModule, "deploy/crds")
}

// PrometheusOperatorCRDs returns the folder of prometheus-operator's CustomResourceDefinitions, ServiceMonitor and
// PrometheusRule among them, in the version that e2e/crds/go.mod pins. It lies in the module cache: nothing may write
// there.
func PrometheusOperatorCRDs(ctx context.Context) (string, error) {
	return moduleFolder(ctx, "crds", "github.com/prometheus-operator/prometheus-operator", "example/prometheus-operator-crd")
}

// moduleFolder returns a folder of a module that the nested module e2e/<nested> requires, and downloads the module
// when the module cache does not hold it.
func moduleFolder(ctx context.Context, nested, module, folder string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	in := filepath.Join(root, "e2e", nested)
	if _, err := (&goCommand{dir: in, args: []string{"mod", "download", module}}).run(ctx); err != nil {
		return "", err
	}
	top, err := (&goCommand{dir: in, args: []string{"list", "-m", "-f", "{{.Dir}}", module}}).run(ctx)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(strings.TrimSpace(string(top)), filepath.FromSlash(folder))
	if _, err := os.ReadDir(dir); err != nil {
		return "", fmt.Errorf("module %s, in the version of %q, does not carry its CustomResourceDefinitions: %w", module, filepath.Join(in, "go.mod"), err)
	}
	return dir, nil
}
