package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// shared is what two kubelets on one machine would fight about, hence what is locked. It is there on every machine, and
// locking it leaves no file behind.
const shared = "/sys/fs/cgroup"

// lockMachine waits until no other node runs on this machine, and keeps others from starting until all copies of the file
// that it returns are closed.
func lockMachine(ctx context.Context, out io.Writer) (*os.File, error) {
	file, err := os.Open(shared)
	if err != nil {
		return nil, err
	}
	for told := false; ; {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return file, nil
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			_ = file.Close()
			return nil, fmt.Errorf("cannot lock %q: %w", shared, err)
		case !told:
			told = true
			fmt.Fprintln(out, "  Waiting for another node on this machine to end: only one can run at a time.")
		}
		select {
		case <-ctx.Done():
			_ = file.Close()
			return nil, context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
