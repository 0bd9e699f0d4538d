package build

import (
	"context"
	"io"
)

var helm = toolset{
	name:         "helm",
	module:       "helm",
	folder:       "helm",
	what:         "helm %s",
	cost:         "1 to 2 minutes",
	pins:         []string{"helm.sh/helm/v4"},
	programs:     []program{{name: "helm", pkg: "helm.sh/helm/v4/cmd/helm"}},
	versionFlags: func(version string) string { return "-X helm.sh/helm/v4/internal/version.version=" + version },
}

var certManager = toolset{
	name:     "cert-manager",
	module:   "certmanager",
	folder:   "certmanager",
	what:     "the controllers of cert-manager %s",
	cost:     "2 to 3 minutes",
	pins:     []string{certManagerModule},
	programs: []program{{name: "certmanager", pkg: Module + "/e2e/certmanager"}},
	versionFlags: func(version string) string {
		return "-X " + certManagerModule + "/pkg/util.AppVersion=" + version
	},
}

var promtool = toolset{
	name:     "promtool",
	module:   "promtool",
	folder:   "promtool",
	what:     "promtool of Prometheus %s",
	cost:     "2 to 4 minutes",
	pins:     []string{"github.com/prometheus/prometheus"},
	programs: []program{{name: "promtool", pkg: "github.com/prometheus/prometheus/cmd/promtool"}},
	// Rules are checked without the clients of two dozen clouds, which are most of what there would be to compile.
	tags:         "remove_all_sd",
	versionFlags: func(version string) string { return "-X github.com/prometheus/common/version.Version=" + version },
}

// Helm returns the folder that holds helm in the version that e2e/helm/go.mod pins: bin/helm. It builds it as
// ControlPlane does.
func Helm(ctx context.Context, out io.Writer) (string, error) { return helm.build(ctx, out) }

// CertManager returns the folder that holds certmanager, which runs cert-manager's controllers and its CA injector
// outside the cluster, in the version that e2e/certmanager/go.mod pins: bin/certmanager. It builds it as ControlPlane
// does.
func CertManager(ctx context.Context, out io.Writer) (string, error) {
	return certManager.build(ctx, out)
}

// Promtool returns the folder that holds promtool in the version that e2e/promtool/go.mod pins: bin/promtool. It
// builds it as ControlPlane does.
func Promtool(ctx context.Context, out io.Writer) (string, error) { return promtool.build(ctx, out) }
