package image

import (
	"bytes"
	"testing"
)

func TestEqualFilesAreAnEqualLayer(t *testing.T) {
	t.Parallel()
	var layers [][]byte
	for range 2 {
		files := rootfs{}
		if err := files.base("ci:x:1000:1000:ci:/home/ci:/bin/sh"); err != nil {
			t.Fatal(err)
		}
		files.link("bin/sh", "busybox")
		layer, err := files.tar()
		if err != nil {
			t.Fatal(err)
		}
		layers = append(layers, layer)
	}
	if !bytes.Equal(layers[0], layers[1]) {
		t.Error("the same files gave two layers")
	}
}

func TestFullName(t *testing.T) {
	t.Parallel()
	for reference, want := range map[string]string{
		"quartermaster:e2e":             "docker.io/library/quartermaster:e2e",
		"docker.io/library/pause:local": "docker.io/library/pause:local",
		"example.com/a/b:1":             "example.com/a/b:1",
		"localhost:5000/b:1":            "localhost:5000/b:1",
		"quartermaster":                 "",
		"quartermaster:latest":          "",
		"Upper:1":                       "",
	} {
		got, err := fullName(reference)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v; want %q", reference, got, err, want)
		}
	}
}
