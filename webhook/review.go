package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

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
	APIVersion string  `json:"apiVersion"`
	Kind       string  `json:"kind"`
	Request    request `json:"request"`
}

// request is the part of an AdmissionRequest that is read.
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
	Object object `json:"object"`
	DryRun bool   `json:"dryRun"`

	received time.Time
}

// object is where the object of a request is decoded to, in the same pass over
// the bytes as the request.
type object struct {
	into any // a pointer
	// err is what is wrong with the object. A review with such an object is
	// answered like every other.
	err error
}

// UnmarshalJSONFrom decodes the object, or passes over it where it is wrong.
func (o *object) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	place, depth := dec.StackPointer(), dec.StackDepth()
	_, before := dec.StackIndex(depth)
	o.err = json.UnmarshalDecode(dec, o.into)
	wrong := (*json.SemanticError)(nil)
	if o.err == nil || errors.As(o.err, new(*jsontext.SyntacticError)) || !errors.As(o.err, &wrong) {
		return o.err
	}
	wrong.JSONPointer = jsontext.Pointer(strings.TrimPrefix(string(wrong.JSONPointer), string(place)))
	for dec.StackDepth() > depth {
		if _, err := dec.ReadToken(); err != nil {
			return err
		}
	}
	if _, now := dec.StackIndex(depth); now == before {
		return dec.SkipValue()
	}
	return nil
}

// createsPod tells whether the request is the creation of a pod. Anything else
// comes from a registration that is not ours, and is let through.
func (r *request) createsPod() bool {
	return r.Operation == "CREATE" && r.SubResource == "" &&
		r.Resource.Group == "" && r.Resource.Version == "v1" && r.Resource.Resource == "pods"
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

// readReview reads an AdmissionReview from a request into buf, and decodes its
// object into what object points to.
func readReview(w http.ResponseWriter, r *http.Request, buf *bytes.Buffer, object any) (*request, error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, badRequest(http.StatusMethodNotAllowed, "an AdmissionReview is sent by POST, not %s", r.Method)
	}
	if media := r.Header.Get("Content-Type"); media != "application/json" {
		if media, _, err := mime.ParseMediaType(media); err != nil || media != "application/json" {
			return nil, badRequest(http.StatusUnsupportedMediaType, "the Content-Type must be application/json")
		}
	}
	if 0 < r.ContentLength && r.ContentLength <= maxReview {
		buf.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, maxReview))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, badRequest(http.StatusRequestEntityTooLarge, "the body is larger than %d bytes", maxReview)
	}
	if err != nil {
		return nil, badRequest(http.StatusBadRequest, "the body cannot be read: %v", err)
	}
	return decodeReview(buf.Bytes(), object)
}

// decodeReview reads an AdmissionReview from its bytes.
func decodeReview(body []byte, into any) (*request, error) {
	in := review{Request: request{Object: object{into: into}, received: time.Now()}}
	if err := json.Unmarshal(body, &in, policy.DecodeOptions()); err != nil {
		return nil, badRequest(http.StatusBadRequest, "%v", policy.Undecodable("the body is no AdmissionReview", err))
	}
	if in.APIVersion != reviewVersion || in.Kind != reviewKind {
		return nil, badRequest(http.StatusBadRequest, "the body is %.64q of %.64q, and must be %s of %s", in.Kind, in.APIVersion, reviewKind, reviewVersion)
	}
	if in.Request.UID == "" {
		return nil, badRequest(http.StatusBadRequest, "the AdmissionReview holds no request with a uid")
	}
	return &in.Request, nil
}
