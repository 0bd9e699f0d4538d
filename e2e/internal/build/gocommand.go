package build

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"quartermaster.dev/e2e/internal/guard"
)

// A goCommand is one call of the go command that counts what the go command says it is doing.
type goCommand struct {
	dir  string   // the module's folder
	env  []string // beyond the environment of this process
	args []string

	downloads atomic.Int64 // modules downloaded so far
	packages  atomic.Int64 // packages compiled so far; those in the build cache do not count
}

// maxComplaints bounds how much of the go command's output an error repeats.
const maxComplaints = 40

// run runs the command until it ends and returns its standard output. Cancelling ctx ends the go command and every
// compiler and linker that it has started.
func (c *goCommand) run(ctx context.Context) (stdout []byte, err error) {
	command, err := exec.LookPath("go")
	if err != nil {
		return nil, fmt.Errorf("the go command is not on PATH; install the Go release that go.mod names: %w", err)
	}
	// An interrupted go command leaves its temporary files behind, and one whose caller is killed would build on.
	temporary, err := os.MkdirTemp("", "quartermaster-build-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temporary)
	watch, err := guard.Watch(temporary)
	if err != nil {
		return nil, err
	}
	defer watch.Relieve()
	if command, err = watch.Wrap(command); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, command, c.args...)
	cmd.Dir = c.dir
	// A go.work of the user's around the repository must not decide which versions are built.
	cmd.Env = slices.Concat(os.Environ(), []string{"GOWORK=off", "GOTMPDIR=" + temporary}, c.env)
	// In a process group of its own the whole tree can be ended; a terminal's Ctrl-C reaches it through ctx. Both caches of
	// the go command are made to survive that.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var out bytes.Buffer
	cmd.Stdout = &out
	pipe, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	complaints := c.listen(pipe)
	err = cmd.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("`go %s` in %q: %w\n%s", strings.Join(c.args, " "), c.dir, err, strings.Join(complaints, "\n"))
	}
	return out.Bytes(), nil
}

// listen reads what the go command writes to stderr, counts downloads and packages, and returns the rest.
func (c *goCommand) listen(stderr io.Reader) (complaints []string) {
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadString('\n')
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "":
		case strings.HasPrefix(line, "go: downloading "):
			c.downloads.Add(1)
		case !strings.ContainsAny(line, " \t:#"): // -v prints the bare import path of each package it compiles
			c.packages.Add(1)
		default:
			if complaints = append(complaints, line); len(complaints) > maxComplaints {
				complaints = complaints[1:]
			}
		}
		if err != nil {
			return complaints
		}
	}
}
