package image

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"quartermaster.dev/e2e/internal/build"
)

// Job makes the image that the containers of job pods run: a shell with BusyBox' applets, git, ssh and kubectl. But for
// kubectl, everything in it is this machine's own.
func Job(ctx context.Context, o Options) (archive string, err error) {
	node, err := build.Node(ctx, o.out())
	if err != nil {
		return "", err
	}
	files := rootfs{}
	// ssh refuses to run for a user without an entry, so there is one for jobs that do not run as root.
	if err := files.base("ci:x:1000:1000:ci:/home/ci:/bin/sh"); err != nil {
		return "", err
	}
	if err := files.shell(); err != nil {
		return "", err
	}
	if err := files.copy("usr/local/bin/kubectl", filepath.Join(node, "kubectl")); err != nil {
		return "", err
	}
	for _, program := range []string{"git", "ssh"} {
		if err := files.program(ctx, program); err != nil {
			return "", err
		}
	}
	files.dir("home/ci", 0o777)
	files.dir("usr/share/git-core/templates", 0o755) // git complains when it is not there
	return o.archive(files, v1.Config{Env: []string{"PATH=" + searchPath}, Cmd: []string{"/bin/sh"}, WorkingDir: "/"})
}

// program adds a program of this machine and the libraries that it is linked with, all in the place where they are here:
// that is where the loader looks for them.
func (r rootfs) program(ctx context.Context, name string) error {
	binary, err := lookPath(name)
	if err != nil {
		return err
	}
	if err := r.copy(binary, binary); err != nil {
		return err
	}
	libraries, err := libraries(ctx, binary)
	if err != nil {
		return err
	}
	for _, library := range libraries {
		if err := r.copy(library, library); err != nil {
			return err
		}
	}
	return nil
}

// libraries returns what a program is linked with, the loader included, as ldd tells it:
//
//	linux-vdso.so.1 (0x00007fe758399000)
//	libz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007fe7582cf000)
//	/lib64/ld-linux-x86-64.so.2 (0x00007fe75839b000)
func libraries(ctx context.Context, binary string) ([]string, error) {
	out, err := exec.CommandContext(ctx, "ldd", binary).Output()
	if err != nil {
		return nil, fmt.Errorf("ldd does not tell what %q is linked with: %w", binary, err)
	}
	var found []string
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "=> not found") {
			return nil, fmt.Errorf("%q does not run here: %s", binary, strings.TrimSpace(line))
		}
		for _, field := range strings.Fields(line) {
			if filepath.IsAbs(field) {
				found = append(found, field)
			}
		}
	}
	return found, nil
}
