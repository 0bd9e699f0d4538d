package node

import (
	"bufio"
	"bytes"
	"context"
	_ "embed" // the scripts
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

//go:embed supervise.sh
var supervise string

//go:embed furnish.sh
var furnish string

// The namespaces live until the pipe ends that this process holds open.
type namespaces struct {
	pid        string // of their first process, as the machine sees it
	pipe       io.Closer
	supervisor *exec.Cmd
	stderr     bytes.Buffer // to be read when the supervisor has ended
}

// enter makes the namespaces. dir is removed with them, and lock is held for as long as anything of them is there.
func enter(dir string, lock *os.File) (*namespaces, error) {
	ns := &namespaces{
		supervisor: exec.Command("/bin/sh", "-c", supervise, "supervise", dir, controlGroup(dir), furnish, Address, serviceRange),
	}
	ns.supervisor.Stderr = &ns.stderr
	ns.supervisor.ExtraFiles = []*os.File{lock}
	// A terminal's signals are not for it.
	ns.supervisor.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if ns.pipe, err = ns.supervisor.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := ns.supervisor.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := ns.supervisor.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("no namespaces for the node: %w", errors.Join(err, ns.leave()))
	}
	ns.pid = strings.TrimSpace(line)
	return ns, nil
}

// controlGroup is the name of the control group of the node in that folder, at the top of each hierarchy.
func controlGroup(dir string) string { return filepath.Base(dir) }

// leave ends whatever runs in the namespaces, and returns when that is gone, and the node's files too.
func (ns *namespaces) leave() error {
	_ = ns.pipe.Close()
	err := ns.supervisor.Wait()
	if complaints := strings.TrimSpace(ns.stderr.String()); complaints != "" {
		err = errors.Join(err, errors.New(complaints))
	}
	if err != nil {
		return fmt.Errorf("the node was ended, but not cleanly: %w", err)
	}
	return nil
}

// command is a program to run in the namespaces, in the folder dir. When ctx ends, the program is killed, and what it has
// started with it.
func (ns *namespaces) command(ctx context.Context, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "nsenter", append([]string{"--target", ns.pid, "--net", "--mount", "--pid", "--",
		// The working directory is lost on the way.
		"/bin/sh", "-c", `cd "$1" && shift && exec "$@"`, "enter", dir, program}, args...)...)
	// nsenter waits for the program outside of the PID namespace; both are in this group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}
