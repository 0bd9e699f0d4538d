package main

import (
	"bytes"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

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
