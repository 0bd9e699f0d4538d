package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"time"

	"quartermaster.dev/policy"
	"quartermaster.dev/policy/jsonscan"
)

// maxReview bounds a request's body. The API server takes objects of up to
// 3 MiB (k8s.io/apiserver, MaxRequestBodyBytes), and a review is one of those
// and an envelope.
const maxReview = 7 << 20

const (
	reviewVersion = "admission.k8s.io/v1"
	reviewKind    = "AdmissionReview"
)

// request is the part of an AdmissionRequest that is read.
type request struct {
	UID         string
	Resource    resource
	SubResource string
	Name        string
	Namespace   string
	Operation   string
	User        string
	Groups      []string
	DryRun      bool

	// objectErr is what is wrong with the object. A review with such an object
	// is answered like every other.
	objectErr error
	received  time.Time
}

// resource is the part of a GroupVersionResource that is read.
type resource struct{ Group, Version, Resource string }

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

// readReview reads an AdmissionReview from a request into buf, and its object
// by object, in the same pass over the bytes.
func readReview(w http.ResponseWriter, r *http.Request, buf *bytes.Buffer, object func(*jsonscan.Scanner)) (*request, error) {
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

// decodeReview reads an admission.k8s.io/v1 AdmissionReview from its bytes.
func decodeReview(body []byte, object func(*jsonscan.Scanner)) (*request, error) {
	req := &request{received: time.Now()}
	var apiVersion, kind string
	review, err := jsonscan.Check(body)
	if err == nil {
		in := review.Scan()
		in.Object(func(key []byte) {
			switch string(key) {
			case "apiVersion":
				in.Text(&apiVersion)
			case "kind":
				in.Text(&kind)
			case "request":
				req.scan(in, object)
			}
		})
		err = in.Err()
	}
	if err != nil {
		return nil, badRequest(http.StatusBadRequest, "%v", policy.Undecodable("the body is no AdmissionReview", err))
	}
	if apiVersion != reviewVersion || kind != reviewKind {
		return nil, badRequest(http.StatusBadRequest, "the body is %.64q of %.64q, and must be %s of %s", kind, apiVersion, reviewKind, reviewVersion)
	}
	if req.UID == "" {
		return nil, badRequest(http.StatusBadRequest, "the AdmissionReview holds no request with a uid")
	}
	return req, nil
}

// scan reads what has a field.
func (r *request) scan(in *jsonscan.Scanner, object func(*jsonscan.Scanner)) {
	in.Object(func(key []byte) {
		switch string(key) {
		case "uid":
			in.Text(&r.UID)
		case "resource":
			r.Resource.scan(in)
		case "subResource":
			in.Text(&r.SubResource)
		case "name":
			in.Text(&r.Name)
		case "namespace":
			in.Text(&r.Namespace)
		case "operation":
			in.Text(&r.Operation)
		case "userInfo":
			r.scanUser(in)
		case "object":
			r.objectErr = in.Try(object)
		case "dryRun":
			in.Bool(&r.DryRun)
		}
	})
}

func (r *resource) scan(in *jsonscan.Scanner) {
	in.Object(func(key []byte) {
		switch string(key) {
		case "group":
			in.Text(&r.Group)
		case "version":
			in.Text(&r.Version)
		case "resource":
			in.Text(&r.Resource)
		}
	})
}

func (r *request) scanUser(in *jsonscan.Scanner) {
	in.Object(func(key []byte) {
		switch string(key) {
		case "username":
			in.Text(&r.User)
		case "groups":
			in.List(func() {
				var group string
				in.Text(&group)
				r.Groups = append(r.Groups, group)
			})
		}
	})
}
