package release

import (
	"fmt"
	"path/filepath"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"quartermaster.dev/e2e/cluster"
	"quartermaster.dev/e2e/internal/build"
)

// DefaultKubeVersion is the Kubernetes version that Render renders for unless told otherwise. (Helm's own default is
// another one in tests than in programs.)
const DefaultKubeVersion = "v1.36.3"

// ChartDir returns the chart's folder.
func ChartDir() (string, error) {
	root, err := build.Root()
	return filepath.Join(root, "charts", "quartermaster"), err
}

// Render renders the chart as `helm template` does: values over the chart's own, checked against its schema, for a
// Kubernetes version that the chart must accept. The objects come in the order in which Helm installs them; hooks and
// NOTES.txt are left out. Of opts it reads Name, Namespace, Values and KubeVersion.
func Render(opts Options) ([]*unstructured.Unstructured, error) {
	opts = opts.withDefaults()
	dir, err := ChartDir()
	if err != nil {
		return nil, err
	}
	chart, err := loader.Load(dir)
	if err != nil {
		return nil, fmt.Errorf("chart %q: %w", dir, err)
	}
	version, err := common.ParseKubeVersion(opts.KubeVersion)
	if err != nil {
		return nil, fmt.Errorf("version %q of Kubernetes: %w", opts.KubeVersion, err)
	}
	if want := chart.Metadata.KubeVersion; want != "" && !chartutil.IsCompatibleRange(want, version.String()) {
		return nil, fmt.Errorf("the chart requires Kubernetes %s, this is %s", want, version)
	}
	capabilities := common.DefaultCapabilities.Copy()
	capabilities.KubeVersion = *version

	// A copy: Helm writes what it coalesces into the caller's maps.
	given := loader.MergeMaps(opts.Values, nil)
	if err := chartutil.ProcessDependencies(chart, given); err != nil {
		return nil, err
	}
	values, err := util.ToRenderValues(chart, given, common.ReleaseOptions{
		Name: opts.Name, Namespace: opts.Namespace, Revision: 1, IsInstall: true,
	}, capabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(chart, values)
	if err != nil {
		return nil, err
	}
	for name := range files {
		if strings.HasSuffix(name, "NOTES.txt") {
			delete(files, name)
		}
	}
	_, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, err
	}
	var objects []*unstructured.Unstructured
	for _, manifest := range manifests {
		decoded, err := cluster.Decode([]byte(manifest.Content))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", manifest.Name, err)
		}
		objects = append(objects, decoded...)
	}
	return objects, nil
}
