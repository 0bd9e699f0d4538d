package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quartermaster.dev/e2e/cluster"
	"quartermaster.dev/e2e/internal/build"
)

func TestDemo(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), nil, &out, os.Stderr); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	for _, want := range []string{
		"+  nodeSelector:\n",
		"ERROR: Job failed (system failure): prepare environment: setting up build pod: admission webhook ",
		"✓ it was stored exactly as it was sent",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the demo does not show %q:\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("colours, but no terminal")
	}
}

func TestInterruptedDemoSaysSo(t *testing.T) {
	if _, err := cluster.Assets(t.Context(), os.Stderr); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := run(ctx, nil, &bytes.Buffer{}, os.Stderr)
	if err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("got %v", err)
	}
}

// TestChecksCanFail shows the checks a pod that nobody has equipped, and a refusal by somebody else.
func TestChecksCanFail(t *testing.T) {
	root, err := build.Root()
	if err != nil {
		t.Fatal(err)
	}
	pod, err := recordedPod(filepath.Join(root, recording))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s := newStage(&out, true)
	if err := s.checkEquipped(pod, "-  a line that is gone\n"); err != nil {
		t.Fatal(err)
	}
	s.checkRefusal(errors.New("somebody else denied the request"))
	if s.failures != s.checks || strings.Contains(out.String(), "✓") {
		t.Errorf("%d of %d checks failed:\n%s", s.failures, s.checks, &out)
	}
	if s.verdict() == nil {
		t.Error("no error")
	}
}
