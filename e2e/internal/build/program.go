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
}

// Build compiles the program into bin/ and returns the binary's path. It always asks the go command, whose cache
// makes that cheap when nothing has changed, so the binary is never older than the source.
func (p Program) Build(ctx context.Context, out io.Writer) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	unlock, err := lock(ctx, root, out)
	if err != nil {
		return "", err
	}
	defer unlock()

	name := path.Base(p.Package)
	if p.Race {
		name += "-race"
	}
	binary := filepath.Join(root, "bin", name)
	temporary := binary + ".building"
	defer os.Remove(temporary)
	if err := compile(ctx, out, root, name, p.Race, "-o", temporary, p.Package); err != nil {
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
	return compile(ctx, out, root, "every package", race, "./...")
}

// compile runs `go build` at the repository's top and tells how far it is when it takes a while.
func compile(ctx context.Context, out io.Writer, root, what string, race bool, args ...string) error {
	command := &goCommand{dir: root, args: append([]string{"build", "-v"}, args...)}
	if race {
		command.args = slices.Insert(command.args, 1, "-race")
		command.env = []string{"CGO_ENABLED=1"} // the race detector is linked by the C compiler
	}
	begin := time.Now()
	progress := startProgress(out, 2*time.Second, func() string {
		return fmt.Sprintf("building %s: %s", what, command.state(0, begin))
	})
	defer progress.stop()
	_, err := command.run(ctx)
	return err
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
