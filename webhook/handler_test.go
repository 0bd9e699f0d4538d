package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"quartermaster.dev/policy"
)

const demoPolicy = `
apiVersion: quartermaster.dev/v1alpha1
kind: JobPolicy
match: {createdBy: [{kind: ServiceAccount, name: gitlab-runner}]}
inject:
  secrets: [{name: dev-api-key, preset: scaleway}]
  nodeSelector: {pool: dev}
  tolerations: [{key: reserved, operator: Exists}]
`

// fixture is a handler with a store that knows one policy, and its log.
type fixture struct {
	*Handler
	store    *Store
	registry *prometheus.Registry
	log      *bytes.Buffer
}

func newFixture(t *testing.T, data string) *fixture {
	t.Helper()
	f := &fixture{store: NewStore("quartermaster", nil), registry: prometheus.NewPedanticRegistry(), log: &bytes.Buffer{}}
	if data != "" {
		f.store.Put(policy.ConfigMap{Namespace: "dev", Name: "runner-jobs", Data: map[string]string{"policy.yaml": data}})
	}
	f.store.MarkSynced()
	f.Handler = &Handler{
		Policies: f.store, Log: slog.New(slog.NewJSONHandler(f.log, nil)),
		Metrics: NewMetrics(),
	}
	f.Metrics.Register(f.registry, f.store)
	return f
}

// post sends a body and returns the code and the body of the answer.
func (f *fixture) post(t *testing.T, body io.Reader) (int, string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/mutate", body)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// decide sends a pod and returns the response of the answered review.
func (f *fixture) decide(t *testing.T, pod string) response {
	t.Helper()
	code, body := f.post(t, strings.NewReader(reviewOf(pod)))
	if code != http.StatusOK {
		t.Fatalf("got %d: %s", code, body)
	}
	var a answer
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatal(err)
	}
	if a.APIVersion != reviewVersion || a.Kind != reviewKind || a.Response.UID != "u-1" {
		t.Fatalf("answer is no review for the request: %s", body)
	}
	return a.Response
}

func reviewOf(pod string) string {
	return fmt.Sprintf(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u-1",
		"resource":{"group":"","version":"v1","resource":"pods"},"operation":"CREATE","namespace":"dev","name":"p",
		"userInfo":{"username":"system:serviceaccount:dev:gitlab-runner"},"object":%s}}`, pod)
}

func jobPod(spec string) string {
	return `{"apiVersion":"v1","kind":"Pod","metadata":{"labels":{"job.runner.gitlab.com/pod":"x"}},"spec":` + spec + `}`
}

func TestWhatIsNoReviewGetsAClear4xxAndTheServerLivesOn(t *testing.T) {
	t.Parallel()
	good := reviewOf(jobPod(`{"containers":[{"name":"build"}]}`))
	for name, tc := range map[string]struct {
		method, contentType, body string
		code                      int
		says                      string
	}{
		"empty":               {body: "", code: 400, says: "no AdmissionReview"},
		"no JSON":             {body: "hello", code: 400, says: "no AdmissionReview"},
		"a list":              {body: "[]", code: 400, says: "no AdmissionReview"},
		"null":                {body: "null", code: 400, says: "must be AdmissionReview"},
		"truncated":           {body: good[:len(good)-10], code: 400, says: "ends too early"},
		"two reviews":         {body: good + good, code: 400, says: "after top-level value"},
		"of another version":  {body: strings.Replace(good, "/v1\"", "/v1beta1\"", 1), code: 400, says: `"admission.k8s.io/v1beta1"`},
		"of another kind":     {body: strings.Replace(good, "AdmissionReview", "Pod", 1), code: 400, says: `"Pod"`},
		"without a request":   {body: `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}`, code: 400, says: "no request"},
		"without a uid":       {body: strings.Replace(good, "u-1", "", 1), code: 400, says: "uid"},
		"of 8 MB":             {body: `{"x":"` + strings.Repeat("x", 8<<20) + `"}`, code: 413, says: "larger than"},
		"sent by GET":         {method: http.MethodGet, code: 405, says: "POST"},
		"sent as form":        {contentType: "application/x-www-form-urlencoded", body: good, code: 415, says: "application/json"},
		"in the wrong case":   {body: strings.Replace(good, `"request"`, `"Request"`, 1), code: 400, says: "no request"},
		"of the wrong types":  {body: strings.Replace(good, `"u-1"`, `1`, 1), code: 400, says: "uid"},
		"a request that is 1": {body: `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":1}`, code: 400, says: "request"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, demoPolicy)
			server := httptest.NewServer(f)
			defer server.Close()
			if tc.method == "" {
				tc.method = http.MethodPost
			}
			if tc.contentType == "" {
				tc.contentType = "application/json"
			}
			send := func(method, contentType, body string) (int, string) {
				r, err := http.NewRequest(method, server.URL, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", contentType)
				res, err := server.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				got, err := io.ReadAll(res.Body)
				if err != nil {
					t.Fatal(err)
				}
				return res.StatusCode, string(got)
			}
			code, body := send(tc.method, tc.contentType, tc.body)
			if code != tc.code || !strings.Contains(body, tc.says) {
				t.Errorf("got %d %q, want %d and %q", code, body, tc.code, tc.says)
			}
			if code, body := send(http.MethodPost, "application/json; charset=utf-8", good); code != http.StatusOK {
				t.Errorf("afterwards a good review got %d %q", code, body)
			}
			if got := testutil.ToFloat64(f.Metrics.invalid); got != 1 {
				t.Errorf("quartermaster_invalid_requests_total is %v, want 1", got)
			}
		})
	}
}

