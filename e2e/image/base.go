package image

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
)

// searchPath is PATH in the images.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// caBundle is where Debian has the certificates of the authorities that this machine trusts.
const caBundle = "/etc/ssl/certs/ca-certificates.crt"

// packages are the Debian packages of what is taken from this machine.
var packages = map[string]string{
	"buildah": "buildah", "busybox": "busybox-static", "git": "git", "ssh": "openssh-client", caBundle: "ca-certificates",
}

// base adds what any image has: the folders that a container runtime mounts on, a place for temporary files, the
// certificate authorities, and root with further users, given as lines of /etc/passwd.
func (r rootfs) base(users ...string) error {
	for _, dir := range []string{"dev", "proc", "run", "sys"} {
		r.dir(dir, 0o755)
	}
	for _, dir := range []string{"tmp", "var/tmp"} {
		r.dir(dir, 0o777|fs.ModeSticky)
	}
	r.dir("root", 0o700)
	passwd, group := "root:x:0:0:root:/root:/bin/sh\n", "root:x:0:\n"
	for _, user := range users {
		fields := strings.Split(user, ":")
		passwd += user + "\n"
		group += fmt.Sprintf("%s:x:%s:\n", fields[0], fields[3])
	}
	r.write("etc/passwd", passwd, 0o644)
	r.write("etc/group", group, 0o644)
	err := r.copy(caBundle, caBundle)
	if errors.Is(err, fs.ErrNotExist) {
		return missing(caBundle, err)
	}
	return err
}

// shell adds a shell and what goes with one: BusyBox, by the name of each of its applets.
func (r rootfs) shell() error {
	busybox, err := lookPath("busybox")
	if err != nil {
		return err
	}
	static, err := isStatic(busybox)
	if err != nil {
		return err
	}
	if !static {
		return missing("busybox", fmt.Errorf("%q needs libraries of this machine", busybox))
	}
	if err := r.copy("bin/busybox", busybox); err != nil {
		return err
	}
	applets, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		return fmt.Errorf("`%s --list`: %w", busybox, err)
	}
	for _, applet := range strings.Fields(string(applets)) {
		if applet != "busybox" { // it lists itself
			r.link("bin/"+applet, "busybox")
		}
	}
	return nil
}

// isStatic tells whether a binary runs without a loader, and so without any library.
func isStatic(binary string) (bool, error) {
	f, err := elf.Open(binary)
	if err != nil {
		return false, err
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return false, nil
		}
	}
	return true, nil
}

// lookPath returns the file of a program, which any links on the way lead to.
func lookPath(program string) (string, error) {
	found, err := exec.LookPath(program)
	if err != nil {
		return "", missing(program, err)
	}
	return filepath.EvalSymlinks(found)
}

// missing says which package brings something that is not there.
func missing(what string, err error) error {
	return fmt.Errorf("%w; install Debian's package %s or the like of it", err, packages[what])
}
