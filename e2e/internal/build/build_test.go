package build

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeGo stands in for the go command: it counts its builds in the file $BUILDS, tells of two packages, and makes the
// binaries that it was asked for. Where $HANG is set it does not end.
const fakeGo = `#!/bin/sh
case "$1" in
list) echo ...; exit ;;
esac
echo build >> "$BUILDS"
echo "go: downloading example.com/m v1.0.0" >&2
echo example.com/m >&2
echo example.com/m/sub >&2
test -z "$FAIL" || { echo "m.go:1:1: broken" >&2; exit 1; }
test -z "$HANG" || sleep 600
while [ "$1" != -o ]; do shift; done
for name in kube-apiserver server; do echo '#!/bin/sh' > "$2/$name"; chmod +x "$2/$name"; done
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
