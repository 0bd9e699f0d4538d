package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"quartermaster.dev/policy"
)

// policyWith is a JobPolicy whose inject holds what is given.
func policyWith(inject string) string {
	return "apiVersion: quartermaster.dev/v1alpha1\nkind: JobPolicy\nmatch: {}\ninject:\n  nodeSelector: {a: b}\n  " +
		strings.ReplaceAll(strings.TrimSpace(inject), "\n", "\n  ") + "\n"
}

// policyFor is a JobPolicy whose match is what is given.
func policyFor(match string) string {
	return "apiVersion: quartermaster.dev/v1alpha1\nkind: JobPolicy\nmatch: " + match + "\ninject: {env: [{name: A, value: a}]}\n"
}

// said are the problems of a ConfigMap dev/jobs with one document, a line each,
// without the document's name.
func said(data string) string {
	return lines(policy.Compile(policy.ConfigMap{Namespace: "dev", Name: "jobs", Data: map[string]string{"policy.yaml": data}}), "dev/jobs policy.yaml: ")
}

func lines(s *policy.Source, prefix string) string {
	var b strings.Builder
	for _, p := range s.Problems {
		b.WriteString(p.Severity.String() + ": " + strings.TrimPrefix(p.String(), prefix) + "\n")
	}
	return b.String()
}

