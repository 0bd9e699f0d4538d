package image

import (
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Options say what an image is called and where its archive goes.
type Options struct {
	// Dir is the folder for the archive. Everything else that is written there is gone when the image is made.
	Dir string
	// Reference is the name of the image, with a tag: "quartermaster:e2e".
	Reference string
	// Version is what the programs of the image answer to --version, where they are built for it.
	Version string
	// Out is told what takes a while; nil discards that.
	Out io.Writer
}

func (o Options) out() io.Writer {
	if o.Out == nil {
		return io.Discard
	}
	return o.Out
}

// archive makes the image and writes it.
func (o Options) archive(files rootfs, config v1.Config) (string, error) {
	image, err := newImage(files, config)
	if err != nil {
		return "", err
	}
	return writeArchive(o.Dir, o.Reference, image)
}