func TestBeforeThePoliciesAreKnownNothingIsDecided(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "")
	f.Policies = NewStore("quartermaster", nil)
	code, body := f.post(t, strings.NewReader(reviewOf(jobPod(`{}`))))
	if code != http.StatusServiceUnavailable || !strings.Contains(body, "does not know the policies yet") {
		t.Errorf("got %d %q", code, body)
	}
}

type panicking struct{}

func (panicking) Set(string) (*policy.Set, bool) { panic("value of a secret") }

func TestAPanicIsAnswered(t *testing.T) {
	t.Parallel()
	f := newFixture(t, "")
	f.Policies = panicking{}
	code, body := f.post(t, strings.NewReader(reviewOf(jobPod(`{}`))))
	if code != http.StatusInternalServerError || strings.Contains(body, "value of a secret") {
		t.Errorf("got %d %q", code, body)
	}
}

func TestARefusalIs403WithTheReasonForTheJobLog(t *testing.T) {
	t.Parallel()
	f := newFixture(t, demoPolicy)
	res := f.decide(t, jobPod(`{"nodeSelector":{"pool":"prod"},"containers":[{"name":"build"}]}`))
	want := &status{Code: 403, Reason: "Forbidden", Message: `dev/runner-jobs policy.yaml: node selector pool: the policy wants "dev" and the pod comes with "prod"; ` +
		"take it out of the runner's configuration (node_selector) or the job's variables (KUBERNETES_NODE_SELECTOR_*), or change the policy"}
	if diff := cmp.Diff(want, res.Status); diff != "" || res.Allowed || res.Patch != nil {
		t.Errorf("allowed %v, patch %s, status (-want +got):\n%s", res.Allowed, res.Patch, diff)
	}
}

func TestWhatCreatesNoPodIsLetThrough(t *testing.T) {
	t.Parallel()
	job := reviewOf(jobPod(`{"containers":[{"name":"build"}]}`))
	for name, body := range map[string]string{
		"update":      strings.Replace(job, "CREATE", "UPDATE", 1),
		"subresource": strings.Replace(job, `"name":"p"`, `"name":"p","subResource":"ephemeralcontainers"`, 1),
		"deployment":  strings.Replace(job, `"resource":"pods"`, `"resource":"deployments"`, 1),
		"delete":      strings.Replace(strings.Replace(job, "CREATE", "DELETE", 1), jobPod(`{"containers":[{"name":"build"}]}`), "null", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, demoPolicy)
			if code, got := f.post(t, strings.NewReader(body)); code != http.StatusOK || !strings.Contains(got, `"allowed":true`) || strings.Contains(got, "patch") {
				t.Errorf("got %d %s", code, got)
			}
		})
	}
}

func TestAnObjectThatIsNoPodIsRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t, demoPolicy)
	for _, pod := range []string{`[]`, `"x"`, `{"metadata":[]}`, `{"spec":{"containers":{}}}`, `{"metadata":{"labels":{"a":1}}}`} {
		if res := f.decide(t, pod); res.Allowed || res.Status.Code != 400 || !strings.Contains(res.Status.Message, "no core/v1 Pod") {
			t.Errorf("%s: got %+v", pod, res)
		}
	}
	for _, pod := range []string{`null`, `{}`, `{"metadata":null,"spec":null}`} {
		if res := f.decide(t, pod); !res.Allowed || res.Patch != nil {
			t.Errorf("%s: got %+v", pod, res)
		}
	}
}

