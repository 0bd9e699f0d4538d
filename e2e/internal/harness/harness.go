// Package harness is how the commands and the tests below e2e begin and end: whoever asks them to end, by Ctrl-C or a
// signal, finds nothing left behind.
package harness

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// signals ask a process to end.
var signals = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}

// Main runs a command and exits: with 0, with 1 for an error, which is printed, and with 2 when its help was asked for. The
// command's context ends when the process is asked to end.
func Main(command func(ctx context.Context, args []string, stdout, stderr io.Writer) error) {
	// Piped into a reader that goes away, the process would be killed at its next word, and leave its children behind.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	err := command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// Interrupted is err, or a plain word where the reason is that the process was asked to end.
func Interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted; everything that was started has been ended")
	}
	return err
}

// Tests runs the tests of a package and exits, for TestMain. around starts what the tests share, calls run, and stops that
// again: run returns the tests' exit code, or an error when the process is asked to end first. Where tests are only
// listed, nothing is started.
func Tests(m interface{ Run() int }, around func(ctx context.Context, run func() (int, error)) (int, error)) {
	flag.Parse()
	if flag.Lookup("test.list").Value.String() != "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	code, err := around(ctx, func() (int, error) { return until(ctx, m) })
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		code = 1
	}
	os.Exit(code)
}

// until runs the tests until they or ctx end.
func until(ctx context.Context, m interface{ Run() int }) (int, error) {
	done := make(chan int, 1)
	go func() { done <- m.Run() }()
	select {
	case code := <-done:
		return code, nil
	case <-ctx.Done():
		return 1, context.Cause(ctx)
	}
}
