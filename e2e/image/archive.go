package image

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// newImage makes an image of one layer for this machine's architecture. The layer is not compressed: nobody is going to
// send it anywhere.
func newImage(files rootfs, config v1.Config) (v1.Image, error) {
	layer, err := files.tar()
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.AppendLayers(image, static.NewLayer(layer, types.OCIUncompressedLayer))
	if err != nil {
		return nil, err
	}
	made, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	made = made.DeepCopy()
	made.OS, made.Architecture, made.Config = "linux", runtime.GOARCH, config
	return mutate.ConfigFile(image, made)
}

// writeArchive writes an image into dir as an OCI archive, which is imported with its digest kept and by the name
// reference, and returns the archive's path. Its name is made of the reference.
func writeArchive(dir, reference string, image v1.Image) (archive string, err error) {
	full, err := fullName(reference)
	if err != nil {
		return "", err
	}
	temporary, err := os.MkdirTemp(dir, ".archive-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temporary)
	index, err := layout.Write(filepath.Join(temporary, "layout"), empty.Index)
	if err != nil {
		return "", err
	}
	// containerd takes the name from the first, buildah from the second.
	if err := index.AppendImage(image, layout.WithAnnotations(map[string]string{
		"io.containerd.image.name":          full,
		"org.opencontainers.image.ref.name": full,
	})); err != nil {
		return "", err
	}
	files := rootfs{}
	if err := files.copyDir("", string(index)); err != nil {
		return "", err
	}
	text, err := files.tar()
	if err != nil {
		return "", err
	}
	made := filepath.Join(temporary, "archive")
	if err := os.WriteFile(made, text, 0o666); err != nil {
		return "", err
	}
	archive = filepath.Join(dir, strings.NewReplacer("/", "_", ":", "_").Replace(full)+".tar")
	return archive, os.Rename(made, archive)
}

// fullName is a reference as containerd and the kubelet spell it out: quartermaster:e2e is
// docker.io/library/quartermaster:e2e. A tag must be given, and another than latest, which would have the kubelet ask a
// registry that knows nothing of the image.
func fullName(reference string) (string, error) {
	tag, err := name.NewTag(reference)
	if err != nil {
		return "", err
	}
	if tag.TagStr() == name.DefaultTag {
		return "", fmt.Errorf("image %q has no tag, or %q, which a kubelet always pulls; name another tag", reference, name.DefaultTag)
	}
	full := tag.Name()
	if rest, ok := strings.CutPrefix(full, name.DefaultRegistry+"/"); ok {
		full = "docker.io/" + rest
	}
	return full, nil
}
