package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	kubejson "sigs.k8s.io/json"

	"quartermaster.dev/policy"
)

// maxReview bounds a request's body. The API server takes objects of up to
// 3 MiB (k8s.io/apiserver, MaxRequestBodyBytes), and a review is one of those
// and an envelope.
const maxReview = 7 << 20

const (
	reviewVersion = "admission.k8s.io/v1"
	reviewKind    = "AdmissionReview"
)

// review is the part of an admission.k8s.io/v1 AdmissionReview that is read.
type review struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Request    *request `json:"request"`
}

// request is the part of an AdmissionRequest that is read. The object stays as
// it came.
type request struct {
	UID      string `json:"uid"`
	Resource struct {
		Group    string `json:"group"`
		Version  string `json:"version"`
		Resource string `json:"resource"`
	} `json:"resource"`
	SubResource string `json:"subResource"`
	Name        string `json:"name"`
	Namespace   string `json:"namespace"`
	Operation   string `json:"operation"`
	UserInfo    struct {
		Username string   `json:"username"`
		Groups   []string `json:"groups"`
	} `json:"userInfo"`
	Object rawObject `json:"object"`
	DryRun bool      `json:"dryRun"`
}

// rawObject is JSON as it came.
type rawObject []byte

// UnmarshalJSON keeps the bytes.
func (o *rawObject) UnmarshalJSON(data []byte) error {
	*o = append((*o)[:0], data...)
	return nil
}

// createsPod tells whether the request is the creation of a pod. Anything else
// comes from a registration that is not ours, and is let through.
func (r *request) createsPod() bool {
	return r.Operation == "CREATE" && r.SubResource == "" &&
		r.Resource.Group == "" && r.Resource.Version == "v1" && r.Resource.Resource == "pods"
}

// answer is an AdmissionReview on its way back.
type answer struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Response   response `json:"response"`
}

type response struct {
	UID              string            `json:"uid"`
	Allowed          bool              `json:"allowed"`
	Status           *status           `json:"status,omitempty"`
	Patch            []byte            `json:"patch,omitempty"`
	PatchType        string            `json:"patchType,omitempty"`
	AuditAnnotations map[string]string `json:"auditAnnotations,omitempty"`
	Warnings         []string          `json:"warnings,omitempty"`
}

// status is the part of a metav1.Status that a refusal sets.
type status struct {
	Code    int    `json:"code"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// requestError is a request that cannot be answered with a review.
type requestError struct {
	code    int
	message string
}

func (e *requestError) Error() string { return e.message }

func badRequest(code int, format string, args ...any) *requestError {
	return &requestError{code, fmt.Sprintf(format, args...)}
}

// errStarting answers what comes before the policies are known.
var errStarting = badRequest(http.StatusServiceUnavailable, "quartermaster has just started and does not know the policies yet; try again")

// httpCode is the HTTP status of a request that is not answered with a review.
func httpCode(err error) int {
	if bad := (*requestError)(nil); errors.As(err, &bad) {
		return bad.code
	}
	return http.StatusBadRequest
}

// readReview reads an AdmissionReview from a request.
func readReview(w http.ResponseWriter, r *http.Request) (*request, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, badRequest(http.StatusMethodNotAllowed, "an AdmissionReview is sent by POST, not %s", r.Method)
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, badRequest(http.StatusUnsupportedMediaType, "the Content-Type must be application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReview))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, badRequest(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes", maxReview)
	}
	if err != nil {
		return nil, badRequest(http.StatusBadRequest, "the body cannot be read: %v", err)
	}
	return decodeReview(body)
}

// decodeReview reads an AdmissionReview from its bytes.
func decodeReview(body []byte) (*request, error) {
	var in review
	if err := kubejson.UnmarshalCaseSensitivePreserveInts(body, &in); err != nil {
		return nil, badRequest(http.StatusBadRequest, "the body is no AdmissionReview: %v", err)
	}
	if in.APIVersion != reviewVersion || in.Kind != reviewKind {
		return nil, badRequest(http.StatusBadRequest, "the body is %q of %q, and must be %s of %s", in.Kind, in.APIVersion, reviewKind, reviewVersion)
	}
	if in.Request == nil || in.Request.UID == "" {
		return nil, badRequest(http.StatusBadRequest, "the AdmissionReview holds no request with a uid")
	}
	return in.Request, nil
}

// policyRequest is the request as a decision takes it.
func (r *request) policyRequest(jobLabel string) (policy.Request, error) {
	pod, err := policy.DecodePod(r.Object)
	return policy.Request{
		Namespace: r.Namespace, User: r.UserInfo.Username, Groups: r.UserInfo.Groups,
		JobLabel: jobLabel, Pod: pod,
	}, err
}

func writeAnswer(w http.ResponseWriter, res response) error {
	body, err := json.Marshal(answer{APIVersion: reviewVersion, Kind: reviewKind, Response: res})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, err = w.Write(body)
	return err
}
