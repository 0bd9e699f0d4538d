package chart

import (
	"os"
	"path/filepath"

	"quartermaster.dev/e2e/internal/build"
	"quartermaster.dev/e2e/release"
)

// A File is one that is generated, as a whole or in part.
type File struct {
	// Path of the file.
	Path string
	// Is what it holds, and Want what it should.
	Is, Want string
}

// Files returns every generated file of the repository.
func Files() ([]File, error) {
	root, err := build.Root()
	if err != nil {
		return nil, err
	}
	dir, err := release.ChartDir()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, "values.yaml"))
	if err != nil {
		return nil, err
	}
	values, err := parseValues(text)
	if err != nil {
		return nil, err
	}
	var files []File
	for _, generated := range []struct {
		path string
		want func(is string) (string, error)
	}{
		{filepath.Join(dir, "README.md"), func(is string) (string, error) { return readme(is, values) }},
		{filepath.Join(dir, "values.schema.json"), func(is string) (string, error) { return schema(is, values) }},
		{filepath.Join(root, "manifests", "install.yaml"), func(string) (string, error) { return manifest() }},
	} {
		is, err := os.ReadFile(generated.path)
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
		want, err := generated.want(string(is))
		if err != nil {
			return nil, err
		}
		files = append(files, File{Path: generated.path, Is: string(is), Want: want})
	}
	return files, nil
}
