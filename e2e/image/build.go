package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"quartermaster.dev/e2e/internal/build"
)

// Build makes Quartermaster's own image from the Dockerfile as it is, with buildah and without a network: golang and
// distroless are stood in for, and what the modules need is compiled into this machine's build cache before. The same
// source and version give the same digest. It must run as root.
func Build(ctx context.Context, o Options) (archive string, err error) {
	root, err := build.Root()
	if err != nil {
		return "", err
	}
	if err := build.CompileStatic(ctx, o.out()); err != nil {
		return "", err
	}
	fmt.Fprintf(o.out(), "Building the image %s from the Dockerfile.\n", o.Reference)
	begin := time.Now()
	b, err := newBuildah(o.Dir)
	if err != nil {
		return "", err
	}
	defer b.close()
	image, err := b.buildDockerfile(ctx, root, o.Version)
	if err != nil {
		return "", fmt.Errorf("the image %s could not be built: %w", o.Reference, err)
	}
	if archive, err = writeArchive(o.Dir, o.Reference, image); err != nil {
		return "", err
	}
	fmt.Fprintf(o.out(), "Built the image %s in %s: %s\n", o.Reference, time.Since(begin).Round(time.Second), archive)
	return archive, nil
}

// buildDockerfile builds the Dockerfile in root. The image that it returns is read from b's folder.
func (b *buildah) buildDockerfile(ctx context.Context, root, version string) (v1.Image, error) {
	for reference, standIn := range map[string]func() (v1.Image, error){
		"docker.io/library/golang:1.26":    golang,
		"gcr.io/distroless/static:nonroot": distroless,
	} {
		image, err := standIn()
		if err != nil {
			return nil, err
		}
		if err := b.load(ctx, reference, image); err != nil {
			return nil, err
		}
	}
	mounts, err := goMounts(ctx)
	if err != nil {
		return nil, err
	}
	const reference = "localhost/quartermaster:built"
	args := []string{"bud",
		"--pull-never", "--timestamp", "0", "--platform", "linux/" + runtime.GOARCH,
		// Inside there is only the loopback device (see run); buildah needs no network of its own for that.
		"--network", "host",
		"--build-arg", "VERSION=" + version, "--tag", reference, "--file", filepath.Join(root, "Dockerfile")}
	if err := b.run(ctx, append(append(args, mounts...), root)...); err != nil {
		return nil, err
	}
	return b.export(ctx, reference)
}

// goMounts are the flags that mount this machine's Go and its caches where the stand-in for golang looks for them.
func goMounts(ctx context.Context) ([]string, error) {
	dirs, err := build.GoEnv(ctx, "GOROOT", "GOMODCACHE", "GOCACHE")
	if err != nil {
		return nil, err
	}
	if len(dirs) != 3 {
		return nil, fmt.Errorf("`go env` tells %q of GOROOT, GOMODCACHE and GOCACHE", dirs)
	}
	return []string{
		"--volume", dirs[0] + ":" + goRoot + ":ro",
		"--volume", dirs[1] + ":" + goModuleCache + ":ro",
		"--volume", dirs[2] + ":" + goBuildCache,
	}, nil
}

// load puts an image into buildah's storage.
func (b *buildah) load(ctx context.Context, reference string, image v1.Image) error {
	archive, err := writeArchive(b.dir, reference, image)
	if err != nil {
		return err
	}
	defer os.Remove(archive)
	return b.run(ctx, "pull", "--quiet", "oci-archive:"+archive)
}

// export reads an image from buildah's storage.
func (b *buildah) export(ctx context.Context, reference string) (v1.Image, error) {
	dir := filepath.Join(b.dir, "export")
	if err := b.run(ctx, "push", "--quiet", "--disable-compression", reference, "oci:"+dir); err != nil {
		return nil, err
	}
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	if len(manifest.Manifests) != 1 {
		return nil, errors.New("buildah has not written just one image")
	}
	return index.Image(manifest.Manifests[0].Digest)
}
