package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// The binaries of a control plane, as envtest names them.
const (
	etcd      = "etcd"
	apiServer = "kube-apiserver"
)

// flagsVersion is part of the stamp: raise it when the way of building changes, so that old binaries are built anew.
const flagsVersion = "1"

// ControlPlane returns the folder that holds etcd and kube-apiserver in the versions that e2e/controlplane/go.mod
// pins: bin/controlplane. It builds them when they are missing or were built from another go.mod, which takes minutes
// the first time and is told on out; otherwise it returns at once.
func ControlPlane(ctx context.Context, out io.Writer) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	plane, err := newControlPlane(root)
	if err != nil {
		return "", err
	}
	if plane.built() {
		return plane.dir, nil
	}
	unlock, err := lock(ctx, root, out)
	if err != nil {
		return "", err
	}
	defer unlock()
	if plane.built() { // by whoever held the lock
		return plane.dir, nil
	}
	if err := plane.build(ctx, out); err != nil {
		return "", fmt.Errorf("the control plane for tests could not be built: %w", err)
	}
	return plane.dir, nil
}

type controlPlane struct {
	module     string // folder of the nested module
	dir        string // folder of the finished binaries
	kubernetes string // version, v1.36.3
	etcd       string // version, v3.6.8
	stamp      string // what the binaries must have been built from
}

func newControlPlane(root string) (*controlPlane, error) {
	p := &controlPlane{module: filepath.Join(root, "e2e", "controlplane"), dir: filepath.Join(root, "bin", "controlplane")}
	gomod, err := os.ReadFile(filepath.Join(p.module, "go.mod"))
	if err != nil {
		return nil, err
	}
	p.kubernetes = required(gomod, "k8s.io/kubernetes")
	p.etcd = required(gomod, "go.etcd.io/etcd/server/v3")
	if strings.Count(p.kubernetes, ".") < 2 || p.etcd == "" {
		return nil, fmt.Errorf("%q pins no version of k8s.io/kubernetes and go.etcd.io/etcd/server/v3; restore its require lines", filepath.Join(p.module, "go.mod"))
	}
	p.stamp = fmt.Sprintf("kubernetes %s, etcd %s, %s/%s, flags %s, go.mod %x\n",
		p.kubernetes, p.etcd, runtime.GOOS, runtime.GOARCH, flagsVersion, sha256.Sum256(gomod))
	return p, nil
}

// required returns the version that a go.mod requires of a module, "" when it does not.
func required(gomod []byte, module string) string {
	for line := range strings.Lines(string(gomod)) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) >= 2 && fields[0] == module && strings.HasPrefix(fields[1], "v") {
			return fields[1]
		}
	}
	return ""
}

// stampFile is written last, so its content vouches for the binaries beside it.
func (p *controlPlane) stampFile() string { return filepath.Join(p.dir, "stamp") }

func (p *controlPlane) built() bool {
	stamp, err := os.ReadFile(p.stampFile())
	return err == nil && string(stamp) == p.stamp && CheckAssets(p.dir) == nil
}

// CheckAssets returns an error that names what dir lacks to be a folder of control plane binaries.
func CheckAssets(dir string) error {
	for _, name := range []string{etcd, apiServer} {
		info, err := os.Stat(filepath.Join(dir, name))
		switch {
		case errors.Is(err, os.ErrNotExist):
			return fmt.Errorf("there is no %s in %q", name, dir)
		case err != nil:
			return err
		case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
			return fmt.Errorf("%q is not an executable file", filepath.Join(dir, name))
		}
	}
	return nil
}

func (p *controlPlane) build(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "Building kube-apiserver %s and etcd %s from source, once: 3 to 5 minutes on two cores, seconds from the build cache.\n", p.kubernetes, p.etcd)
	begin := time.Now()
	if err := os.MkdirAll(p.dir, 0o777); err != nil {
		return err
	}
	if err := p.clear(); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(p.dir, ".building-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)

	total, err := p.count(ctx, out)
	if err != nil {
		return err
	}
	// `tool` stands for the tool directives of the nested go.mod: what is built is said there and nowhere else.
	compile := &goCommand{dir: p.module, env: []string{"CGO_ENABLED=0"}, args: []string{
		"build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", p.ldflags(), "-o", temporary + string(filepath.Separator), "tool"}}
	progress := startProgress(out, time.Second, func() string {
		return "compiling: " + compile.state(total, begin)
	})
	_, err = compile.run(ctx)
	progress.stop()
	if err != nil {
		return err
	}
	if err := p.publish(temporary); err != nil {
		return err
	}
	fmt.Fprintf(out, "Built the control plane in %s: %s\n", since(begin), p.dir)
	return nil
}

// clear removes what an interrupted or an older build has left. The stamp goes first: without it nothing counts as built.
func (p *controlPlane) clear() error {
	if err := os.Remove(p.stampFile()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	left, err := filepath.Glob(filepath.Join(p.dir, ".building-*"))
	if err != nil {
		return err
	}
	for _, dir := range left {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}

// count returns how many packages the build consists of. It is what downloads the modules, and with an empty build cache
// it looks at every file of them, so it can take a while too.
func (p *controlPlane) count(ctx context.Context, out io.Writer) (int, error) {
	list := &goCommand{dir: p.module, env: []string{"CGO_ENABLED=0"}, args: []string{"list", "-deps", "-f", ".", "tool"}}
	begin := time.Now()
	progress := startProgress(out, time.Second, func() string {
		return fmt.Sprintf("resolving: %d modules downloaded, %s", list.downloads.Load(), since(begin))
	})
	dots, err := list.run(ctx)
	progress.stop()
	return bytes.Count(dots, []byte(".")), err
}

// ldflags gives kube-apiserver the version that it reports, which is otherwise taken from the files of a release.
func (p *controlPlane) ldflags() string {
	const at = "k8s.io/component-base/version."
	parts := strings.SplitN(strings.TrimPrefix(p.kubernetes, "v"), ".", 3)
	return fmt.Sprintf("-s -w -X %[1]sgitVersion=%[2]s -X %[1]sgitMajor=%[3]s -X %[1]sgitMinor=%[4]s", at, p.kubernetes, parts[0], parts[1])
}

// publish gives the finished binaries their names and then writes the stamp.
func (p *controlPlane) publish(temporary string) error {
	// The go command names a binary after the last element of its import path that is no version.
	for built, name := range map[string]string{apiServer: apiServer, "server": etcd} {
		if err := os.Rename(filepath.Join(temporary, built), filepath.Join(p.dir, name)); err != nil {
			return err
		}
	}
	stamp := filepath.Join(temporary, "stamp")
	if err := os.WriteFile(stamp, []byte(p.stamp), 0o666); err != nil {
		return err
	}
	return os.Rename(stamp, p.stampFile())
}
