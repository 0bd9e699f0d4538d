package guard

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain is also the process that is killed: with GUARDED set it starts a child and waits for its end.
func TestMain(m *testing.M) {
	if dir := os.Getenv("GUARDED"); dir != "" {
		guard, err := Watch(dir)
		if err != nil {
			panic(err)
		}
		sleep, err := guard.Wrap("/bin/sleep")
		if err != nil {
			panic(err)
		}
		child := exec.Command(sleep, "600")
		child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		panic(child.Run())
	}
	os.Exit(m.Run())
}

func TestNothingOutlivesAKilledProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "it's guarded")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	process := exec.Command(os.Args[0])
	process.Env = append(os.Environ(), "GUARDED="+dir)
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	child := 0
	eventually(t, "the child has started", func() bool {
		text, _ := os.ReadFile(filepath.Join(dir, "sleep.pid"))
		child, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return child > 0
	})
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = process.Wait()
	eventually(t, "the folder is gone", func() bool {
		_, err := os.Stat(dir)
		return errors.Is(err, os.ErrNotExist)
	})
	eventually(t, "the child is gone", func() bool {
		state, err := os.ReadFile("/proc/" + strconv.Itoa(child) + "/stat")
		if err == nil { // where nobody collects orphans it stays as a zombie
			return strings.Contains(string(state), ") Z ")
		}
		return syscall.Kill(child, 0) != nil
	})
}

func TestRelievedWatcherLeavesEverything(t *testing.T) {
	dir := t.TempDir()
	guard, err := Watch(dir)
	if err != nil {
		t.Fatal(err)
	}
	guard.Relieve()
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("not so after 10 s: %s", what)
}
