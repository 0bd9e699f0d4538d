package image

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A rootfs is the files of an image by their path, which has no leading slash. Nothing in it tells when or by whom it
// was made, so that equal files are an equal layer.
type rootfs map[string]file

type file struct {
	mode   fs.FileMode // with its type: a folder, a symbolic link, or a regular file
	text   []byte      // content of a regular file
	target string      // of a symbolic link
}

// dir adds a folder.
func (r rootfs) dir(name string, mode fs.FileMode) {
	r.add(name, file{mode: mode | fs.ModeDir})
}

// write adds a regular file.
func (r rootfs) write(name, text string, mode fs.FileMode) {
	r.add(name, file{mode: mode, text: []byte(text)})
}

// link adds a symbolic link.
func (r rootfs) link(name, target string) {
	r.add(name, file{mode: fs.ModeSymlink | 0o777, target: target})
}

// copy adds a regular file of this machine, as everybody may read it, and run it where its owner may.
func (r rootfs) copy(name, from string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if info.Mode()&0o100 != 0 {
		mode = 0o755
	}
	r.add(name, file{mode: mode, text: text})
	return nil
}

// copyDir adds the regular files below a folder of this machine.
func (r rootfs) copyDir(name, from string) error {
	return filepath.WalkDir(from, func(p string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		below, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		return r.copy(path.Join(name, filepath.ToSlash(below)), p)
	})
}

// add adds a file and the folders above it that are not there yet.
func (r rootfs) add(name string, f file) {
	name = strings.TrimPrefix(path.Clean(name), "/")
	r[name] = f
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if _, ok := r[dir]; !ok {
			r[dir] = file{mode: fs.ModeDir | 0o755}
		}
	}
}

// tar returns the files as an archive. Folders come before what is in them.
func (r rootfs) tar() ([]byte, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, name := range slices.Sorted(maps.Keys(r)) {
		f := r[name]
		if err := w.WriteHeader(f.header(name)); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.text); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return archive.Bytes(), nil
}

func (f file) header(name string) *tar.Header {
	h := &tar.Header{Name: name, Mode: int64(f.mode.Perm()), Size: int64(len(f.text)), Typeflag: tar.TypeReg}
	switch {
	case f.mode.IsDir():
		h.Name, h.Typeflag = name+"/", tar.TypeDir
	case f.mode&fs.ModeSymlink != 0:
		h.Linkname, h.Typeflag = f.target, tar.TypeSymlink
	}
	if f.mode&fs.ModeSticky != 0 {
		h.Mode |= 0o1000
	}
	return h
}
