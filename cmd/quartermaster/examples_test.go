package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

const examples = "../../manifests/examples"

// TestExamplesAreClean: whoever copies an example starts without a warning.
func TestExamplesAreClean(t *testing.T) {
	t.Parallel()
	folders, err := os.ReadDir(examples)
	if err != nil {
		t.Fatal(err)
	}
	linted := 0
	for _, folder := range folders {
		if !folder.IsDir() || folder.Name() == "runner-values" {
			continue
		}
		linted++
		t.Run(folder.Name(), func(t *testing.T) {
			t.Parallel()
			clean(t, "lint", filepath.Join(examples, folder.Name()))
		})
	}
	if linted < 6 {
		t.Errorf("%d folders of examples", linted)
	}
	t.Run("all", func(t *testing.T) {
		t.Parallel()
		clean(t, "lint", examples)
	})
	for _, environment := range []string{"dev", "preprod", "prod"} {
		t.Run("runner-values/"+environment, func(t *testing.T) {
			t.Parallel()
			clean(t, "audit", "-f", filepath.Join(examples, "runner-values", environment+".yaml"), "-n", environment)
		})
	}
}

// clean runs a command that must find neither an error nor a warning.
func clean(t *testing.T, args ...string) {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(t.Context(), args, streams{strings.NewReader(""), &out, &errs}); code != exitOK ||
		!strings.Contains(out.String(), "0 errors, 0 warnings") || errs.Len() > 0 {
		t.Errorf("exit code %d:\n%s%s", code, &out, &errs)
	}
}

// TestExamplesAreManifests: no field is mistyped, which an API server would drop without a word.
func TestExamplesAreManifests(t *testing.T) {
	t.Parallel()
	strict := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	err := filepath.WalkDir(examples, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(name) != ".yaml" || filepath.Base(filepath.Dir(name)) == "runner-values" {
			return err
		}
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		for documents := utilyaml.NewYAMLReader(bufio.NewReader(file)); ; {
			document, err := documents.Read()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			switch _, _, err := strict.Decode(document, nil, nil); {
			case runtime.IsNotRegisteredError(err) && strings.Contains(string(document), "apiVersion: external-secrets.io/v1\n"):
				// Not Kubernetes' own: the operator's.
			case err != nil:
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestExamplePipelineEndsAtTags: a tag that a job pushes must not start the next pipeline.
func TestExamplePipelineEndsAtTags(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(examples, "deploy-key", "project", ".gitlab-ci.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var pipeline struct {
		Workflow struct {
			Rules []struct{ If, When string }
		}
	}
	if err := yaml.Unmarshal(text, &pipeline); err != nil {
		t.Fatal(err)
	}
	if rules := pipeline.Workflow.Rules; len(rules) == 0 || rules[0].If != "$CI_COMMIT_TAG" || rules[0].When != "never" {
		t.Errorf("the first rule of the workflow is not for tags, and never: %+v", rules)
	}
}
