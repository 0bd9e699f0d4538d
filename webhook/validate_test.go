package webhook

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"quartermaster.dev/policy"
)

// newValidator is a validator over a store that holds the given ConfigMaps, by
// namespace/name.
func newValidator(configMaps map[string]string) *Validator {
	store := NewStore("quartermaster", nil)
	for key, data := range configMaps {
		namespace, name, _ := strings.Cut(key, "/")
		store.Put(policy.ConfigMap{Namespace: namespace, Name: name, Data: map[string]string{"policy.yaml": data}})
	}
	store.MarkSynced()
	return &Validator{Store: store, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

// review sends a ConfigMap and returns the response.
func (v *Validator) review(t *testing.T, operation, namespace string, cm any) response {
	t.Helper()
	object, err := json.Marshal(cm)
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u-1",
		"resource":{"group":"","version":"v1","resource":"configmaps"},"operation":%q,"namespace":%q,"name":"new","object":%s}}`, operation, namespace, object)
	r := httptest.NewRequest(http.MethodPost, "/validate", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	v.ServeHTTP(w, r)
	var a answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	return a.Response
}

func labelled(label, data string) map[string]any {
	metadata := map[string]any{"name": "new"}
	if label != "" {
		metadata["labels"] = map[string]string{policy.LabelPolicy: label}
	}
	return map[string]any{"metadata": metadata, "data": map[string]string{"policy.yaml": data}}
}

// doc is a policy with a match and an inject, in flow style.
func doc(match, inject string) string {
	return "{apiVersion: quartermaster.dev/v1alpha1, kind: JobPolicy, match: " + match + ", inject: " + inject + "}"
}

const guardrail = `{apiVersion: quartermaster.dev/v1alpha1, kind: Guardrail, allow: {secretNames: [ci-*]}}`

func TestAPolicyIsValidatedWhereItIsWritten(t *testing.T) {
	t.Parallel()
	const broken = `new policy.yaml: inject: is missing; say what the pods are handed: secrets, env, nodeSelector, tolerations or resources`
	for name, tc := range map[string]struct {
		operation, namespace, label, data string
		beside                            map[string]string
		refused                           string
		warnings                          []string
	}{
		"good":       {data: doc("{}", "{nodeSelector: {pool: dev}}")},
		"broken":     {data: "{apiVersion: quartermaster.dev/v1alpha1, kind: JobPolicy, match: {}}", refused: "dev/" + broken},
		"updated":    {operation: "UPDATE", data: "{apiVersion: quartermaster.dev/v1alpha1, kind: JobPolicy, match: {}}", refused: "dev/" + broken},
		"deleted":    {operation: "DELETE", data: "broken"},
		"unlabelled": {operation: "UPDATE", label: "-", data: "broken"},
		"mislabelled": {label: "yes", data: "broken", warnings: []string{
			`the label quartermaster.dev/policy is "yes", and only "true" makes a ConfigMap a policy: nothing reads this one`,
		}},
		"remarkable": {data: doc("{}", "{secrets: [{name: a, mountPath: /a, defaultMode: 440}]}"), warnings: []string{
			"dev/new policy.yaml: inject.secrets[0].defaultMode: 440 is decimal and means 0670; write 0440",
		}},
		"against a guardrail": {
			data:    doc("{}", "{secrets: [{name: prod-key, mountPath: /a}]}"),
			beside:  map[string]string{"quartermaster/rails": guardrail},
			refused: `dev/new policy.yaml: inject.secrets[0].name: Secret "prod-key" is not allowed by the guardrail quartermaster/rails policy.yaml; allowed: ci-*`,
		},
		"a guardrail that breaks a policy": {
			namespace: "quartermaster", data: guardrail,
			beside: map[string]string{"dev/old": doc("{}", "{secrets: [{name: prod-key, mountPath: /a}]}")},
			warnings: []string{
				`dev/old policy.yaml: inject.secrets[0].name: becomes broken: Secret "prod-key" is not allowed by the guardrail quartermaster/new policy.yaml; allowed: ci-*`,
			},
		},
		"a guardrail outside the system namespace": {
			data: guardrail, refused: "dev/new policy.yaml: kind: a Guardrail is read in the system namespace only; move it there",
		},
		"in conflict with another": {
			data:   doc("{}", "{nodeSelector: {pool: dev}}"),
			beside: map[string]string{"dev/old": doc("{}", "{nodeSelector: {pool: prod}}")},
			warnings: []string{
				`dev/old policy.yaml: a pod that this and dev/new policy.yaml match is refused: node selector pool: the policy wants "prod" and dev/new policy.yaml wants "dev"; make them equal, or let only one of the two policies match`,
			},
		},
		"in conflict with one that never meets it": {
			data:   doc("{createdBy: [{kind: ServiceAccount, name: a}]}", "{nodeSelector: {pool: dev}}"),
			beside: map[string]string{"dev/old": doc("{createdBy: [{kind: ServiceAccount, name: b}]}", "{nodeSelector: {pool: prod}}")},
		},
		"in conflict with one in mode Audit": {
			data:   doc("{}", "{nodeSelector: {pool: dev}}"),
			beside: map[string]string{"dev/old": strings.Replace(doc("{}", "{nodeSelector: {pool: prod}}"), "match:", "mode: Audit, match:", 1)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			operation, namespace, label := tc.operation, tc.namespace, tc.label
			if operation == "" {
				operation = "CREATE"
			}
			if namespace == "" {
				namespace = "dev"
			}
			switch label {
			case "":
				label = "true"
			case "-":
				label = ""
			}
			got := newValidator(tc.beside).review(t, operation, namespace, labelled(label, tc.data))
			message := ""
			if got.Status != nil {
				message = got.Status.Message
			}
			if message != tc.refused || got.Allowed != (tc.refused == "") {
				t.Errorf("allowed %v with %q, want %q", got.Allowed, message, tc.refused)
			}
			if diff := cmp.Diff(tc.warnings, got.Warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

// news is an observer that remembers.
type news []string

func (n *news) InForce(s *policy.Source, recovered bool) {
	*n = append(*n, fmt.Sprintf("%s in force, recovered %v", s, recovered))
}

func (n *news) Broken(s *policy.Source, problems []policy.Problem) {
	*n = append(*n, fmt.Sprintf("%s broken by %d", s, len(problems)))
}

func (n *news) Gone(namespace, name string) { *n = append(*n, namespace+"/"+name+" gone") }

func TestTheStoreTellsWhatBreaksAndRecovers(t *testing.T) {
	t.Parallel()
	var got news
	store := NewStore("quartermaster", &got)
	put := func(namespace, name, data string) {
		store.Put(policy.ConfigMap{Namespace: namespace, Name: name, Data: map[string]string{"policy.yaml": data}})
	}
	put("dev", "a", doc("{}", "{secrets: [{name: prod-key, mountPath: /a}]}"))
	put("dev", "b", "broken")
	put("dev", "b", doc("{}", "{nodeSelector: {pool: dev}}"))
	put("quartermaster", "rails", guardrail)
	put("dev", "b", doc("{}", "{nodeSelector: {pool: prod}}"))
	store.Delete("quartermaster", "rails")
	store.Delete("dev", "a")
	want := news{
		"dev/a in force, recovered false",
		"dev/b broken by 1",
		"dev/b in force, recovered true",
		"quartermaster/rails in force, recovered false",
		"dev/a broken by 1",
		"dev/b in force, recovered false",
		"dev/a in force, recovered true",
		"quartermaster/rails gone",
		"dev/a gone",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
