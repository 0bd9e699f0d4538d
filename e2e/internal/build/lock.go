package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lock takes the lock of the folder bin/, which keeps two processes (two test packages, a test and a demo) from
// building into it at once. The kernel gives it up when its holder dies, however it dies.
func lock(ctx context.Context, root string, out io.Writer) (unlock func(), err error) {
	bin := filepath.Join(root, "bin")
	if err := os.MkdirAll(bin, 0o777); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(bin, ".lock"), os.O_CREATE|os.O_RDWR, 0o666)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	waiting := startProgress(out, 2*time.Second, func() string {
		return fmt.Sprintf("waiting for another build in %s to end (%s)", bin, since(begin))
	})
	defer waiting.stop()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return func() { _ = file.Close() }, nil
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			_ = file.Close()
			return nil, fmt.Errorf("cannot lock %q: %w", file.Name(), err)
		}
		select {
		case <-ctx.Done():
			_ = file.Close()
			return nil, context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}
