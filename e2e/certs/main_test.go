package certs

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"quartermaster.dev/e2e/cluster"
	"quartermaster.dev/e2e/internal/build"
)

// What all tests of this package share. It is set before the first of them runs.
var (
	plane         *cluster.Cluster
	certsBinary   string
	webhookBinary string
)

func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.list").Value.String() != "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code, err := runTests(ctx, m)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		code = 1
	}
	os.Exit(code)
}

// runTests starts what the tests share, runs them, and stops it again, also when ctx ends first.
func runTests(ctx context.Context, m *testing.M) (code int, err error) {
	raced := build.RaceDetector(ctx) == nil
	if certsBinary, err = (build.Program{Package: "./cmd/quartermaster-certs", Race: raced}).Build(ctx, os.Stderr); err != nil {
		return 1, err
	}
	if webhookBinary, err = (build.Program{Package: "./cmd/quartermaster-webhook", Race: raced}).Build(ctx, os.Stderr); err != nil {
		return 1, err
	}
	if plane, err = cluster.Start(ctx, cluster.Options{Out: os.Stderr}); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()

	done := make(chan int, 1)
	go func() { done <- m.Run() }()
	select {
	case code = <-done:
		return code, nil
	case <-ctx.Done():
		return 1, context.Cause(ctx)
	}
}
