package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// stdinName is how messages name what was read from stdin.
const stdinName = "<stdin>"

// file is a file as it was read.
type file struct {
	name string
	data []byte
	// found says that the file was found below a folder, and not named.
	found bool
}

// readOne reads a file, or stdin where the name is a dash.
func readOne(s streams, name string) (file, error) {
	if name == "-" {
		data, err := io.ReadAll(s.in)
		return file{name: stdinName, data: data}, err
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return file{}, cannotRead(err)
	}
	return file{name: name, data: data}, nil
}

// readAll reads the files named, stdin for a dash, and of a folder all
// manifests below it that have to do with us: a repository holds other YAML,
// and templates that are no YAML yet.
func readAll(s streams, names []string) ([]file, error) {
	if i := slices.Index(names, "-"); i >= 0 && slices.Contains(names[i+1:], "-") {
		return nil, inputErrorf("name it once", "stdin can be read only once")
	}
	var files []file
	for _, name := range names {
		info, err := os.Stat(name)
		switch {
		case name == "-" || err == nil && !info.IsDir():
			f, err := readOne(s, name)
			if err != nil {
				return nil, err
			}
			files = append(files, f)
		case err != nil:
			return nil, cannotRead(err)
		default:
			below, err := readFolder(name)
			if err != nil {
				return nil, err
			}
			files = append(files, below...)
		}
	}
	return files, nil
}

func readFolder(root string) ([]file, error) {
	var files []file
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != root && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		case entry.IsDir() || !slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name)):
			return nil
		}
		// A mounted ConfigMap shows its keys as symbolic links.
		if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
			return err
		}
		data, err := os.ReadFile(name)
		if err == nil && bytes.Contains(data, []byte("quartermaster.dev/")) {
			files = append(files, file{name, data, true})
		}
		return err
	})
	if err != nil {
		return nil, cannotRead(err)
	}
	return files, nil
}

// cannotRead makes a sentence of an error of the file system.
func cannotRead(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return inputErrorf("", "cannot read %q: %v", pathError.Path, pathError.Err)
	}
	return err
}
