package main

import (
	"context"
	"errors"
	"io"

	"quartermaster.dev/e2e/cluster"
	"quartermaster.dev/e2e/internal/load"
	"quartermaster.dev/e2e/release"
)

func soak(ctx context.Context, o *options, plane *cluster.Cluster, installed *release.Release, recordings []*load.Recording, stdout, stderr io.Writer) error {
	return errors.New("not yet")
}
