package main

import (
	"context"
	"io"
	"path/filepath"

	"quartermaster.dev/e2e/image"
	"quartermaster.dev/e2e/internal/build"
)

// References of the images that are made. Never "latest", which a kubelet wants to pull.
const (
	serverImage = "quartermaster:e2e"
	jobImage    = "quartermaster-job:e2e"
	pauseImage  = "quartermaster-pause:e2e"
)

// tools are the programs that the tests call, and the tests: the paths of their binaries.
type tools struct {
	root                       string // folder of the repository
	kubectl, helm, certManager string
	tests                      string
}

// buildTools builds the tools, and the tests where they are wanted. It has to be done outside of the node's network, from
// which there is no way to a module proxy.
func buildTools(ctx context.Context, tests bool, out io.Writer) (t tools, err error) {
	if t.root, err = build.Root(); err != nil {
		return t, err
	}
	for _, step := range []struct {
		binary *string
		name   string
		build  func(context.Context, io.Writer) (string, error)
	}{
		{&t.kubectl, "kubectl", build.Node},
		{&t.helm, "helm", build.Helm},
		{&t.certManager, "certmanager", build.CertManager},
	} {
		dir, err := step.build(ctx, out)
		if err != nil {
			return t, err
		}
		*step.binary = filepath.Join(dir, step.name)
	}
	if tests {
		t.tests, err = build.Tests{Package: "./e2e/installed", Tags: "e2e"}.Build(ctx, out)
	}
	return t, err
}

// buildImages makes the images and returns their archives, in dir.
func buildImages(ctx context.Context, version, dir string, out io.Writer) (archives []string, err error) {
	for _, step := range []struct {
		reference string
		build     func(context.Context, image.Options) (string, error)
	}{
		{serverImage, image.Build},
		{jobImage, image.Job},
		{pauseImage, image.Pause},
	} {
		archive, err := step.build(ctx, image.Options{Dir: dir, Reference: step.reference, Version: version, Out: out})
		if err != nil {
			return nil, err
		}
		archives = append(archives, archive)
	}
	return archives, nil
}

// folder is where the tests have to be run.
func (t tools) folder() string { return filepath.Join(t.root, "e2e", "installed") }

// args are the arguments of the tests.
func (t tools) args(o options) []string {
	return []string{
		"-e2e.kubeconfig=" + o.kubeconfig, "-e2e.image=" + o.image, "-e2e.job-image=" + o.jobImage, "-e2e.ssh-host=" + o.sshHost,
		"-e2e.kubectl=" + t.kubectl, "-e2e.helm=" + t.helm, "-e2e.certmanager=" + t.certManager,
		"-test.run=" + o.run, "-test.timeout=40m",
		// More than there may be cores, for a test mostly waits.
		"-test.parallel=8",
	}
}
