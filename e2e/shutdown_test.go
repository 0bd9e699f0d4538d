package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"quartermaster.dev/e2e/release"
)

// endingLabel tells job pods to the server that is stopped, and to no other.
const endingLabel = "ending.example/job"

// TestNoRequestFailsWhenTheServerEnds stops a server of its own while requests come in on kept connections, as an API
// server sends them. As a Service does, the clients stay away once the server has said that it is not ready; until then,
// and for what they have begun, every request must be answered.
func TestNoRequestFailsWhenTheServerEnds(t *testing.T) {
	t.Parallel()
	server, err := release.Install(t.Context(), plane, release.Options{
		Name: "ending", Namespace: "ending", Race: raced,
		Values: map[string]any{
			"shutdown": map[string]any{"drainSeconds": 2},
			// Its webhooks stay registered when it has gone, so they must not be asked about any other test's objects.
			"jobLabel":   endingLabel,
			"validation": map[string]any{"enabled": false},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })

	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(server.CABundle)
	client := &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, MaxIdleConnsPerHost: creators},
	}
	body, err := json.Marshal(review(t))
	if err != nil {
		t.Fatal(err)
	}

	var away atomic.Bool
	var answered, late atomic.Int64
	var ending atomic.Bool
	var running sync.WaitGroup
	for range creators {
		running.Go(func() {
			for !away.Load() {
				if err := post(client, server.URL, body); err != nil {
					t.Errorf("after %d answers, ending %t: %v", answered.Load(), ending.Load(), err)
					return
				}
				answered.Add(1)
				if ending.Load() {
					late.Add(1)
				}
			}
		})
	}
	for answered.Load() < 200 && !t.Failed() {
		time.Sleep(time.Millisecond)
	}
	stopped := make(chan error, 1)
	ending.Store(true)
	go func() { stopped <- server.Stop() }()
	for ready(server.HealthURL) && !t.Failed() {
		time.Sleep(time.Millisecond)
	}
	// A node learns a moment later that the server is not ready.
	time.Sleep(500 * time.Millisecond)
	away.Store(true)
	running.Wait()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if late.Load() == 0 {
		t.Error("no request came in while the server was ending: nothing was proven")
	}
	t.Logf("%d requests answered, %d of them while the server was ending", answered.Load(), late.Load())
}

func ready(healthURL string) bool {
	response, err := http.Get(healthURL + "/readyz")
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// post sends a review and returns an error unless it is admitted.
func post(client *http.Client, url string, body []byte) error {
	response, err := client.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(answer, &review); err != nil {
		return fmt.Errorf("%s: %w", answer, err)
	}
	if response.StatusCode != http.StatusOK || review.Response == nil || !review.Response.Allowed {
		return fmt.Errorf("%s: %s", response.Status, answer)
	}
	return nil
}

// review is what an API server would ask about a job pod.
func review(t *testing.T) *admissionv1.AdmissionReview {
	t.Helper()
	pod := jobPod("ending-jobs")
	pod.Labels = map[string]string{endingLabel: pod.Name}
	pod.APIVersion, pod.Kind = "v1", "Pod"
	raw, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	return &admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admissionv1.AdmissionRequest{
			UID:       types.UID("1"),
			Kind:      metav1.GroupVersionKind{Version: "v1", Kind: "Pod"},
			Resource:  metav1.GroupVersionResource{Version: "v1", Resource: "pods"},
			Namespace: pod.Namespace,
			Name:      pod.Name,
			Operation: admissionv1.Create,
			Object:    runtime.RawExtension{Raw: raw},
		},
	}
}
