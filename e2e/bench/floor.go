package main

import (
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"quartermaster.dev/e2e/internal/pki"
	"quartermaster.dev/policy"
)

// floorCommand makes this program a constant webhook: `bench floor`. A webhook is a process of its own, and what a process
// that has done nothing for a while takes to come to itself is part of what a webhook costs.
const floorCommand = "floor"

// A constantWebhook does no work: it reads a review for nothing but its uid, and its answers are ready before they are
// asked for. It is served as Quartermaster is, by net/http and TLS 1.3. Without a patch it lets every pod be as it is.
type constantWebhook struct {
	URL      string
	CABundle []byte

	stop func() error
}

// startFloor starts a constant webhook as a child process, from a file of its own: processes that run the same file share the
// memory that holds its code, and the bench, whose own requests go through much of it, would keep it in the caches for them.
func startFloor(patch []byte) (_ *constantWebhook, err error) {
	dir, err := os.MkdirTemp("", "quartermaster-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }() // what runs needs the name no more
	program := filepath.Join(dir, floorCommand)
	if err := copySelf(program); err != nil {
		return nil, err
	}
	cmd := exec.Command(program, floorCommand)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's Ctrl-C is for its parent to pass on
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	// It ends when its input does, so also when this process is killed.
	w := &constantWebhook{stop: func() error { return errors.Join(in.Close(), cmd.Wait()) }}
	if err := errors.Join(json.NewEncoder(in).Encode(patch), json.NewDecoder(out).Decode(w)); err != nil {
		return nil, errors.Join(err, w.stop())
	}
	return w, nil
}

// copySelf copies this program.
func copySelf(to string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	code, err := os.ReadFile(self)
	if err != nil {
		return err
	}
	return os.WriteFile(to, code, 0o700)
}

// serveFloor is what the child process does.
func serveFloor(in io.Reader, out io.Writer) error {
	var patch []byte
	input := json.NewDecoder(in)
	if err := input.Decode(&patch); err != nil {
		return err
	}
	w, err := listenFloor(patch)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(w); err != nil {
		return err
	}
	_ = input.Decode(&patch) // returns when the input ends
	return w.stop()
}

// listenFloor serves a constant webhook from this process.
func listenFloor(patch []byte) (*constantWebhook, error) {
	pair, err := pki.New(24*time.Hour, "127.0.0.1")
	if err != nil {
		return nil, err
	}
	certificate, err := tls.X509KeyPair(pair.Certificate, pair.Key)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: answer(patch), TLSConfig: &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{certificate}, NextProtos: []string{"http/1.1"},
	}}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	return &constantWebhook{URL: "https://" + listener.Addr().String(), CABundle: pair.Authority, stop: server.Close}, nil
}

// answer answers with the uid between two texts that never change.
func answer(patch []byte) http.HandlerFunc {
	const before = `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"allowed":true,"uid":"`
	after := `"}}`
	if len(patch) > 0 {
		after = `","patchType":"JSONPatch","patch":"` + base64.StdEncoding.EncodeToString(patch) + after
	}
	key := []byte(`"uid":"`)
	return func(out http.ResponseWriter, r *http.Request) {
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

// configuration registers the webhook as Quartermaster's chart registers Quartermaster, for one namespace.
func (w *constantWebhook) configuration(v *variant) *admissionregistrationv1.MutatingWebhookConfiguration {
	fail, ifNeeded, sideEffects := admissionregistrationv1.Fail, admissionregistrationv1.IfNeededReinvocationPolicy, admissionregistrationv1.SideEffectClassNone
	timeout := int32(5)
	return &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: v.key},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name:                    v.key + ".bench.example",
			ClientConfig:            admissionregistrationv1.WebhookClientConfig{URL: &w.URL, CABundle: w.CABundle},
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
