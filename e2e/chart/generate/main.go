// Command generate writes what is generated from the chart: its README.md, the descriptions in its values.schema.json, and
// manifests/install.yaml. With -check it writes nothing and fails where one of them is out of date.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/google/go-cmp/cmp"

	"quartermaster.dev/e2e/chart"
)

func main() {
	if err := run(os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("generate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	check := flags.Bool("check", false, "fail where a file is out of date, and write none")
	if err := flags.Parse(args); err != nil {
		return err
	}
	files, err := chart.Files()
	if err != nil {
		return err
	}
	stale := 0
	for _, file := range files {
		switch {
		case file.Is == file.Want:
		case *check:
			stale++
			fmt.Fprintf(stderr, "%s is out of date (-is +want):\n%s", file.Path, cmp.Diff(file.Is, file.Want))
		default:
			fmt.Fprintln(stderr, "writing", file.Path)
			if err := os.WriteFile(file.Path, []byte(file.Want), 0o644); err != nil {
				return err
			}
		}
	}
	if stale > 0 {
		return fmt.Errorf("%d generated files are out of date; run `make generate`", stale)
	}
	return nil
}
