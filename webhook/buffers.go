package webhook

import (
	"bytes"
	"sync"
)

// buffers are the bytes of one request and of its answer. They are used again
// for the next, so nothing that outlives the request may be part of them: log
// lines, Events and metrics hold copies.
type buffers struct{ body, answer bytes.Buffer }

var pool = sync.Pool{New: func() any { return new(buffers) }}

// maxKept is the size from which on a buffer is left to the garbage collector:
// few pods are larger.
const maxKept = 1 << 20

// scribble makes the bytes of released buffers unreadable. Tests set it, to
// find what was kept and should have been copied.
var scribble bool

func takeBuffers() *buffers { return pool.Get().(*buffers) }

// release gives the buffers back. They must not be used afterwards.
func (b *buffers) release() {
	for _, buf := range []*bytes.Buffer{&b.body, &b.answer} {
		buf.Reset()
		if scribble {
			for i, all := 0, buf.AvailableBuffer(); i < cap(all); i++ {
				all[:cap(all)][i] = '#'
			}
		}
		if buf.Cap() > maxKept {
			*buf = bytes.Buffer{}
		}
	}
	pool.Put(b)
}
