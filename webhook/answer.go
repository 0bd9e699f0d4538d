package webhook

import (
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

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

// writeAnswer sends a response, at once: what the caller does after it, nobody
// waits for. It is encoded in buf.
func writeAnswer(w http.ResponseWriter, buf *buffers, res *response) error {
	buf.answer = res.append(buf.answer[:0])
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(buf.answer)))
	if _, err := w.Write(buf.answer); err != nil {
		return err
	}
	if err := http.NewResponseController(w).Flush(); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// append appends the AdmissionReview. The base64 of the patch is written where
// it belongs; and no encoder has to find out what a response is made of.
func (r *response) append(b []byte) []byte {
	b = append(b, `{"apiVersion":"`+reviewVersion+`","kind":"`+reviewKind+`","response":{"uid":`...)
	b = appendText(b, r.UID)
	b = strconv.AppendBool(append(b, `,"allowed":`...), r.Allowed)
	if r.Status != nil {
		b = strconv.AppendInt(append(b, `,"status":{"code":`...), int64(r.Status.Code), 10)
		b = appendText(append(b, `,"reason":`...), r.Status.Reason)
		b = append(appendText(append(b, `,"message":`...), r.Status.Message), '}')
	}
	if r.Patch != nil {
		b = append(base64.StdEncoding.AppendEncode(append(b, `,"patch":"`...), r.Patch), '"')
		b = appendText(append(b, `,"patchType":`...), r.PatchType)
	}
	// Not slices.Sorted, whose list grows as it goes.
	keys := slices.AppendSeq(make([]string, 0, len(r.AuditAnnotations)), maps.Keys(r.AuditAnnotations))
	slices.Sort(keys)
	for i, key := range keys {
		b = append(b, [2]string{`,"auditAnnotations":{`, ","}[min(i, 1)]...)
		b = appendText(append(appendText(b, key), ':'), r.AuditAnnotations[key])
	}
	if len(r.AuditAnnotations) > 0 {
		b = append(b, '}')
	}
	for i, warning := range r.Warnings {
		b = appendText(append(b, [2]string{`,"warnings":[`, ","}[min(i, 1)]...), warning)
	}
	if len(r.Warnings) > 0 {
		b = append(b, ']')
	}
	return append(b, "}}"...)
}

// appendText appends a string as JSON. What is no UTF-8 in it is replaced, and
// that is all the error says.
func appendText(b []byte, text string) []byte {
	b, _ = jsontext.AppendQuote(b, text)
	return b
}
