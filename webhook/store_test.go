package webhook

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"quartermaster.dev/policy"
)

func TestTheStoreSwapsTheSetOfANamespace(t *testing.T) {
	t.Parallel()
	f := newFixture(t, demoPolicy)
	const job = `{"nodeSelector":{"pool":"prod"},"containers":[{"name":"build"}]}`
	if res := f.decide(t, jobPod(job)); res.Allowed {
		t.Error("the policy's contradiction was let through")
	}
	f.store.Put(policy.ConfigMap{Namespace: "dev", Name: "runner-jobs", Data: map[string]string{"policy.yaml": strings.Replace(demoPolicy, "pool: dev", "pool: prod", 1)}})
	if res := f.decide(t, jobPod(job)); !res.Allowed || res.Patch == nil {
		t.Errorf("the changed policy does not count: %+v", res)
	}
	f.store.Put(policy.ConfigMap{Namespace: "dev", Name: "typo", Data: map[string]string{"policy.yml": demoPolicy}})
	res := f.decide(t, jobPod(job))
	if res.Allowed || !strings.Contains(res.Status.Message, "dev/typo policy.yml: only keys that end in .yaml are read") {
		t.Errorf("a broken ConfigMap beside it does not refuse: %+v", res)
	}
	const gauge = `
# HELP quartermaster_policy_configmaps ConfigMaps labelled as policy, by state: in-force or broken.
# TYPE quartermaster_policy_configmaps gauge
quartermaster_policy_configmaps{state="broken"} 1
quartermaster_policy_configmaps{state="in-force"} 1
`
	if err := testutil.GatherAndCompare(f.registry, strings.NewReader(gauge), "quartermaster_policy_configmaps"); err != nil {
		t.Error(err)
	}
	f.store.Delete("dev", "typo")
	f.store.Delete("dev", "runner-jobs")
	f.store.Delete("dev", "never-there")
	if res := f.decide(t, jobPod(job)); !res.Allowed || res.Patch != nil {
		t.Errorf("without a policy the pod is not left alone: %+v", res)
	}
}
