package policy_test

import (
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// impure are packages that would let a decision depend on more than its
// values: on who calls, on when, on where, on what is on a disk or a network.
// What lies below them is as impure as they are.
var impure = []string{
	"context", "log", "os", "net", "time", "syscall", "math/rand", "unsafe",
	"k8s.io/client-go", "k8s.io/klog", "sigs.k8s.io/controller-runtime", "github.com/scaleway",
}

// heavy are modules that must not even be linked into what uses this package.
var heavy = []string{"k8s.io/client-go", "sigs.k8s.io/controller-runtime", "github.com/scaleway"}

// below tells which of roots a package is, or lies below.
func below(pkg string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		return pkg == root || strings.HasPrefix(pkg, root+"/")
	})
}

// TestPolicyIsPure holds the package's own imports against [impure].
func TestPolicyIsPure(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range parsed.Imports {
			pkg, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			checked++
			if below(pkg, impure) {
				t.Errorf("%s imports %s: a decision is made of values alone", file, pkg)
			}
		}
	}
	if checked == 0 {
		t.Error("found no import to check")
	}
}

// TestPolicyLinksNoClient holds all that the package brings along against [heavy].
func TestPolicyLinksNoClient(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, "k8s.io/api/core/v1") {
		t.Fatalf("go list names %d packages, and not the one of corev1", len(deps))
	}
	for _, pkg := range deps {
		if below(pkg, heavy) {
			t.Errorf("the package depends on %s", pkg)
		}
	}
}
