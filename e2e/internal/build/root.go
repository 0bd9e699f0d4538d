package build

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Module is the path of the module whose top folder Root finds.
const Module = "quartermaster.dev"

// Root returns the repository's top folder: the nearest folder from the working directory upwards whose go.mod says
// Module. The folder of a nested module is passed by.
func Root() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		path, err := modulePath(filepath.Join(dir, "go.mod"))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		if path == Module {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod of module %s in %q or above it; run this inside the repository", Module, start)
		}
	}
}

// modulePath returns the module path that a go.mod declares.
func modulePath(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 1 && fields[0] == "module" {
			return strings.Trim(fields[1], `"`), nil
		}
	}
	return "", lines.Err()
}
