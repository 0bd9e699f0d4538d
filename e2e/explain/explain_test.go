// Package explain runs `quartermaster explain --from-cluster` against a real API
// server: first one on which nothing is installed, then one that cannot reach
// the server, then one with a running release. What it says is held against
// what becomes of the pod there.
package explain

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/client-go/tools/clientcmd"

	"quartermaster.dev/e2e/cluster"
	"quartermaster.dev/e2e/internal/build"
	"quartermaster.dev/e2e/release"
)

// TestExplain runs the scripts of testdata, each in a namespace of its name.
func TestExplain(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	plane, err := cluster.Start(ctx, cluster.Options{Out: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	stop(t, plane)
	binary, err := build.Program{Package: "./cmd/quartermaster"}.Build(ctx, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	// A broken policy is one that got past what refuses it.
	o := release.Options{Out: os.Stderr, Values: map[string]any{"validation": map[string]any{"enabled": false}}}
	s := &scripts{plane: plane, bin: filepath.Dir(binary)}

	s.run(t, "unregistered")

	// As the chart registers it, and nothing has filled in caBundle, or runs.
	objects, err := release.Render(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects {
		if object.GetKind() == "MutatingWebhookConfiguration" {
			if err := plane.Apply(ctx, object); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.run(t, "unreachable")

	installed, err := release.Install(ctx, plane, o)
	if err != nil {
		t.Fatal(err)
	}
	stop(t, installed)
	s.release = installed
	s.run(t, "script")
}

func stop(t *testing.T, s interface{ Stop() error }) {
	t.Helper()
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// scripts run on a cluster.
type scripts struct {
	plane *cluster.Cluster
	// bin is the folder of the binary quartermaster.
	bin string
	// release that is installed, or nil.
	release *release.Release
}

func (s *scripts) run(t *testing.T, folder string) {
	t.Run(folder, func(t *testing.T) {
		testscript.Run(t, testscript.Params{
			Dir:                filepath.Join("testdata", folder),
			RequireUniqueNames: true,
			UpdateScripts:      *update,
			Setup:              func(env *testscript.Env) error { return s.setup(t, env) },
			Cmds: map[string]func(*testscript.TestScript, bool, []string){
				"quartermaster": s.quartermaster,
				"exits":         s.exits,
				"apply":         s.apply,
				"account":       s.account,
				"agrees":        s.agrees,
			},
		})
	})
}

// setup makes the script's namespace, and an administrator's kubeconfig.
func (s *scripts) setup(t *testing.T, env *testscript.Env) error {
	namespace := filepath.Base(env.WorkDir)[len("script-"):]
	env.Setenv("NS", namespace)
	env.Setenv(clientcmd.RecommendedConfigPathEnvVar, filepath.Join(env.WorkDir, "kubeconfig"))
	if err := s.plane.WriteKubeconfig(s.plane.Config, filepath.Join(env.WorkDir, "kubeconfig")); err != nil {
		return err
	}
	return s.plane.Namespace(t.Context(), namespace, nil)
}
