package certs

import (
	"context"
	"errors"
	"os"
	"testing"

	"quartermaster.dev/e2e/cluster"
	"quartermaster.dev/e2e/internal/build"
	"quartermaster.dev/e2e/internal/harness"
)

// What all tests of this package share. It is set before the first of them runs.
var (
	plane         *cluster.Cluster
	certsBinary   string
	webhookBinary string
)

func TestMain(m *testing.M) { harness.Tests(m, runTests) }

// runTests starts what the tests share, runs them, and stops it again, also when ctx ends first.
func runTests(ctx context.Context, tests func() (int, error)) (code int, err error) {
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
	return tests()
}
