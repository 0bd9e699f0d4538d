package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"quartermaster.dev/e2e/internal/guard"
	"quartermaster.dev/e2e/internal/output"
)

// maxComplaints bounds how much of buildah's output an error repeats.
const maxComplaints = 8 << 10

// A buildah is buildah with a storage of its own, which nothing of this machine's other images is in.
type buildah struct {
	dir     string // everything that it writes, temporary files and cache mounts too
	program string
	watch   *guard.Guard
}

// newBuildah makes the storage below dir.
func newBuildah(dir string) (*buildah, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("building an image needs root, for buildah changes the root folder of what it runs")
	}
	program, err := lookPath("buildah")
	if err != nil {
		return nil, err
	}
	b := &buildah{}
	if b.dir, err = os.MkdirTemp(dir, ".buildah-"); err != nil {
		return nil, err
	}
	if b.watch, err = guard.Watch(b.dir); err != nil {
		_ = os.RemoveAll(b.dir)
		return nil, err
	}
	if b.program, err = b.watch.Wrap(program); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *buildah) close() {
	b.watch.Relieve()
	_ = os.RemoveAll(b.dir)
}

// confined runs a program with /var/lib read-only: buildah would keep a cache there, wherever its storage is, and does
// without where it cannot.
const confined = `mount --bind /var/lib /var/lib && mount -o remount,bind,ro /var/lib && exec "$0" "$@"`

// run runs a command of buildah's. Cancelling ctx ends it and all that it has started.
func (b *buildah) run(ctx context.Context, args ...string) error {
	shell := []string{"-c", confined, b.program, "--root", filepath.Join(b.dir, "root"), "--runroot", filepath.Join(b.dir, "run")}
	cmd := exec.CommandContext(ctx, "/bin/sh", slices.Concat(shell, args)...)
	cmd.Env = append(os.Environ(),
		"STORAGE_DRIVER=vfs",       // works on every file system
		"BUILDAH_ISOLATION=chroot", // needs no container runtime
		"TMPDIR="+b.dir,            // cache mounts are kept there
		"HOME="+b.dir,              // and nobody's configuration is read
	)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Setpgid: true,
		// Mounts of its own end with it, so that removing b.dir can never reach through one into this machine's caches. A
		// network of its own is none.
		Unshareflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET,
	}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	tail := &output.Tail{Max: maxComplaints}
	cmd.Stdout, cmd.Stderr = tail, tail
	err := cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("`buildah %s`: %w\n%s", strings.Join(args, " "), err, tail)
	}
	return nil
}
