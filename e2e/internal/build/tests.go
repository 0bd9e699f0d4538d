package build

import (
	"context"
	"io"
	"os"
	"path"
	"path/filepath"
)

// Tests are the tests of a package of this module, as a program.
type Tests struct {
	// Package is its folder below the repository's top, like "./e2e/installed".
	Package string
	// Tags are the build tags that its files ask for, with commas between them.
	Tags string
}

// Build compiles the tests into bin/, under the package's name with ".test" added, and returns the binary's path. It asks
// the go command as Program.Build does. The tests have to be run in the package's folder.
func (t Tests) Build(ctx context.Context, out io.Writer) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	unlock, err := lock(ctx, root, out)
	if err != nil {
		return "", err
	}
	defer unlock()
	name := path.Base(t.Package) + ".test"
	binary := filepath.Join(root, "bin", name)
	temporary := binary + ".building"
	defer os.Remove(temporary)
	command := &goCommand{dir: root, args: []string{"test", "-c", "-v", "-tags", t.Tags, "-o", temporary, t.Package}}
	if err := command.tell(ctx, out, name); err != nil {
		return "", err
	}
	return binary, os.Rename(temporary, binary)
}
