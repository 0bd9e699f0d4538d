package build

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeGo stands in for the go command: it counts its builds in the file $BUILDS, tells of two packages, and makes the
// binaries that it was asked for, each holding the command that asked. Where $HANG is set it does not end.
const fakeGo = `#!/bin/sh
case "$1 $2" in
"mod download") exit ;;
"list -m") echo "$MODULES/$5"; exit ;;
list*) echo ...; exit ;;
esac
echo build >> "$BUILDS"
echo "go: downloading example.com/m v1.0.0" >&2
echo example.com/m >&2
echo example.com/m/sub >&2
test -z "$FAIL" || { echo "m.go:1:1: broken" >&2; exit 1; }
test -z "$HANG" || sleep 600
command="$*"
while [ "$1" != -o ]; do shift; done
dir=$2
shift 2
for package; do
	package=${package%/v[0-9]}
	echo "$command" > "$dir/${package##*/}"
	chmod +x "$dir/${package##*/}"
done
`

const gomod = `module quartermaster.dev/e2e/controlplane

require (
	go.etcd.io/etcd/server/v3 v3.6.8
	k8s.io/kubernetes v1.36.3
)

replace k8s.io/kubernetes => example.com/kubernetes v1
`

// repository makes a repository in which the control plane can be "built", moves there, and returns its folder and a
// function that counts the builds so far.
func repository(t *testing.T) (root string, builds func() int) {
	t.Helper()
	root = t.TempDir()
	write(t, filepath.Join(root, "go.mod"), "module quartermaster.dev\n")
	write(t, filepath.Join(root, "e2e/controlplane/go.mod"), gomod)
	write(t, filepath.Join(root, "tools/go"), fakeGo)
	if err := os.Chmod(filepath.Join(root, "tools/go"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Join(root, "tools")+string(filepath.ListSeparator)+os.Getenv("PATH"))
	counter := filepath.Join(root, "builds")
	t.Setenv("BUILDS", counter)
	t.Chdir(filepath.Join(root, "e2e/controlplane"))
	return root, func() int {
		text, err := os.ReadFile(counter)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return bytes.Count(text, []byte("\n"))
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestControlPlaneIsBuiltWhenItHasTo(t *testing.T) {
	root, builds := repository(t)
	for _, step := range []struct {
		name   string
		change func()
		want   int
	}{
		{"missing", func() {}, 1},
		{"there", func() {}, 1},
		{"another go.mod", func() { write(t, filepath.Join(root, "e2e/controlplane/go.mod"), gomod+"// changed\n") }, 2},
		{"there again", func() {}, 2},
		{"a binary gone", func() { _ = os.Remove(filepath.Join(root, "bin/controlplane/etcd")) }, 3},
		{"the stamp gone", func() { _ = os.Remove(filepath.Join(root, "bin/controlplane/stamp")) }, 4},
	} {
		step.change()
		var out bytes.Buffer
		dir, err := ControlPlane(t.Context(), &out)
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got := builds(); got != step.want {
			t.Errorf("%s: %d builds, want %d", step.name, got, step.want)
		}
		if want := filepath.Join(root, "bin/controlplane"); dir != want {
			t.Errorf("%s: in %q, want %q", step.name, dir, want)
		}
		if err := CheckAssets(dir); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
	}
}

func TestControlPlaneIsBuiltOnceForAll(t *testing.T) {
	_, builds := repository(t)
	var running sync.WaitGroup
	for range 5 {
		running.Go(func() {
			if _, err := ControlPlane(t.Context(), &bytes.Buffer{}); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	if got := builds(); got != 1 {
		t.Errorf("%d builds, want 1", got)
	}
}

func TestFailedBuildSaysWhyAndIsTriedAgain(t *testing.T) {
	_, builds := repository(t)
	t.Setenv("FAIL", "yes")
	_, err := ControlPlane(t.Context(), &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "m.go:1:1: broken") || strings.Contains(err.Error(), "example.com/m/sub") {
		t.Errorf("got %v, want what the compiler said and not what it compiled", err)
	}
	t.Setenv("FAIL", "")
	if _, err := ControlPlane(t.Context(), &bytes.Buffer{}); err != nil || builds() != 2 {
		t.Errorf("%d builds, %v", builds(), err)
	}
}

func TestInterruptedBuildEndsAndLeavesNothing(t *testing.T) {
	root, builds := repository(t)
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	t.Setenv("HANG", "yes")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	go func() {
		for builds() == 0 {
			time.Sleep(5 * time.Millisecond)
		}
		cancel(errors.New("interrupted"))
	}()
	begin := time.Now()
	_, err := ControlPlane(ctx, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("got %v, want the cause", err)
	}
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("the build went on for %s", took)
	}
	for _, dir := range []string{temporary, filepath.Join(root, "bin/controlplane")} {
		left, err := os.ReadDir(dir)
		if err != nil || len(left) > 0 {
			t.Errorf("left in %s: %v, %v", dir, left, err)
		}
	}
}

func TestNodeIsBuiltBesideTheControlPlane(t *testing.T) {
	root, builds := repository(t)
	plane, err := ControlPlane(t.Context(), &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{2, 2} {
		dir, err := Node(t.Context(), &bytes.Buffer{})
		if err != nil || dir != filepath.Join(root, "bin/node") {
			t.Fatalf("in %q, %v", dir, err)
		}
		if got := builds(); got != want {
			t.Errorf("%d builds, want %d", got, want)
		}
	}
	if err := CheckAssets(plane); err != nil {
		t.Error(err)
	}
	for binary, want := range map[string]bool{
		"controlplane/kube-apiserver": true, "controlplane/kubelet": false,
		"node/kube-apiserver": false, "node/kube-controller-manager": true, "node/kube-proxy": true,
		"node/kube-scheduler": true, "node/kubectl": true, "node/kubelet": true,
	} {
		if _, err := os.Stat(filepath.Join(root, "bin", binary)); (err == nil) != want {
			t.Errorf("%s is there: %t, want %t", binary, err == nil, want)
		}
	}
}

func TestToolsAreBuiltAsTheirModulesSay(t *testing.T) {
	root, builds := repository(t)
	write(t, filepath.Join(root, "e2e/helm/go.mod"), "module quartermaster.dev/e2e/helm\nrequire helm.sh/helm/v4 v4.3.1\n")
	write(t, filepath.Join(root, "e2e/promtool/go.mod"), "module quartermaster.dev/e2e/promtool\nrequire github.com/prometheus/prometheus v0.315.0\n")
	write(t, filepath.Join(root, "e2e/certmanager/go.mod"), "module quartermaster.dev/e2e/certmanager\nrequire github.com/cert-manager/cert-manager v1.21.2\n")
	for i, tool := range []struct {
		build  func(context.Context, io.Writer) (string, error)
		binary string
		want   []string // of the command that built it
	}{
		{Helm, "bin/helm/helm", []string{"version.version=v4.3.1", "helm.sh/helm/v4/cmd/helm"}},
		{CertManager, "bin/certmanager/certmanager", []string{"util.AppVersion=v1.21.2", "quartermaster.dev/e2e/certmanager"}},
		{Promtool, "bin/promtool/promtool", []string{"-tags=remove_all_sd", "version.Version=v0.315.0", "prometheus/cmd/promtool"}},
	} {
		for range 2 {
			dir, err := tool.build(t.Context(), &bytes.Buffer{})
			if err != nil || dir != filepath.Join(root, filepath.Dir(tool.binary)) {
				t.Fatalf("%s: in %q, %v", tool.binary, dir, err)
			}
		}
		if got := builds(); got != i+1 {
			t.Errorf("%s: %d builds, want %d", tool.binary, got, i+1)
		}
		command, err := os.ReadFile(filepath.Join(root, tool.binary))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range append(tool.want, "-trimpath", "-buildvcs=false") {
			if !strings.Contains(string(command), want) {
				t.Errorf("%s was built by %q, want %q in it", tool.binary, command, want)
			}
		}
	}
}

func TestProgramOfANestedModuleFollowsItsSource(t *testing.T) {
	root, builds := repository(t)
	write(t, filepath.Join(root, "e2e/certmanager/go.mod"), "module quartermaster.dev/e2e/certmanager\nrequire github.com/cert-manager/cert-manager v1.21.2\n")
	for want, source := range []string{"package main\n", "package main // changed\n"} {
		write(t, filepath.Join(root, "e2e/certmanager/main.go"), source)
		if _, err := CertManager(t.Context(), &bytes.Buffer{}); err != nil {
			t.Fatal(err)
		}
		if got := builds(); got != want+1 {
			t.Errorf("%d builds, want %d", got, want+1)
		}
	}
}

func TestModuleWithoutItsVersionIsNotBuilt(t *testing.T) {
	root, builds := repository(t)
	write(t, filepath.Join(root, "e2e/helm/go.mod"), "module quartermaster.dev/e2e/helm\n")
	_, err := Helm(t.Context(), &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "pins no version of helm.sh/helm/v4") || builds() != 0 {
		t.Errorf("%d builds, got %v", builds(), err)
	}
}

func TestCRDsAreThoseOfTheModuleCache(t *testing.T) {
	root, _ := repository(t)
	write(t, filepath.Join(root, "e2e/certmanager/go.mod"), "module quartermaster.dev/e2e/certmanager\n")
	write(t, filepath.Join(root, "e2e/crds/go.mod"), "module quartermaster.dev/e2e/crds\n")
	modules := t.TempDir()
	t.Setenv("MODULES", modules)
	want := filepath.Join(modules, "github.com/cert-manager/cert-manager/deploy/crds")
	write(t, filepath.Join(want, "certificates.yaml"), "kind: CustomResourceDefinition\n")
	if got, err := CertManagerCRDs(t.Context()); err != nil || got != want {
		t.Errorf("in %q, %v; want %q", got, err, want)
	}
	got, err := PrometheusOperatorCRDs(t.Context())
	if err == nil || !strings.Contains(err.Error(), "does not carry its CustomResourceDefinitions") {
		t.Errorf("in %q, %v; want what is missing", got, err)
	}
}

// What is a library to some tests and a program to others must be of one version: helm renders the chart and installs
// it, cert-manager's types decode what its controllers are then given.
func TestToolIsOfTheLibrarysVersion(t *testing.T) {
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	pinned := func(file, module string) string {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		return required(text, module)
	}
	for module, file := range map[string]string{
		"helm.sh/helm/v4": "e2e/helm/go.mod",
		certManagerModule: "e2e/certmanager/go.mod",
	} {
		if library, tool := pinned("go.mod", module), pinned(file, module); library == "" || library != tool {
			t.Errorf("go.mod requires %s %q and %s %q; write the same version into both", module, library, file, tool)
		}
	}
}

func TestRootOutsideTheRepository(t *testing.T) {
	t.Chdir(t.TempDir())
	if root, err := Root(); err == nil {
		t.Errorf("found %q", root)
	}
}

func TestProgressOfAGoCommand(t *testing.T) {
	root, _ := repository(t)
	t.Setenv("FAIL", "yes")
	command := &goCommand{dir: root, args: []string{"build"}}
	if _, err := command.run(t.Context()); err == nil {
		t.Error("no error")
	}
	if got, want := command.state(7, time.Now()), "1 modules downloaded, 2 of at most 7 packages compiled, 0s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
