package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"quartermaster.dev/cmd/internal/explain"
	"quartermaster.dev/policy/policytest"
)

// TestCorpus runs every case of policy/testdata through render.
func TestCorpus(t *testing.T) {
	t.Parallel()
	for _, c := range policytest.Load(t) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			args := []string{"render", "--policy", c.PolicyFile, "-f", "-"}
			if c.JobLabel != "" {
				args = append(args, "--job-label", c.JobLabel)
			}
			var out, errs bytes.Buffer
			code := run(t.Context(), args, streams{bytes.NewReader(c.Review), &out, &errs})
			var got policytest.Answer
			switch code {
			case exitOK:
				pod, err := yaml.YAMLToJSONStrict(out.Bytes())
				if err != nil {
					t.Fatalf("%v:\n%s", err, &out)
				}
				got.Pod = pod
			case exitNegative:
				got.Refusal = refusal(errs.String())
				if out.Len() > 0 {
					t.Errorf("a refusal with something on stdout:\n%s", &out)
				}
			default:
				t.Fatalf("exit code %d:\n%s", code, &errs)
			}
			policytest.Check(t, &c, got)
		})
	}
}

// refusal is the message among the lines on stderr.
func refusal(stderr string) string {
	var lines []string
	for line := range strings.Lines(stderr) {
		if text, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "refused: "); ok {
			lines = append(lines, text)
		}
	}
	return strings.Join(lines, "\n")
}

// TestCorpusExplained holds explain against render: both tell of the same
// decision, and explain in the same words.
func TestCorpusExplained(t *testing.T) {
	t.Parallel()
	for _, c := range policytest.Load(t) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			run := func(command ...string) (code int, stdout, stderr string) {
				args := append(command, "--policy", c.PolicyFile, "-f", "-")
				if c.JobLabel != "" {
					args = append(args, "--job-label", c.JobLabel)
				}
				var out, errs bytes.Buffer
				code = run(t.Context(), args, streams{bytes.NewReader(c.Review), &out, &errs})
				return code, out.String(), errs.String()
			}
			want, _, rendered := run("render")
			code, stdout, stderr := run("explain", "-o", "json")
			if code != want || stderr != "" {
				t.Fatalf("exit code %d, want %d; stderr %s", code, want, stderr)
			}
			var report explain.Report
			if err := json.Unmarshal([]byte(stdout), &report); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(refusal(rendered), report.Refusal); diff != "" {
				t.Error(diff)
			}
			if code, stdout, _ := run("explain"); code != want || !strings.HasPrefix(stdout, strings.ToUpper(string(report.Verdict))) {
				t.Errorf("exit code %d, want %d:\n%s", code, want, stdout)
			}
		})
	}
}
