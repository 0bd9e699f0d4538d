package build

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// How often progress speaks: a terminal's line is rewritten, a log grows by a line each time.
const (
	terminalInterval = time.Second
	logInterval      = 10 * time.Second
)

// progress repeats the state of something slow until it is stopped.
type progress struct {
	out      io.Writer
	terminal bool
	state    func() string
	quit     chan struct{}
	done     chan struct{}
}

// startProgress tells state, which must be safe to call from another goroutine, first after delay and then again and
// again: what takes less than delay stays silent.
func startProgress(out io.Writer, delay time.Duration, state func() string) *progress {
	p := &progress{out: out, terminal: IsTerminal(out), state: state, quit: make(chan struct{}), done: make(chan struct{})}
	go p.run(delay)
	return p
}

// stop ends the repetition; nothing is written after it has returned.
func (p *progress) stop() {
	close(p.quit)
	<-p.done
}

func (p *progress) run(delay time.Duration) {
	defer close(p.done)
	interval := logInterval
	if p.terminal {
		interval = terminalInterval
	}
	next := time.NewTimer(delay)
	defer next.Stop()
	for {
		select {
		case <-p.quit:
			if p.terminal {
				fmt.Fprint(p.out, "\r\x1b[K")
			}
			return
		case <-next.C:
			next.Reset(interval)
		}
		if p.terminal {
			fmt.Fprintf(p.out, "\r\x1b[K  %s", p.state())
		} else {
			fmt.Fprintf(p.out, "  %s\n", p.state())
		}
	}
}

// IsTerminal reports whether w is a terminal.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func since(begin time.Time) time.Duration { return time.Since(begin).Round(time.Second) }
