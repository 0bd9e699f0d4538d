package webhook

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/google/go-cmp/cmp"

	"quartermaster.dev/policy/policytest"
)

// BenchmarkHandler measures the way of a review through a handler, from the
// bytes of the request to those of the response:
//
//   - by=quartermaster is the handler of this package,
//   - by=reference is one built the usual way (see [newReference]) that injects
//     the same, where anything is injected,
//   - by=valid is the floor: one json.Valid over the same bytes.
//
// They come after each other for each pod, so that their ratio can be trusted
// where the machine cannot.
func BenchmarkHandler(b *testing.B) {
	for name, c := range policytest.Recordings(b) {
		ours := benchmarkedHandler(c)
		patch := patchOf(b, ours, c)
		b.Run("pod="+name+"/by=quartermaster", func(b *testing.B) { serve(b, ours, c.Review) })
		if patch != nil {
			reference := newReference(b, patch)
			samePod(b, c, patch, patchOf(b, reference, c))
			b.Run("pod="+name+"/by=reference", func(b *testing.B) { serve(b, reference, c.Review) })
		}
		b.Run("pod="+name+"/by=valid", func(b *testing.B) {
			b.SetBytes(int64(len(c.Review)))
			b.ReportAllocs()
			for b.Loop() {
				if !json.Valid(c.Review) {
					b.Fatal("no JSON")
				}
			}
		})
	}
}

// benchmarkedHandler is wired as the server's, with a log that is written nowhere.
func benchmarkedHandler(c *policytest.Case) http.Handler {
	store := NewStore(policytest.SystemNamespace, nil)
	for _, cm := range c.ConfigMaps {
		store.Put(cm)
	}
	store.MarkSynced()
	return &Handler{Policies: store, JobLabel: c.JobLabel, Log: slog.New(slog.NewJSONHandler(io.Discard, nil)), Metrics: NewMetrics()}
}

// sink is a response that is not kept.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) WriteHeader(int)             {}

// serve sends the review again and again.
func serve(b *testing.B, handler http.Handler, review []byte) {
	r := httptest.NewRequest(http.MethodPost, "/mutate", nil)
	r.Header.Set("Content-Type", "application/json")
	r.ContentLength = int64(len(review))
	body, w := bytes.NewReader(review), &sink{http.Header{}}
	r.Body = io.NopCloser(body)
	b.SetBytes(int64(len(review)))
	b.ReportAllocs()
	for b.Loop() {
		body.Reset(review)
		handler.ServeHTTP(w, r)
	}
}

// patchOf is the patch with which the handler answers the case's review, or nil.
func patchOf(b *testing.B, handler http.Handler, c *policytest.Case) []byte {
	b.Helper()
	r := httptest.NewRequest(http.MethodPost, "/mutate", bytes.NewReader(c.Review))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	var a answer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		b.Fatalf("%v: %s", err, w.Body)
	}
	return a.Response.Patch
}

// samePod fails the benchmark where two patches of a pod do not come to the same.
func samePod(b *testing.B, c *policytest.Case, one, other []byte) {
	b.Helper()
	pods := [2]any{}
	for i, data := range [][]byte{one, other} {
		patch, err := jsonpatch.DecodePatch(data)
		if err != nil {
			b.Fatal(err)
		}
		pod, err := patch.Apply(c.Object)
		if err != nil {
			b.Fatal(err)
		}
		if err := json.Unmarshal(pod, &pods[i]); err != nil {
			b.Fatal(err)
		}
	}
	if diff := cmp.Diff(pods[0], pods[1]); diff != "" {
		b.Fatalf("the reference injects something else:\n%s", diff)
	}
}