// problemsWithin are what fields say wrong only together, or as more than one
// value: the other problems are in schematest/broken.txt.
var problemsWithin = map[string]struct{ doc, want string }{
	"a list for a document":    {"- a: 1\n", "error: must be a mapping, not a list; begin with apiVersion: quartermaster.dev/v1alpha1\n"},
	"no YAML":                  {"a: [\n", "error: is no YAML: line 1: did not find expected node content; mend it there, or a line before\n"},
	"nothing but comments":     {"# later\n---\n", "error: holds no document; write one, or take the key out\n"},
	"a guardrail":              {"apiVersion: quartermaster.dev/v1alpha1\nkind: Guardrail\nallow: {secretNames: []}\n", "error: kind: a Guardrail is read in the system namespace only; move it there\n"},
	"no match":                 {"apiVersion: quartermaster.dev/v1alpha1\nkind: JobPolicy\ninject: {env: [{name: A, value: a}]}\n", "error: match: is missing; write `match: {}` to mean every job pod of the namespace\n"},
	"no inject":                {"apiVersion: quartermaster.dev/v1alpha1\nkind: JobPolicy\nmatch: {}\n", "error: inject: is missing; say what the pods are handed: secrets, env, nodeSelector, tolerations or resources\n"},
	"an ID twice":              {policyFor("{projectIDs: [7, 7]}"), "warning: match.projectIDs[1]: 7 is listed twice; take one out\nnote: match.projectIDs: needs GitLab Runner 17.9 or later: pods of older ones have no label project.runner.gitlab.com/id, and do not match\n"},
	"an account with a group":  {policyFor("{createdBy: [{kind: ServiceAccount, name: a, apiGroup: rbac.authorization.k8s.io}]}"), "error: match.createdBy[0].apiGroup: a ServiceAccount has none; leave it out\n"},
	"a user with a namespace":  {policyFor("{createdBy: [{kind: User, name: a, namespace: dev}]}"), "error: match.createdBy[0].namespace: a User has no namespace; leave it out\n"},
	"namespaces":               {policyFor("{namespaces: [dev]}"), "error: match.namespaces: is for policies of the system namespace; this one is for its own namespace alone; take it out, or move the policy to the system namespace\n"},
	"a forged label":           {policyFor("{podSelector: {matchLabels: {project.runner.gitlab.com/root-namespace: acme}}}"), "error: match.podSelector: the label project.runner.gitlab.com/root-namespace is filled from CI variables, which any .gitlab-ci.yml can set; use rootNamespaceIDs or projectIDs\n"},
	"a selector and values":    {policyFor("{podSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}"), "error: match.podSelector.matchExpressions[0].values: cannot be given; may not be specified when `operator` is 'Exists' or 'DoesNotExist'\n"},
	"a preset spelled out":     {policyWith("secrets: [{name: a, preset: aws, mountPath: /a, items: [], subPath: a, defaultMode: 0400, containers: [build]}]"), presetSaysIt("mountPath", "items", "subPath", "defaultMode", "containers")},
	"a key of a fixed preset":  {policyWith("secrets: [{name: a, preset: aws, key: mine}]"), "error: inject.secrets[0].key: the preset aws has fixed keys: credentials, config; leave it out\n"},
	"a home without preset":    {policyWith("secrets: [{name: a, mountPath: /a, home: /home/ci, key: a}]"), "error: inject.secrets[0].home: goes with preset; leave it out, or name a preset\nerror: inject.secrets[0].key: goes with preset; leave it out, or name a preset\n"},
	"a file of two keys":       {policyWith("secrets: [{name: a, mountPath: /a, items: [{key: a, path: f}, {key: b, path: f}]}]"), "error: inject.secrets[0].items[1].path: \"f\" is the file of two keys; give each key a file of its own\n"},
	"a container twice":        {policyWith("secrets: [{name: a, mountPath: /a, containers: [build, build]}]"), "error: inject.secrets[0].containers[1]: \"build\" is listed twice; take one out\n"},
	"a path twice":             {policyWith("secrets: [{name: a, mountPath: /a}, {name: b, mountPath: /a}]"), "error: inject.secrets[1]: is mounted at /a, as inject.secrets[0] is; give each a path of its own\n"},
	"a preset's path":          {policyWith("secrets: [{name: a, preset: aws}, {name: b, mountPath: /root/.aws/cli}]"), "error: inject.secrets[1]: is mounted at /root/.aws/cli and inject.secrets[0] at /root/.aws: one hides the other; mount them beside each other\n"},
	"a path beside, elsewhere": {policyWith("secrets: [{name: a, mountPath: /a, containers: [helper]}, {name: b, mountPath: /a}]"), ""},
	"a path that begins alike": {policyWith("secrets: [{name: a, mountPath: /etc/npm}, {name: b, mountPath: /etc/npmrc}]"), ""},
	"a subPath":                {policyWith("secrets: [{name: a, mountPath: /a, subPath: a}]"), "warning: inject.secrets[0].subPath: a subPath mount keeps the bytes it started with when the Secret changes; mount the directory to see a new key at once\n"},
	"a value and valueFrom":    {policyWith("env: [{name: A, value: a, valueFrom: {secretKeyRef: {name: a, key: a}}}]"), "error: inject.env[0]: has both value and valueFrom; keep one of them\n"},
	"neither":                  {policyWith("env: [{name: A}]"), "error: inject.env[0].value: is missing; give it a value (\"\" for none) or valueFrom\n"},
	"a key that is no label":   {strings.Replace(policyWith("env: []"), "{a: b}", "{a b: c}", 1), "error: inject.nodeSelector[a b]: \"a b\" is no label key; name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character\n"},
	"a toleration twice":       {policyWith("tolerations: [{key: a, operator: Exists}, {key: a, operator: Exists, effect: NoSchedule}]"), "warning: inject.tolerations[1]: is covered by inject.tolerations[0]; take it out\n"},
	"two times to tolerate":    {policyWith("tolerations: [{key: a, operator: Exists, effect: NoExecute, tolerationSeconds: 3}, {key: a, operator: Exists, effect: NoExecute}]"), "error: inject.tolerations[1]: tolerates longer than inject.tolerations[0], and of two tolerations of a taint the shorter counts; make them equal, or take one out\n"},
	"a request above a limit":  {policyWith("resources: {build: {requests: {cpu: 2}, limits: {cpu: 1}}}"), "error: inject.resources.build.requests[cpu]: 2 exceeds the limit of 1; lower it, or raise the limit\n"},
	"a device without limit":   {policyWith("resources: {build: {requests: {nvidia.com/gpu: 1}}}"), "error: inject.resources.build.requests[nvidia.com/gpu]: of nvidia.com/gpu, request and limit must be equal; set the limit to the same\n"},
	"a resource mistyped":      {policyWith("resources: {build: {requests: {mem: 1Gi}, limits: {Memory: 1Gi}}}"), "error: inject.resources.build.requests[mem]: \"mem\" is no resource; write cpu, memory, ephemeral-storage, hugepages-… or a name with a domain\nerror: inject.resources.build.limits[Memory]: \"Memory\" is no resource; did you mean \"memory\"?\n"},
	"a resource of no name":    {policyWith("resources: {build: {limits: {a.b/c/d: 1}}}"), "error: inject.resources.build.limits[a.b/c/d]: \"a.b/c/d\" is no resource; a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character\n"},
	"aliases":                  {"a: &a {b: c}\n" + policyWith("env: &e [{name: A, value: a}]\ntolerations: *e"), "error: a: unknown field; known here: apiVersion, inject, kind, match, mode, name\nerror: inject.tolerations[0].name: unknown field; known here: effect, key, operator, tolerationSeconds, value\n"},
	"a fraction":               {policyWith("secrets: [{name: 1.5, preset: true}]"), "error: inject.secrets[0].name: must be a string, not a number with a fraction or exponent; put it in quotes\nerror: inject.secrets[0].preset: must be a string, not true or false; put it in quotes\n"},
	"an alias for a key":       {policyWith("env:\n- &n name: A\n  value: a\n- {*n : B, value: b}"), ""},
	"a merge key":              {policyWith("env:\n- &a {name: A, value: a}\n- {<<: *a, name: B}"), "error: inject.env[1]: merge keys (<<) are not read; write the fields out\n"},
	"a key that is a list":     {policyWith("? [a]\n: b"), "error: inject: has a key that is no string; write a word before the colon\n"},
}

