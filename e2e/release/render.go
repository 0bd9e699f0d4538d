package release

import (
	"fmt"
	"path"
	"path/filepath"

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

// Rendered is what `helm template` makes of the chart.
type Rendered struct {
	// Objects come in the order in which Helm installs them.
	Objects []*unstructured.Unstructured
	// Hooks are objects of no release, which Helm makes before or after something else.
	Hooks []*unstructured.Unstructured
	// Manifests are the YAML documents of Objects, with their comments.
	Manifests []string
	// Notes is what Helm prints after an installation.
	Notes string
}

// Render renders the chart and returns its objects without the hooks: see RenderAll.
func Render(opts Options) ([]*unstructured.Unstructured, error) {
	rendered, err := RenderAll(opts)
	if err != nil {
		return nil, err
	}
	return rendered.Objects, nil
}

// RenderAll renders the chart as `helm template` does: values over the chart's own, checked against its schema, for a
// Kubernetes version that the chart must accept. Of opts it reads Name, Namespace, Values and KubeVersion.
func RenderAll(opts Options) (*Rendered, error) {
	opts = opts.withDefaults()
	files, err := renderFiles(opts)
	if err != nil {
		return nil, err
	}
	rendered := &Rendered{}
	for name, text := range files {
		if path.Base(name) == "NOTES.txt" {
			rendered.Notes = text
			delete(files, name)
		}
	}
	hooks, manifests, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		return nil, err
	}
	for _, hook := range hooks {
		if rendered.Hooks, err = decode(rendered.Hooks, hook.Path, hook.Manifest); err != nil {
			return nil, err
		}
	}
	for _, manifest := range manifests {
		if rendered.Objects, err = decode(rendered.Objects, manifest.Name, manifest.Content); err != nil {
			return nil, err
		}
		rendered.Manifests = append(rendered.Manifests, manifest.Content)
	}
	return rendered, nil
}

// decode appends the objects of a file of the chart.
func decode(objects []*unstructured.Unstructured, file, text string) ([]*unstructured.Unstructured, error) {
	decoded, err := cluster.Decode([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return append(objects, decoded...), nil
}

// renderFiles returns what becomes of each template, by its path.
func renderFiles(opts Options) (map[string]string, error) {
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
	return engine.Render(chart, values)
}
