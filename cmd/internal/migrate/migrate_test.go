package migrate_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"quartermaster.dev/cmd/internal/migrate"
	"quartermaster.dev/policy"
	"quartermaster.dev/policy/policytest"
)

var update = flag.Bool("update", false, "rewrite testdata/seed.policy.yaml")

// seed migrates the values that this began with.
func seed(t *testing.T, chartVersion string) *migrate.Result {
	t.Helper()
	data, err := os.ReadFile("testdata/seed.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return run(t, migrate.Input{Name: "seed.yaml", Data: data},
		migrate.Options{Namespace: "dev", Name: "runner-jobs", Release: "gitlab-runner", ChartVersion: chartVersion})
}

func run(t *testing.T, in migrate.Input, opts migrate.Options) *migrate.Result {
	t.Helper()
	c, err := migrate.Read(in, opts)
	if err != nil {
		t.Fatal(err)
	}
	result, err := c.Migrate()
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// The policy of the seed is kept as a file, for tests that apply it elsewhere.
func TestSeed(t *testing.T) {
	t.Parallel()
	const golden = "testdata/seed.policy.yaml"
	result := seed(t, "")
	if *update {
		if err := os.WriteFile(golden, []byte(result.Policy), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), result.Policy); diff != "" {
		t.Errorf("%s (-) is not what came out (+):\n%s", golden, diff)
	}
	data, err := os.ReadFile("testdata/seed.yaml")
	if err != nil {
		t.Fatal(err)
	}
	before, after := strings.Count(string(data), "\n"), strings.Count(result.Rest, "\n")
	if 2*after > before {
		t.Errorf("%d of %d lines are left, more than half:\n%s", after, before, result.Rest)
	}
	for _, gone := range []string{"config", "dev-api-key", "nodeSelector", "olerations", "cpu", "memory"} {
		if strings.Contains(result.Rest, gone) {
			t.Errorf("%s is left:\n%s", gone, result.Rest)
		}
	}
}

// What changes about a job pod by the seed's Secret, and nothing else of it: on
// a chart that read all of the seed's keys.
func TestSeedProof(t *testing.T) {
	t.Parallel()
	const secret = `Secret "dev-api-key" at /root/.config/scw`
	result := seed(t, "0.41.0")
	for _, c := range recordings(t) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			req := c.Request(t)
			want := []string{}
			resources := []string{}
			for _, container := range req.Pod.Spec.Containers {
				if container.Name == "build" {
					want = append(want, "~ build: "+secret+": mode 0644, now 0600")
				} else {
					want = append(want, "- "+container.Name+": "+secret+", mode 0644")
				}
			}
			for _, container := range req.Pod.Spec.InitContainers {
				want = append(want, "- "+container.Name+": "+secret+", mode 0644")
				resources = append(resources, "- "+container.Name+": requests.cpu=100m", "- "+container.Name+": requests.memory=128Mi")
			}
			want = append(append(want, resources...), "+ build: SCW_CONFIG_PATH=/root/.config/scw/config.yaml", "+ build: SCW_DISABLE_CHECK_VERSION=true")
			if req.Pod.Spec.SecurityContext.FSGroup != nil {
				want = nonRoot(want, secret)
			}
			proof, err := result.Verify(migrate.JobPod{Object: c.Object, Namespace: c.Namespace, User: c.User, Groups: c.Groups, JobLabel: "pod"})
			if err != nil {
				t.Fatal(err)
			}
			if duplicates(req.Pod) {
				if proof.Refusal == "" {
					t.Error("a pod with two containers build is not refused")
				}
				return
			}
			if diff := cmp.Diff(want, proof.Difference); diff != "" {
				t.Errorf("what changes: want (-), got (+):\n%s\n%s%v%v", diff, proof.Refusal, proof.Unmatched, proof.Notes)
			}
		})
	}
}

