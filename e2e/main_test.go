package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"quartermaster.dev/e2e/cluster"
	"quartermaster.dev/e2e/internal/build"
	"quartermaster.dev/e2e/internal/harness"
	"quartermaster.dev/e2e/release"
)

// What all tests of this package share. It is set before the first of them runs.
var (
	plane     *cluster.Cluster
	installed *release.Release
	raced     bool // whether the server was built with the race detector
)

func TestMain(m *testing.M) { harness.Tests(m, runTests) }

// runTests starts what the tests share, runs them, and stops it again, also when ctx ends first.
func runTests(ctx context.Context, tests func() (int, error)) (code int, err error) {
	if err := build.RaceDetector(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "NOTE: the server runs without the race detector:", err)
	} else {
		raced = true
	}
	if plane, err = cluster.Start(ctx, cluster.Options{Out: os.Stderr}); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, plane.Stop()) }()
	if installed, err = release.Install(ctx, plane, release.Options{Race: raced, Out: os.Stderr}); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, installed.Stop()) }()
	return tests()
}
