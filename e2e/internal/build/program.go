package build

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Program is a main package of this module.
type Program struct {
	// Package is its folder below the repository's top, like "./cmd/quartermaster-webhook".
	Package string
	// Race builds it with the race detector, under a name of its own that ends in "-race".
	Race bool
	// Static builds it to be all that an image holds: it needs no library, and the same source gives the same bytes.
	Static bool
}

// Build compiles the program into bin/ and returns the binary's path. It always asks the go command, whose cache
// makes that cheap when nothing has changed, so the binary is never older than the source.
func (p Program) Build(ctx context.Context, out io.Writer) (string, error) {
	name := path.Base(p.Package)
	command := &goCommand{args: []string{"build", "-v"}}
	if p.Race {
		name += "-race"
		command.race()
	}
	if p.Static {
		command.static()
	}
	return intoBin(ctx, out, name, command, p.Package)
}

// intoBin has the command compile a package into bin/, under that name, and returns the binary's path.
func intoBin(ctx context.Context, out io.Writer, name string, command *goCommand, pkg string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	unlock, err := lock(ctx, root, out)
	if err != nil {
		return "", err
	}
	defer unlock()
	binary := filepath.Join(root, "bin", name)
	temporary := binary + ".building"
	defer os.Remove(temporary)
	command.dir = root
	command.args = append(command.args, "-o", temporary, pkg)
	if err := command.tell(ctx, out, name); err != nil {
		return "", err
	}
	return binary, os.Rename(temporary, binary)
}

// Compile compiles every package of this module into the build cache and keeps no binary.
func Compile(ctx context.Context, out io.Writer, race bool) error {
	root, err := Root()
	if err != nil {
		return err
	}
	command := &goCommand{dir: root, args: []string{"build", "-v", "./..."}}
	if race {
		command.race()
	}
	return command.tell(ctx, out, "every package")
}

// CompileStatic compiles every program of this module into the build cache as the Dockerfile does, and keeps no binary:
// where the build of an image is given that cache, it has hardly anything left to do, and nothing to download.
func CompileStatic(ctx context.Context, out io.Writer) error {
	root, err := Root()
	if err != nil {
		return err
	}
	command := &goCommand{dir: root, args: []string{"build", "-v", "./cmd/..."}}
	command.static()
	return command.tell(ctx, out, "the programs of the image")
}

// race has a `go build` use the race detector.
func (c *goCommand) race() {
	c.args = slices.Insert(c.args, 1, "-race")
	c.env = []string{"CGO_ENABLED=1"} // the race detector is linked by the C compiler
}

// static has a `go build` make binaries that need no library and tell nothing of where they were built.
func (c *goCommand) static() {
	c.args = slices.Insert(c.args, 1, "-trimpath", "-buildvcs=false")
	c.env = []string{"CGO_ENABLED=0"}
}

// tell runs a `go build` and tells how far it is when it takes a while.
func (c *goCommand) tell(ctx context.Context, out io.Writer, what string) error {
	begin := time.Now()
	progress := startProgress(out, 2*time.Second, func() string {
		return fmt.Sprintf("building %s: %s", what, c.state(0, begin))
	})
	defer progress.stop()
	_, err := c.run(ctx)
	return err
}

// GoEnv returns the value of each of the go command's variables at the repository's top.
func GoEnv(ctx context.Context, names ...string) ([]string, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	out, err := (&goCommand{dir: root, args: append([]string{"env"}, names...)}).run(ctx)
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"), nil // a line each, empty ones too
}

// RaceDetector returns nil when programs can be built with the race detector here, and what is missing otherwise.
func RaceDetector(ctx context.Context) error {
	env, err := (&goCommand{args: []string{"env", "CC"}}).run(ctx)
	if err != nil {
		return err
	}
	fields := strings.Fields(string(env)) // CC may carry flags
	if len(fields) == 0 {
		return fmt.Errorf("`go env CC` names no C compiler, which the race detector needs; install gcc or clang")
	}
	if _, err := exec.LookPath(fields[0]); err != nil {
		return fmt.Errorf("the race detector needs a C compiler; install gcc or clang: %w", err)
	}
	return nil
}

// state says how far the command is; total is the number of packages in the build, 0 when that is not known.
func (c *goCommand) state(total int, begin time.Time) string {
	var b strings.Builder
	if n := c.downloads.Load(); n > 0 {
		fmt.Fprintf(&b, "%d modules downloaded, ", n)
	}
	fmt.Fprintf(&b, "%d ", c.packages.Load())
	if total > 0 {
		fmt.Fprintf(&b, "of at most %d ", total)
	}
	fmt.Fprintf(&b, "packages compiled, %s", since(begin))
	return b.String()
}
