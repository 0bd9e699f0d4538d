package policy_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"quartermaster.dev/policy"
)

// tables are the parts of the reference that are written from the code. Each
// follows a comment with its name, up to an empty line and text.
var tables = map[string]func(t *testing.T) string{
	"presets": presetTable, "overrides": overrideTable, "modes": modeTable,
	"paths": pathTable, "env": envTable, "forged": forgedTable,
}

// TestReferenceTables holds the tables of the reference against the code;
// -update writes them.
func TestReferenceTables(t *testing.T) {
	t.Parallel()
	text, _ := readReadme(t)
	want := text
	for name, table := range tables {
		mark := "<!-- " + name + " -->\n"
		before, after, ok := strings.Cut(want, mark)
		if !ok {
			t.Fatalf("%s has no %s", readme, mark)
		}
		for _, line := range strings.SplitAfter(after, "\n") {
			if line != "\n" && !strings.HasPrefix(line, "|") {
				break
			}
			after = strings.TrimPrefix(after, line)
		}
		want = before + mark + "\n" + table(t) + "\n" + after
	}
	if *update {
		if err := os.WriteFile(readme, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(text, want); diff != "" {
		t.Errorf("%s (-) is not what the code says (+); -update rewrites it:\n%s", readme, diff)
	}
}

// table is a table in Markdown.
func table(head string, rows ...[]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s |\n|%s\n", head, strings.Repeat("---|", strings.Count(head, " | ")+1))
	for _, row := range rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
	}
	return b.String()
}

func code(s string) string { return "`" + s + "`" }

func presetTable(*testing.T) string {
	var rows [][]string
	for _, p := range policy.PresetRows() {
		var files, env []string
		for _, item := range p.Items {
			files = append(files, code(item.Key)+" → "+code(p.Dir+"/"+item.Path))
		}
		for _, e := range p.Env {
			env = append(env, code(e.Name+"="+*e.Value))
		}
		rows = append(rows, []string{code(p.Name), strings.Join(files, "<br>"), fmt.Sprintf("%#o", p.Mode), strings.Join(env, "<br>")})
	}
	return table("preset | keys and their files | mode | variables of `build`", rows...)
}

func overrideTable(*testing.T) string {
	var rows [][]string
	for _, p := range policy.PresetRows() {
		if len(p.Overrides) > 0 {
			rows = append(rows, []string{code(p.Name), code(strings.Join(p.Overrides, "`, `"))})
		}
	}
	return table("preset | variables of the job that override its files", rows...)
}

func pathTable(*testing.T) string {
	var rows [][]string
	for _, r := range policy.ReservedPathRows() {
		name := code(r.Name)
		if strings.HasSuffix(r.Name, "-") {
			name = code(r.Name + "*")
		}
		if r.Below {
			name += " and below"
		}
		rows = append(rows, []string{name, r.Why})
	}
	return table("path | why", append(rows, []string{"`/run`, `/var`, `/var/run`", "it would hide what is below"})...)
}

func envTable(*testing.T) string {
	var rows [][]string
	for _, r := range policy.ReservedEnvRows() {
		name := r.Name
		if strings.HasSuffix(name, "_") {
			name += "*"
		}
		rows = append(rows, []string{code(name), r.Why})
	}
	return table("variable | why", rows...)
}

func forgedTable(*testing.T) string {
	var rows [][]string
	for _, label := range policy.ForgedLabels {
		rows = append(rows, []string{code(label)})
	}
	return table("label", rows...)
}

// securities are what a pod can say about the users of its containers, and who
// can read a Secret's files in it then.
var securities = []struct{ json, words, readers string }{
	{`{}`, "nothing", "root"},
	{`{"runAsUser":0}`, "`runAsUser: 0`", "root"},
	{`{"fsGroup":1000}`, "`fsGroup`", "root and the group, for the kubelet adds that"},
	{`{"runAsUser":1000,"fsGroup":1000}`, "`runAsUser: 1000` and `fsGroup`", "root and the group, for the kubelet adds that"},
	{`{"runAsUser":1000}`, "`runAsUser: 1000`", "everybody in the container"},
	{`{"runAsNonRoot":true}`, "`runAsNonRoot: true`", "everybody in the container"},
	{`{"runAsUser":1000,"runAsGroup":0}`, "`runAsUser: 1000`, and group 0", "root and its group"},
	{`{"runAsUser":1000,"supplementalGroups":[0]}`, "`runAsUser: 1000`, and group 0 among `supplementalGroups`", "root and its group"},
}

// modeTable decides for each kind of user what files a Secret gets.
func modeTable(t *testing.T) string {
	var rows [][]string
	for _, s := range securities {
		row := []string{s.words}
		for _, entry := range []string{`{name: a, preset: scaleway}`, `{name: a, preset: ssh}`, `{name: a, mountPath: /etc/a}`} {
			row = append(row, modeOf(t, s.json, entry))
		}
		rows = append(rows, append(row, s.readers))
	}
	return table("the pod says | `scaleway`, `kubeconfig`, `docker`, `aws` | `ssh` | `mountPath` | who can read them", rows...)
}

// modeOf is the mode and directory that an entry gets in a pod.
func modeOf(t *testing.T, security, entry string) string {
	t.Helper()
	pod := `{"metadata":{"labels":{"job.runner.gitlab.com/pod":"x"}},"spec":{"containers":[{"name":"build"}],"securityContext":` + security + `}}`
	w := world{namespace: "dev", object: []byte(pod), configMaps: []policy.ConfigMap{{
		Namespace: "dev", Name: "jobs", Data: map[string]string{"policy.yaml": policyWith("secrets: [" + entry + "]")},
	}}}
	d := checkDecision(t, &w)
	var after struct {
		Spec struct {
			Volumes    []policy.Volume
			Containers []policy.Container
		}
	}
	if err := json.Unmarshal(apply(t, w.object, d.Additions), &after); err != nil {
		t.Fatal(err)
	}
	dir := after.Spec.Containers[0].VolumeMounts[0].MountPath
	where := ""
	if strings.HasPrefix(dir, "/run/quartermaster/") {
		where = " in `/run`"
	}
	return fmt.Sprintf("%#o%s", *after.Spec.Volumes[0].Secret.DefaultMode, where)
}
