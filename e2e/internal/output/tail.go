// Package output keeps what a child process writes, so that it can be shown when something went wrong and stay out
// of the way otherwise.
package output

import "sync"

// A Tail is an io.Writer that remembers the last Max bytes written to it, and all of them when Max is 0. It is safe for
// concurrent use.
type Tail struct {
	// Max bounds what is remembered. It must not be changed once the Tail is written to.
	Max int

	mu   sync.Mutex
	data []byte
}

// Write never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.data = append(t.data, p...)
	// Let it grow to twice the bound before copying, so that the cost of a byte stays constant.
	if t.Max > 0 && len(t.data) > 2*t.Max {
		t.data = append(t.data[:0], t.data[len(t.data)-t.Max:]...)
	}
	return len(p), nil
}

// String returns what is remembered.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.Max > 0 && len(t.data) > t.Max {
		return string(t.data[len(t.data)-t.Max:])
	}
	return string(t.data)
}
