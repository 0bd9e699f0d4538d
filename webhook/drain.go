package webhook

import (
	"errors"
	"net/http"
	"sync/atomic"
)

// Drain lets a replica end without failing a request. A kept connection that
// the server closes in the moment in which the API server writes its next
// request on it is a failed admission, for a POST is not sent again. So from
// [Drain.Begin] on every answer asks the client to close, while the listener
// goes on serving until the connections are gone.
type Drain struct {
	ending atomic.Bool
}

// Begin makes the replica unready and asks its clients to go elsewhere.
func (d *Drain) Begin() { d.ending.Store(true) }

// Handler wraps what is served.
func (d *Drain) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.ending.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// Check is a readiness check that fails from [Drain.Begin] on.
func (d *Drain) Check(*http.Request) error {
	if d.ending.Load() {
		return errors.New("this replica is ending")
	}
	return nil
}
