//go:build e2e

package image

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

const version = "v0.0.0-e2e"

// programs are what the image of Quartermaster holds.
var programs = []string{"quartermaster", "quartermaster-certs", "quartermaster-webhook"}

// read reads an archive back, as containerd would.
func read(t *testing.T, archive string) v1.Image {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dir := t.TempDir()
	unpack(t, dir, f)
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	image, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// extract returns a folder that holds the files of an image.
func extract(t *testing.T, image v1.Image) string {
	t.Helper()
	dir := t.TempDir()
	files := mutate.Extract(image)
	defer files.Close()
	unpack(t, dir, files)
	return dir
}

func unpack(t *testing.T, dir string, archive io.Reader) {
	t.Helper()
	for r := tar.NewReader(archive); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, h.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		switch h.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(name, h.FileInfo().Mode().Perm())
		case tar.TypeSymlink:
			err = os.Symlink(h.Linkname, name)
		case tar.TypeReg:
			var text []byte
			if text, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(name, text, h.FileInfo().Mode().Perm())
			}
		default:
			t.Fatalf("%s is neither file, folder nor link", h.Name)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// inside runs a program of an image's files as a container would, without this machine's files and environment.
func inside(t *testing.T, rootfs string, uid uint32, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + searchPath, "HOME=/tmp"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: rootfs, Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%q: %v\n%s", args, err, out)
	}
	return string(out)
}

func TestImageOfTheDockerfile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	archive, err := Build(t.Context(), Options{Dir: dir, Reference: "quartermaster:e2e", Version: version, Out: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("beside the archive there is %v, %v", left, err)
	}
	image := read(t, archive)

	t.Run("the same again", func(t *testing.T) {
		again, err := Build(t.Context(), Options{Dir: t.TempDir(), Reference: "quartermaster:again", Version: version})
		if err != nil {
			t.Fatal(err)
		}
		first, err1 := image.Digest()
		second, err2 := read(t, again).Digest()
		if first != second || errors.Join(err1, err2) != nil {
			t.Errorf("the first build gave %s and the second %s, %v", first, second, errors.Join(err1, err2))
		}
	})
	t.Run("configuration", func(t *testing.T) {
		file, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := file.Config.User, "65532:65532"; got != want {
			t.Errorf("user %q, want %q", got, want)
		}
		if got, want := strings.Join(file.Config.Entrypoint, " "), "/usr/local/bin/quartermaster-webhook"; got != want {
			t.Errorf("entrypoint %q, want %q", got, want)
		}
		if got := file.Config.Labels["org.opencontainers.image.version"]; got != version {
			t.Errorf("labelled with version %q, want %q", got, version)
		}
		for _, env := range file.Config.Env {
			if strings.HasPrefix(env, "GO") {
				t.Errorf("the environment of the build is in the image: %s", env)
			}
		}
	})
	t.Run("programs", func(t *testing.T) {
		rootfs := extract(t, image)
		found, err := os.ReadDir(filepath.Join(rootfs, "usr/local/bin"))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range found {
			names = append(names, f.Name())
		}
		if got, want := strings.Join(names, " "), strings.Join(programs, " "); got != want {
			t.Errorf("the image holds %s, want %s", got, want)
		}
		for _, name := range names {
			if static, err := isStatic(filepath.Join(rootfs, "usr/local/bin", name)); err != nil || !static {
				t.Errorf("%s is linked statically: %t, %v", name, static, err)
			}
			if out := inside(t, rootfs, 65532, "/usr/local/bin/"+name, "--version"); !strings.Contains(out, version) {
				t.Errorf("%s --version says %q, want %q in it", name, out, version)
			}
		}
	})
}

func TestCancelledBuildLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	interrupted := errors.New("interrupted")
	go func() {
		for len(processesBelow(dir)) == 0 && ctx.Err() == nil {
			time.Sleep(5 * time.Millisecond)
		}
		cancel(interrupted)
	}()
	archive, err := Build(ctx, Options{Dir: dir, Reference: "quartermaster:cancelled", Version: version})
	if !errors.Is(err, interrupted) {
		t.Errorf("got %q, %v; want what it was cancelled for", archive, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
	for begin := time.Now(); ; time.Sleep(5 * time.Millisecond) { // one that has been killed takes a moment to be gone
		left := processesBelow(dir)
		if len(left) == 0 {
			return
		}
		if time.Since(begin) > 10*time.Second {
			t.Fatalf("processes %v of the build go on", left)
		}
	}
}

// processesBelow returns the processes whose root is a folder below dir: those that the Dockerfile runs.
func processesBelow(dir string) (found []string) {
	roots, _ := filepath.Glob("/proc/[0-9]*/root")
	for _, root := range roots {
		if target, err := os.Readlink(root); err == nil && strings.HasPrefix(target, dir) {
			found = append(found, filepath.Base(filepath.Dir(root)))
		}
	}
	return found
}

func TestJobImageHasWhatJobsRun(t *testing.T) {
	t.Parallel()
	archive, err := Job(t.Context(), Options{Dir: t.TempDir(), Reference: "job:e2e", Out: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	rootfs := extract(t, read(t, archive))
	// As the archive has it, but for the umask, and as a container runtime adds to it.
	if err := os.Chmod(filepath.Join(rootfs, "tmp"), 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	for device, number := range map[string]int{"null": 1<<8 | 3, "urandom": 1<<8 | 9} {
		name := filepath.Join(rootfs, "dev", device)
		if err := errors.Join(syscall.Mknod(name, syscall.S_IFCHR, number), os.Chmod(name, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	for _, uid := range []uint32{0, 1000} {
		for script, want := range map[string]string{
			"git --version":                "git version",
			"ssh -V":                       "OpenSSH",
			"kubectl version --client":     "Client Version: v",
			"stat -c %a /etc/passwd":       "644",
			"cat /etc/passwd | head -n 1":  "root:x:0:0",
			"sleep 0 && echo slept":        "slept",
			"test -s " + caBundle + "; id": "uid=",
			// ssh looks its user up before it finds that nobody listens.
			"ssh -p 1 127.0.0.1 || true": "Connection refused",
			// A push over SSH starts from a commit and a tag.
			`cd $(mktemp -d) && git init -q . && git -c user.name=ci -c user.email=ci@localhost commit -q --allow-empty -m first && git tag v1 && git tag`: "v1",
		} {
			if out := inside(t, rootfs, uid, "/bin/sh", "-ec", script); !strings.Contains(out, want) {
				t.Errorf("`%s` as %d says %q, want %q in it", script, uid, out, want)
			}
		}
	}
}

func TestPauseImageIsOneStaticProgram(t *testing.T) {
	t.Parallel()
	archive, err := Pause(t.Context(), Options{Dir: t.TempDir(), Reference: "pause:e2e", Out: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	rootfs := extract(t, read(t, archive))
	if found, err := os.ReadDir(rootfs); err != nil || len(found) != 1 {
		t.Errorf("the image holds %v, %v", found, err)
	}
	if static, err := isStatic(filepath.Join(rootfs, "pause")); err != nil || !static {
		t.Errorf("linked statically: %t, %v", static, err)
	}
}
