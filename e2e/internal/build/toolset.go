package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// flagsVersion is part of the stamp: raise it when the way of building changes, so that old binaries are built anew.
const flagsVersion = "2"

// A toolset is the programs of one folder below bin/, which are built together from one nested module.
type toolset struct {
	name     string    // in messages: "the control plane"
	module   string    // the nested module's folder, below e2e/
	folder   string    // of the finished binaries, below bin/
	what     string    // what is built, a %s in it for the version of each of pins
	cost     string    // how long that takes the first time: "5 to 10 minutes"
	pins     []string  // the modules that the nested go.mod must require at a version
	programs []program // what is built
	tags     string    // build tags, "" for none
	// versionFlags are the linker's flags that tell the programs their version, which is the one of the first of pins.
	versionFlags func(version string) string
}

type program struct {
	name    string // of the finished binary
	pkg     string // import path of the main package
	version string // "v3" where that path ends in one: the go command leaves it out of a binary's name
}

// build returns the folder of the finished programs. It builds them when they are missing or were built from another
// source, which takes minutes the first time and is told on out; otherwise it returns at once.
func (t *toolset) build(ctx context.Context, out io.Writer) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	b, err := newToolBuild(t, root)
	if err != nil {
		return "", err
	}
	if b.built() {
		return b.dir, nil
	}
	unlock, err := lock(ctx, root, out)
	if err != nil {
		return "", err
	}
	defer unlock()
	if b.built() { // by whoever held the lock
		return b.dir, nil
	}
	if err := b.run(ctx, out); err != nil {
		return "", fmt.Errorf("%s for tests could not be built: %w", t.name, err)
	}
	return b.dir, nil
}

// A toolBuild is a toolset in one repository, at the versions which that one pins.
type toolBuild struct {
	*toolset
	module   string   // folder of the nested module
	dir      string   // folder of the finished binaries
	what     string   // what is built, with its versions
	versions []string // of pins
	stamp    string   // what the binaries must have been built from
}

func newToolBuild(t *toolset, root string) (*toolBuild, error) {
	b := &toolBuild{toolset: t, module: filepath.Join(root, "e2e", t.module), dir: filepath.Join(root, "bin", t.folder)}
	gomod := filepath.Join(b.module, "go.mod")
	text, err := os.ReadFile(gomod)
	if err != nil {
		return nil, err
	}
	var versions []any
	for _, pin := range t.pins {
		version := required(text, pin)
		if strings.Count(version, ".") < 2 {
			return nil, fmt.Errorf("%q pins no version of %s; restore its require lines", gomod, strings.Join(t.pins, " and "))
		}
		b.versions, versions = append(b.versions, version), append(versions, version)
	}
	b.what = fmt.Sprintf(t.what, versions...)
	source, err := b.source()
	if err != nil {
		return nil, err
	}
	b.stamp = fmt.Sprintf("%s, %s/%s, flags %s, source %x\n", b.what, runtime.GOOS, runtime.GOARCH, flagsVersion, source)
	return b, nil
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

// source is a hash of the nested module: of its go.mod and of the Go files that it may have of its own.
func (b *toolBuild) source() ([]byte, error) {
	files, err := filepath.Glob(filepath.Join(b.module, "*.go"))
	if err != nil {
		return nil, err
	}
	hash := sha256.New()
	for _, file := range append(files, filepath.Join(b.module, "go.mod")) {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(hash, "%s %d\n%s", filepath.Base(file), len(text), text)
	}
	return hash.Sum(nil), nil
}

// stampFile is written last, so its content vouches for the binaries beside it.
func (b *toolBuild) stampFile() string { return filepath.Join(b.dir, "stamp") }

func (b *toolBuild) built() bool {
	stamp, err := os.ReadFile(b.stampFile())
	return err == nil && string(stamp) == b.stamp && b.check(b.dir) == nil
}

// check returns an error that names what dir lacks to be a folder of the finished programs.
func (t *toolset) check(dir string) error {
	for _, p := range t.programs {
		info, err := os.Stat(filepath.Join(dir, p.name))
		switch {
		case errors.Is(err, os.ErrNotExist):
			return fmt.Errorf("there is no %s in %q", p.name, dir)
		case err != nil:
			return err
		case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
			return fmt.Errorf("%q is not an executable file", filepath.Join(dir, p.name))
		}
	}
	return nil
}

func (b *toolBuild) run(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "Building %s from source, once: %s on two cores, seconds from the build cache.\n", b.what, b.cost)
	begin := time.Now()
	if err := os.MkdirAll(b.dir, 0o777); err != nil {
		return err
	}
	if err := b.clear(); err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(b.dir, ".building-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)

	total, err := b.count(ctx, out)
	if err != nil {
		return err
	}
	ldflags := "-s -w"
	if b.versionFlags != nil {
		ldflags += " " + b.versionFlags(b.versions[0])
	}
	compile := b.goCommand("build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", ldflags, "-o", temporary+string(filepath.Separator))
	progress := startProgress(out, time.Second, func() string {
		return "compiling: " + compile.state(total, begin)
	})
	_, err = compile.run(ctx)
	progress.stop()
	if err != nil {
		return err
	}
	if err := b.publish(temporary); err != nil {
		return err
	}
	fmt.Fprintf(out, "Built %s in %s: %s\n", b.name, since(begin), b.dir)
	return nil
}

// goCommand is the go command with these arguments for all the packages.
func (b *toolBuild) goCommand(args ...string) *goCommand {
	if b.tags != "" {
		args = slices.Insert(args, 1, "-tags="+b.tags)
	}
	for _, p := range b.programs {
		args = append(args, path.Join(p.pkg, p.version))
	}
	return &goCommand{dir: b.module, env: []string{"CGO_ENABLED=0"}, args: args}
}

// clear removes what an interrupted or an older build has left. The stamp goes first: without it nothing counts as built.
func (b *toolBuild) clear() error {
	if err := os.Remove(b.stampFile()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	left, err := filepath.Glob(filepath.Join(b.dir, ".building-*"))
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
func (b *toolBuild) count(ctx context.Context, out io.Writer) (int, error) {
	list := b.goCommand("list", "-deps", "-f", ".")
	begin := time.Now()
	progress := startProgress(out, time.Second, func() string {
		return fmt.Sprintf("resolving: %d modules downloaded, %s", list.downloads.Load(), since(begin))
	})
	dots, err := list.run(ctx)
	progress.stop()
	return bytes.Count(dots, []byte(".")), err
}

// publish gives the finished binaries their names and then writes the stamp.
func (b *toolBuild) publish(temporary string) error {
	for _, p := range b.programs {
		if err := os.Rename(filepath.Join(temporary, path.Base(p.pkg)), filepath.Join(b.dir, p.name)); err != nil {
			return err
		}
	}
	stamp := filepath.Join(temporary, "stamp")
	if err := os.WriteFile(stamp, []byte(b.stamp), 0o666); err != nil {
		return err
	}
	return os.Rename(stamp, b.stampFile())
}
