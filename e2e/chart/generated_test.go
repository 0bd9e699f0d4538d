package chart_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"quartermaster.dev/e2e/chart"
)

func TestGeneratedFiles(t *testing.T) {
	t.Parallel()
	files, err := chart.Files()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if diff := cmp.Diff(file.Want, file.Is); diff != "" {
			t.Errorf("%s is out of date; run `make generate` (-want +is):\n%s", file.Path, diff)
		}
	}
}
