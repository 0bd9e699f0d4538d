package webhook

import (
	"bytes"
	"sync"
)

// buffers are the bytes of one request and of its answer. They are used again
// for the next, so nothing that outlives the request may be part of them: log
// lines, Events and metrics hold copies.
type buffers struct {
	body   bytes.Buffer
	answer []byte
}

var pool = sync.Pool{New: func() any { return new(buffers) }}

// maxKept is the size above which buffers are left to the garbage collector:
// few pods are larger.
const maxKept = 1 << 20

// scribble makes the bytes of released buffers unreadable. Tests set it, to
// find what was kept and should have been copied.
var scribble bool

func takeBuffers() *buffers { return pool.Get().(*buffers) }

// release gives the buffers back. They must not be used afterwards.
func (b *buffers) release() {
	b.body.Reset()
	if scribble {
		for _, all := range [][]byte{b.body.AvailableBuffer(), b.answer} {
			all = all[:cap(all)]
			for i := range all {
				all[i] = '#'
			}
		}
	}
	if b.body.Cap()+cap(b.answer) <= maxKept {
		pool.Put(b)
	}
}
