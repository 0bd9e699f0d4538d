package main

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
)

func TestPauseCollectsChildrenUntilItIsAskedToEnd(t *testing.T) {
	// The signal must not end the tests when it comes before main listens to it.
	others := make(chan os.Signal, 1)
	signal.Notify(others, syscall.SIGTERM)
	defer signal.Stop(others)
	done := make(chan struct{})
	go func() {
		main()
		close(done)
	}()

	for collected := false; !collected; {
		child, err := syscall.ForkExec("/bin/true", []string{"true"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(time.Second); !collected && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			collected = errors.Is(syscall.Kill(child, 0), syscall.ESRCH)
		}
	}
	for {
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		select {
		case <-done:
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}
