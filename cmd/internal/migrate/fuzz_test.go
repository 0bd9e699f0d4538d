package migrate_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"quartermaster.dev/cmd/internal/migrate"
)

// FuzzMigrate holds what must be so for every configuration against files that
// nobody would write.
func FuzzMigrate(f *testing.F) {
	scripts, err := filepath.Glob("../../quartermaster/testdata/script/migrate*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, script := range scripts {
		archive, err := txtar.ParseFile(script)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range archive.Files {
			f.Add(string(file.Data), strings.HasSuffix(file.Name, ".toml"))
		}
	}
	f.Fuzz(func(t *testing.T, data string, toml bool) {
		in := migrate.Input{Name: "fuzz", Data: []byte(data), TOML: toml}
		opts := migrate.Options{Namespace: "dev", Name: "runner-jobs", Account: "manager"}
		c, err := migrate.Read(in, opts)
		if err != nil {
			return
		}
		c.Audit()
		var need *migrate.NeedError
		if _, err := c.Migrate(); errors.As(err, &need) {
			return // refused, and nothing written
		}
		if c, err = migrate.Read(in, opts); err != nil {
			t.Fatal(err)
		}
		check(t, c, in, opts)
	})
}
