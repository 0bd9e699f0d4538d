package main

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"quartermaster.dev/e2e/internal/load"
	"quartermaster.dev/policy"
)

const (
	pathPatch   = "/patch"
	pathNoPatch = "/no-patch"
)

// A constantWebhook does no work: it reads a review for nothing but its uid, and its answers are ready before they are
// asked for. It is served as Quartermaster is, by net/http and TLS 1.3.
type constantWebhook struct {
	url      string
	caBundle []byte
	counts   map[string]*atomic.Int64
	server   *http.Server
}

func startFloor(patch []byte) (*constantWebhook, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	caBundle, key, err := load.Certificate()
	if err != nil {
		return nil, err
	}
	certificate, err := tls.X509KeyPair(caBundle, key)
	if err != nil {
		return nil, err
	}
	w := &constantWebhook{
		url: "https://" + listener.Addr().String(), caBundle: caBundle,
		counts: map[string]*atomic.Int64{pathPatch: {}, pathNoPatch: {}},
	}
	mux := http.NewServeMux()
	mux.HandleFunc(pathPatch, w.answer(pathPatch, `,"patchType":"JSONPatch","patch":"`+base64.StdEncoding.EncodeToString(patch)+`"`))
	mux.HandleFunc(pathNoPatch, w.answer(pathNoPatch, ""))
	w.server = &http.Server{Handler: mux, TLSConfig: &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{certificate}, NextProtos: []string{"http/1.1"},
	}}
	go func() { _ = w.server.ServeTLS(listener, "", "") }()
	return w, nil
}

// answer answers with the uid between two texts that never change.
func (w *constantWebhook) answer(path, patch string) http.HandlerFunc {
	const before = `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"allowed":true,"uid":"`
	after := `"` + patch + `}}`
	key := []byte(`"uid":"`)
	return func(out http.ResponseWriter, r *http.Request) {
		w.counts[path].Add(1)
		body, err := io.ReadAll(r.Body)
		at := bytes.Index(body, key)
		if err != nil || at < 0 {
			http.Error(out, fmt.Sprint("no uid: ", err), http.StatusBadRequest)
			return
		}
		uid, _, _ := bytes.Cut(body[at+len(key):], []byte(`"`))
		out.Header().Set("Content-Type", "application/json")
		out.Header().Set("Content-Length", strconv.Itoa(len(before)+len(uid)+len(after)))
		for _, part := range [][]byte{[]byte(before), uid, []byte(after)} {
			if _, err := out.Write(part); err != nil {
				return
			}
		}
	}
}

// asked is how often the webhook was asked.
func (w *constantWebhook) asked(path string) int64 { return w.counts[path].Load() }

func (w *constantWebhook) stop() error { return w.server.Close() }

// configuration registers the webhook as Quartermaster's chart registers Quartermaster, for one namespace.
func (w *constantWebhook) configuration(v *variant, path string) *admissionregistrationv1.MutatingWebhookConfiguration {
	url := w.url + path
	fail, ifNeeded, sideEffects := admissionregistrationv1.Fail, admissionregistrationv1.IfNeededReinvocationPolicy, admissionregistrationv1.SideEffectClassNone
	timeout := int32(5)
	return &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: v.key},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name:                    v.key + ".bench.example",
			ClientConfig:            admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: w.caBundle},
			Rules:                   []admissionregistrationv1.RuleWithOperations{createPods()},
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{variantLabel: v.key}},
			ObjectSelector:          jobPods(),
			FailurePolicy:           &fail,
			SideEffects:             &sideEffects,
			ReinvocationPolicy:      &ifNeeded,
			TimeoutSeconds:          &timeout,
			AdmissionReviewVersions: []string{"v1"},
		}},
	}
}

func createPods() admissionregistrationv1.RuleWithOperations {
	return admissionregistrationv1.RuleWithOperations{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
	}
}

func jobPods() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: policy.DefaultJobLabel, Operator: metav1.LabelSelectorOpExists},
	}}
}