// TestFieldsThatThisBuildNeverHeardOfSurvive applies the patch to a pod with
// invented fields at every level that a patch touches, and to one that lacks
// every list and mapping.
func TestFieldsThatThisBuildNeverHeardOfSurvive(t *testing.T) {
	t.Parallel()
	pods := map[string]string{
		"invented": `{"apiVersion":"v1","kind":"Pod","invented":{"a":[1,{"b":null}]},
			"metadata":{"labels":{"job.runner.gitlab.com/pod":"x"},"annotations":{"a":"b"},"invented":1.5},
			"spec":{"invented":"s","nodeSelector":{"other":"x"},"tolerations":[{"key":"t","operator":"Exists","invented":true}],
			"volumes":[{"name":"v","emptyDir":{},"invented":[null]},{"name":"w","inventedSource":{"x":9007199254740993}}],
			"initContainers":[{"name":"init-permissions","invented":"i","restartPolicyRules":[{"x":1}]}],
			"containers":[{"name":"helper","invented":"h"},{"name":"build","invented":"c","env":[{"name":"A","value":"1","invented":2}],
			"volumeMounts":[{"name":"v","mountPath":"/v","invented":"m"},{"name":"w","mountPath":"/w","recursiveReadOnly":"New"}]},{"name":"svc-0","invented":"z"}]}}`,
		"bare":  jobPod(`{"containers":[{"name":"build","image":"x"}]}`),
		"nulls": `{"metadata":{"labels":{"job.runner.gitlab.com/pod":"x"},"annotations":null},"spec":{"nodeSelector":null,"tolerations":null,"volumes":null,"containers":[{"name":"build","env":null,"volumeMounts":null}]}}`,
		"empty": `{"metadata":{"labels":{"job.runner.gitlab.com/pod":"x"},"annotations":{}},"spec":{"nodeSelector":{},"tolerations":[],"volumes":[],"containers":[{"name":"build","env":[],"volumeMounts":[]}]}}`,
	}
	for name, pod := range pods {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, demoPolicy)
			res := f.decide(t, pod)
			if res.PatchType != "JSONPatch" {
				t.Fatalf("no patch: %+v", res)
			}
			patch, err := jsonpatch.DecodePatch(res.Patch)
			if err != nil {
				t.Fatal(err)
			}
			after, err := patch.Apply([]byte(pod))
			if err != nil {
				t.Fatalf("%v: %s", err, res.Patch)
			}
			if err := contains(decodeAny(t, after), decodeAny(t, []byte(pod)), ""); err != nil {
				t.Errorf("%v\nbefore %s\nafter %s", err, pod, after)
			}
			if again := f.decide(t, string(after)); again.Patch != nil || !again.Allowed {
				t.Errorf("a second pass adds %s", again.Patch)
			}
		})
	}
}

func decodeAny(t *testing.T, data []byte) any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// contains tells whether after holds all of before, list items in their place.
func contains(after, before any, path string) error {
	switch before := before.(type) {
	case nil:
		return nil
	case map[string]any:
		have, ok := after.(map[string]any)
		for key, value := range before {
			if _, there := have[key]; !ok || !there {
				return fmt.Errorf("%s/%s is lost", path, key)
			}
			if err := contains(have[key], value, path+"/"+key); err != nil {
				return err
			}
		}
	case []any:
		have, _ := after.([]any)
		if len(have) < len(before) {
			return fmt.Errorf("%s is shorter", path)
		}
		for i := range before {
			if err := contains(have[i], before[i], fmt.Sprintf("%s/%d", path, i)); err != nil {
				return err
			}
		}
	default:
		if after != before {
			return fmt.Errorf("%s was %v and is %v", path, before, after)
		}
	}
	return nil
}

func TestADecisionLeavesATraceWithoutValues(t *testing.T) {
	t.Parallel()
	f := newFixture(t, demoPolicy)
	res := f.decide(t, jobPod(`{"containers":[{"name":"build","env":[{"name":"SCW_CONFIG_PATH","value":"s3cr3t"}]}]}`))
	note := `dev/runner-jobs policy.yaml: the pod comes with the variable SCW_CONFIG_PATH, which is kept and wins; take it out of .gitlab-ci.yml or the runner's configuration`
	want := map[string]string{"outcome": "equipped", "kind": "job", "applied": res.AuditAnnotations["applied"], "notes": note}
	if diff := cmp.Diff(want, res.AuditAnnotations); diff != "" {
		t.Errorf("audit annotations (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(want["applied"], "dev/runner-jobs@") {
		t.Errorf("applied is %q", want["applied"])
	}
	if diff := cmp.Diff([]string{note}, res.Warnings); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	log := f.log.String()
	for _, part := range []string{`"uid":"u-1"`, `"outcome":"equipped"`, `"namespace":"dev"`} {
		if !strings.Contains(log, part) {
			t.Errorf("the log lacks %s: %s", part, log)
		}
	}
	for _, secret := range []string{"s3cr3t", "mountPath", `"op"`} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %s: %s", secret, log)
		}
	}
	if got := testutil.ToFloat64(f.Metrics.decisions.WithLabelValues("equipped", "job")); got != 1 {
		t.Errorf("quartermaster_decisions_total{equipped,job} is %v, want 1", got)
	}
	if got := testutil.ToFloat64(f.Metrics.policies.WithLabelValues("dev/runner-jobs", "policy.yaml", "applied")); got != 1 {
		t.Errorf("quartermaster_policy_decisions_total{dev/runner-jobs,policy.yaml,applied} is %v, want 1", got)
	}
	if got := testutil.CollectAndCount(f.Metrics.duration, "quartermaster_decision_duration_seconds"); got != 1 {
		t.Errorf("quartermaster_decision_duration_seconds was observed %d times, want once", got)
	}
	f.Metrics.forget("dev/runner-jobs")
	if got := testutil.CollectAndCount(f.Metrics.policies); got != 0 {
		t.Errorf("%d series stay of a policy that is gone", got)
	}
}
