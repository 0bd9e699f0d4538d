package image

import (
	"context"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"quartermaster.dev/e2e/internal/build"
)

// Pause makes the sandbox image of containerd: one program that holds a pod's namespaces and otherwise waits to be
// asked to end.
func Pause(ctx context.Context, o Options) (archive string, err error) {
	binary, err := build.Program{Package: "./e2e/image/pause", Static: true}.Build(ctx, o.out())
	if err != nil {
		return "", err
	}
	files := rootfs{}
	if err := files.copy("pause", binary); err != nil {
		return "", err
	}
	return o.archive(files, v1.Config{User: "65532:65532", Entrypoint: []string{"/pause"}, WorkingDir: "/"})
}
