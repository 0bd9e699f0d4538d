package build

import (
	"context"
	"io"
	"path"
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
	name := path.Base(t.Package) + ".test"
	return intoBin(ctx, out, name, &goCommand{args: []string{"test", "-c", "-v", "-tags", t.Tags}}, t.Package)
}
