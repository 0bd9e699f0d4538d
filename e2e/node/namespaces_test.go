//go:build e2e

package node

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain is also the process that is killed: with NODE set it makes namespaces for the node in that folder, starts in
// them what a node leaves behind, and waits for its end.
func TestMain(m *testing.M) {
	if dir := os.Getenv("NODE"); dir != "" {
		panic(occupy(dir))
	}
	os.Exit(m.Run())
}

// occupy does in namespaces what a node does there: it mounts, makes a control group, and starts a process that is
// nobody's child and outlives who started it.
func occupy(dir string) error {
	lock, err := lockFile(dir)
	if err != nil {
		return err
	}
	ns, err := enter(dir, lock)
	if err != nil {
		return err
	}
	const script = `mkdir /var/lib/volume
mount -t tmpfs tmpfs /var/lib/volume
for top in /sys/fs/cgroup /sys/fs/cgroup/*; do
	[ ! -d "$top/$2" ] || mkdir -p "$top/$2/pod/container"
done
setsid sh -c 'trap "" HUP INT TERM; while :; do sleep 600; done' "$1" </dev/null >/dev/null 2>&1 &
touch "$1/occupied"`
	if err := ns.command(context.Background(), dir, "/bin/sh", "-ec", script, "sh", dir, controlGroup(dir)).Run(); err != nil {
		return err
	}
	select {} // to be killed
}

// lockFile opens, and locks, a file beside dir that stands for the machine's.
func lockFile(dir string) (*os.File, error) {
	file, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return file, syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// TestNothingOutlivesAKilledProcess kills the process that has brought a node up in the way that lets it do nothing about
// it, and looks for everything that the node was.
func TestNothingOutlivesAKilledProcess(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp(t.TempDir(), "quartermaster-node-") // the control group has that name too
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lib", "log"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	process := exec.Command(os.Args[0])
	process.Env = append(os.Environ(), "NODE="+dir)
	process.Stderr = os.Stderr
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the namespaces are occupied", func() bool { return exists(filepath.Join(dir, "occupied")) })
	if len(processes(t, dir)) < 3 || len(controlGroups(t, dir)) == 0 {
		t.Fatal("what must not be left is not there in the first place")
	}
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = process.Wait()
	eventually(t, "the lock is free", func() bool {
		lock, err := lockFile(dir)
		if lock != nil {
			defer lock.Close()
		}
		return err == nil
	})
	// The lock is what the next node waits for: all must be gone by now.
	if exists(dir) {
		t.Error("the folder is left")
	}
	if left := processes(t, dir); len(left) > 0 {
		t.Errorf("processes are left: %q", left)
	}
	if left := controlGroups(t, dir); len(left) > 0 {
		t.Errorf("control groups are left: %q", left)
	}
}

// processes are the command lines that name a folder.
func processes(t *testing.T, dir string) (found []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(line), dir) { // it may have ended meanwhile
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// controlGroups are those of the node in a folder.
func controlGroups(t *testing.T, dir string) (found []string) {
	t.Helper()
	for _, pattern := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		groups, err := filepath.Glob(pattern + controlGroup(dir))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, groups...)
	}
	return found
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return !errors.Is(err, fs.ErrNotExist)
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not so after 20 s: %s", what)
}
