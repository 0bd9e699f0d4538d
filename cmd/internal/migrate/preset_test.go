package migrate

import (
	"encoding/json"
	"path"
	"testing"

	"github.com/google/go-cmp/cmp"

	"quartermaster.dev/policy"
)

// What is taken for a preset is what package policy makes of one.
func TestWellKnownsAreThePresetsOfPolicy(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{"ssh": true} // any key may be its first
	for _, w := range wellKnowns {
		seen[w.preset] = true
		d := &document{match: &policy.Match{}, inject: policy.Inject{Secrets: []policy.SecretMount{preset("s", w.preset, "/root")}}}
		source := policy.Compile(policy.ConfigMap{Namespace: "dev", Name: "p", Data: map[string]string{policy.BareKey: d.text()}})
		job := []byte(`{"metadata": {"labels": {"job.runner.gitlab.com/pod": "x"}}, "spec": {"containers": [{"name": "build"}]}}`)
		pod, err := policy.DecodePod(job)
		if err != nil {
			t.Fatal(err)
		}
		decision := policy.Decide(policy.Request{Namespace: "dev", Pod: pod}, policy.NewSet("dev", nil, source))
		after, err := patched(job, decision.Additions)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Spec struct {
				Volumes []struct {
					Secret struct{ Items []policy.KeyToPath }
				}
				Containers []struct {
					VolumeMounts []struct{ MountPath string }
					Env          []struct{ Name string }
				}
			}
		}
		if err := json.Unmarshal(after, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(w.items, byKey(got.Spec.Volumes[0].Secret.Items)); diff != "" {
			t.Errorf("%s: keys (-) are not those of policy (+):\n%s", w.preset, diff)
		}
		if dir := got.Spec.Containers[0].VolumeMounts[0].MountPath; dir != path.Join("/root", w.dir) {
			t.Errorf("%s is mounted at %s", w.preset, dir)
		}
		known := false
		for _, e := range got.Spec.Containers[0].Env {
			known = known || e.Name == w.variable
		}
		if !known {
			t.Errorf("%s does not set %s", w.preset, w.variable)
		}
	}
	for _, name := range policy.Presets() {
		if !seen[name] {
			t.Errorf("the preset %s is not recognised", name)
		}
	}
}