// nonRoot is what changes for a job that is not root: its files are outside of
// /root, which it cannot enter.
func nonRoot(lines []string, secret string) []string {
	var changed []string
	for _, line := range lines {
		switch {
		case strings.HasPrefix(line, "~ build"):
			line = "- build: " + secret + ", mode 0644"
		case strings.HasPrefix(line, "+ build: SCW_CONFIG_PATH"):
			changed = append(changed, `+ build: Secret "dev-api-key" at /run/quartermaster/scaleway, mode 0600`)
			line = "+ build: SCW_CONFIG_PATH=/run/quartermaster/scaleway/config.yaml"
		}
		changed = append(changed, line)
	}
	return changed
}

func duplicates(pod *policy.Pod) bool {
	n := 0
	for _, c := range pod.Spec.Containers {
		if c.Name == "build" {
			n++
		}
	}
	return n > 1
}

// recordings are the cases of the corpus whose review a real API server sent.
func recordings(t *testing.T) []policytest.Case {
	t.Helper()
	var recorded []policytest.Case
	for _, c := range policytest.Load(t) {
		if _, err := os.Stat(filepath.Join(c.Dir, "review.json")); err == nil {
			recorded = append(recorded, c)
		}
	}
	if len(recorded) < 10 {
		t.Fatalf("the corpus holds %d recordings, and held 10", len(recorded))
	}
	return recorded
}

// TestEveryInput holds what must be so for every configuration that the scripts
// of the command know: the policy is clean but for what lint remarks of one file
// of a Secret, what is left holds nothing more to move, and no token is told.
func TestEveryInput(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("../../quartermaster/testdata/script/migrate*.txtar")
	if err != nil || len(scripts) < 20 {
		t.Fatalf("%d scripts, %v", len(scripts), err)
	}
	inputs := 0
	for _, script := range scripts {
		archive, err := txtar.ParseFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			for _, crlf := range []bool{false, true} {
				in := migrate.Input{Name: f.Name, Data: f.Data, TOML: strings.HasSuffix(f.Name, ".toml")}
				if crlf {
					in.Data = []byte(strings.ReplaceAll(string(f.Data), "\n", "\r\n"))
				}
				opts := migrate.Options{Namespace: "dev", Name: "runner-jobs", Account: "manager"}
				c, err := migrate.Read(in, opts)
				if err != nil {
					continue
				}
				inputs++
				t.Run(strings.TrimSuffix(filepath.Base(script), ".txtar")+"/"+f.Name, func(t *testing.T) {
					t.Parallel()
					check(t, c, in, opts)
				})
			}
		}
	}
	if inputs < 40 {
		t.Errorf("only %d inputs were read", inputs)
	}
}

func check(t *testing.T, c *migrate.Config, in migrate.Input, opts migrate.Options) {
	t.Helper()
	result, err := c.Migrate()
	if err != nil {
		t.Fatal(err)
	}
	for _, cm := range policy.ReadManifest("policy.yaml", "", []byte(result.Policy)).ConfigMaps {
		for _, p := range policy.Compile(cm).Problems {
			known := p.Severity == policy.Warning && strings.HasSuffix(p.Path, "subPath")
			if p.Severity != policy.Note && !known {
				t.Errorf("the policy is not clean: %s", p)
			}
		}
	}
	said := result.Policy
	for _, line := range result.Report {
		said += line.Text + "\n" + line.Hint + "\n"
	}
	for _, token := range []string{"glrt-", "GR1348941"} {
		if strings.Contains(said, token) {
			t.Errorf("a token is told:\n%s", said)
		}
	}
	crlf := strings.Contains(string(in.Data), "\r\n")
	for line := range strings.Lines(result.Rest) {
		if crlf && strings.HasSuffix(line, "\n") && !strings.HasSuffix(line, "\r\n") {
			t.Errorf("the line %q has lost its CR", line)
		}
	}
	again := run(t, migrate.Input{Name: in.Name, Data: []byte(result.Rest), TOML: in.TOML}, opts)
	if again.Policy != "" || again.Rest != result.Rest {
		t.Errorf("its own output changes once more:\n%s", cmp.Diff(result.Rest, again.Rest))
	}
}
