// Package guard sees to it that child processes and temporary files do not outlive the process that needs them, even
// when that one is killed: a test binary that runs into its timeout, panics, or is interrupted before anybody listens
// has no chance to clean up by itself.
//
// A small shell, the watcher, holds the reading end of a pipe whose writing end nobody but this process has. When this
// process ends, in whatever way, the pipe ends, and the watcher cleans up.
package guard

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// watcher is the shell's program; $1 is the guarded folder. A line on its standard input relieves it.
const watcher = `
trap '' HUP INT TERM
read -r relieved && exit
for file in "$1"/*.pid; do
	pid=$(cat "$file")
	kill -KILL "-$pid" || kill -KILL "$pid"
done 2>/dev/null
rm -rf -- "$1"
`

// A Guard watches over one folder and the processes that were started by way of it.
type Guard struct {
	dir  string
	pipe io.WriteCloser
	cmd  *exec.Cmd
}

// Watch begins to watch over dir. Once this process is gone, or has called Relieve, it ends.
func Watch(dir string) (*Guard, error) {
	g := &Guard{dir: dir, cmd: exec.Command("/bin/sh", "-c", watcher, "guard", dir)}
	// A terminal's signals are not for it.
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if g.pipe, err = g.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := g.cmd.Start(); err != nil {
		return nil, fmt.Errorf("no watcher for %q: %w", dir, err)
	}
	return g, nil
}

// Wrap returns a program that does what binary does, in the same process, and is watched from its first moment: before
// it becomes binary it writes its process ID into the folder. Where it leads a process group, all of that is killed with it.
func (g *Guard) Wrap(binary string) (program string, err error) {
	program = filepath.Join(g.dir, filepath.Base(binary))
	script := fmt.Sprintf("#!/bin/sh\necho $$ > %s\nexec %s \"$@\"\n", quote(program+".pid"), quote(binary))
	// A file that is open for writing cannot be executed, and a child forked meanwhile would hold it open for a moment.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return program, os.WriteFile(program, []byte(script), 0o700)
}

// Relieve ends the watch. What was watched over must have been ended and removed by the caller, or is about to be.
func (g *Guard) Relieve() {
	_, _ = io.WriteString(g.pipe, "relieved\n")
	_ = g.pipe.Close()
	_ = g.cmd.Wait()
}

// quote is text as one word of a shell's.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
