package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"quartermaster.dev/e2e/internal/harness"
)

// sweepTime is what interrupted tests are given to take from the cluster what they have brought.
const sweepTime = 3 * time.Minute

// testGiven runs the tests on the cluster that was given.
func testGiven(ctx context.Context, o options, out io.Writer) (err error) {
	if o.kubeconfig, err = filepath.Abs(o.kubeconfig); err != nil {
		return err
	}
	t, err := buildTools(ctx, true, out)
	if err != nil {
		return harness.Interrupted(ctx, err)
	}
	fmt.Fprintf(out, "Running the tests on the cluster of %s.\n", o.kubeconfig)
	tests := exec.CommandContext(ctx, t.tests, t.args(o)...)
	tests.Dir = t.folder()
	tests.Stdout, tests.Stderr = out, out
	// A terminal's Ctrl-C reaches them by way of ctx, once.
	tests.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	tests.Cancel = func() error { return tests.Process.Signal(syscall.SIGTERM) }
	tests.WaitDelay = sweepTime
	if err := tests.Run(); err != nil {
		return harness.Interrupted(ctx, fmt.Errorf("the tests failed: %w", err))
	}
	return nil
}