func TestProblemsWithin(t *testing.T) {
	t.Parallel()
	for name, tt := range problemsWithin {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := said(tt.doc); got != tt.want {
				t.Errorf("(-want +got):\n%s", cmp.Diff(tt.want, got))
			}
		})
	}
}

func presetSaysIt(fields ...string) string {
	var b strings.Builder
	for _, f := range fields {
		b.WriteString("error: inject.secrets[0]." + f + ": goes with mountPath; the preset aws says it itself; leave it out, or spell the Secret out without preset\n")
	}
	return b.String()
}

// TestAliasesAreBounded has a small document whose aliases stand for a large one.
func TestAliasesAreBounded(t *testing.T) {
	t.Parallel()
	first := "{key: a, operator: In, values: &v [" + strings.Repeat("a, ", 999) + "a]}"
	rest := strings.Repeat(", {key: a, operator: In, values: *v}", 99)
	got := said("apiVersion: quartermaster.dev/v1alpha1\nkind: JobPolicy\nmatch:\n  podSelector:\n    matchExpressions: [" + first + rest + "]\ninject: {nodeSelector: {a: b}}\n")
	if want := ": the document's aliases repeat too much; write it out\n"; !strings.HasSuffix(got, want) || strings.Count(got, "\n") != 1 {
		t.Errorf("said %q, want one line that ends in %q", got, want)
	}
}

// TestProblemsOfAConfigMap are those of no single document.
func TestProblemsOfAConfigMap(t *testing.T) {
	t.Parallel()
	good := policyWith("env: []")
	named := strings.Replace(good, "match:", "name: a\nmatch:", 1)
	tests := map[string]struct {
		cm   policy.ConfigMap
		want string
	}{
		"no data":                   {policy.ConfigMap{}, "error: dev/jobs: data: the ConfigMap is labelled as policy and holds no document; add a key such as policy.yaml, or take the label quartermaster.dev/policy off\n"},
		"binary data":               {policy.ConfigMap{BinaryKeys: []string{"b.yaml"}}, "error: dev/jobs: binaryData[b.yaml]: documents are read from data only; move the document to data\n"},
		"another key":               {policy.ConfigMap{Data: map[string]string{"policy.yml": good}}, "error: dev/jobs policy.yml: only keys that end in .yaml are read; rename the key to policy.yaml\n"},
		"a name twice":              {policy.ConfigMap{Data: map[string]string{"p.yaml": named + "---\n" + named}}, "error: dev/jobs p.yaml a: name: \"a\" names two documents; give each document a name of its own\n"},
		"a name, two keys":          {policy.ConfigMap{Data: map[string]string{"p.yaml": named, "q.yaml": named}}, ""},
		"each document":             {policy.ConfigMap{Data: map[string]string{"p.yaml": "a: 1\n---\n" + good + "---\nb: 1\n"}}, "error: dev/jobs p.yaml #1: apiVersion: is missing; write apiVersion: quartermaster.dev/v1alpha1\nerror: dev/jobs p.yaml #1: kind: is missing; write kind: JobPolicy\nerror: dev/jobs p.yaml #3: apiVersion: is missing; write apiVersion: quartermaster.dev/v1alpha1\nerror: dev/jobs p.yaml #3: kind: is missing; write kind: JobPolicy\n"},
		"a guardrail without allow": {policy.ConfigMap{System: true, Data: map[string]string{"p.yaml": "apiVersion: quartermaster.dev/v1alpha1\nkind: Guardrail\n"}}, "error: dev/jobs p.yaml: allow: is missing; say what policies may do: secretNames, mountPaths, envNames, containers, nodeSelector or tolerationKeys\n"},
		"a guardrail's key":         {policy.ConfigMap{System: true, Data: map[string]string{"p.yaml": "apiVersion: quartermaster.dev/v1alpha1\nkind: Guardrail\nallow: {nodeSelector: {a b: []}}\n"}}, "error: dev/jobs p.yaml: allow.nodeSelector[a b]: \"a b\" is no label key; name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt.cm.Namespace, tt.cm.Name = "dev", "jobs"
			if diff := cmp.Diff(tt.want, lines(policy.Compile(tt.cm), "")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
