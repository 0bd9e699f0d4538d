package node

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	startTimeout = 2 * time.Minute // of each step; seconds are usual, a busy machine is given time
	interval     = 100 * time.Millisecond
	tailLines    = 25 // of a log, for an error message
)

// A component is a process of the node that runs until the node ends.
type component struct {
	name  string
	log   string        // file
	ended chan struct{} // closed when the process has ended
	end   string        // how it ended; to be read after ended is closed
}

// start starts a component. Should it end before the node is stopped, that is told.
func (n *Node) start(binary string, args ...string) (*component, error) {
	name := filepath.Base(binary)
	c := &component{name: name, log: n.file(filepath.Join("log", name+".log")), ended: make(chan struct{})}
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := n.Command(context.Background(), n.Dir, binary, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = cmd.Wait() // the state says more
		c.end = cmd.ProcessState.String()
		close(c.ended)
		if !n.stopping.Load() {
			fmt.Fprintf(n.opts.Out, "  %s has ended: %s\n", c.name, c.end)
		}
	}()
	return c, nil
}

// await waits until ready returns nil. The error is what ready returned last, and the ends of the logs that matter: the
// component's, and those of others.
func (c *component) await(ctx context.Context, what string, ready func(context.Context) error, others ...*component) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-c.ended:
			return fmt.Errorf("%s: %s has ended: %s\n%s", what, c.name, c.end, c.tail())
		case <-ctx.Done():
			var tails strings.Builder
			for _, c := range append([]*component{c}, others...) {
				tails.WriteString(c.tail())
			}
			return fmt.Errorf("%s: %w: %w\n%s", what, context.Cause(ctx), err, &tails)
		case <-time.After(interval):
		}
	}
}

// tail is the end of the component's log.
func (c *component) tail() string {
	text, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	lines := bytes.SplitAfter(bytes.TrimSpace(text), []byte("\n"))
	lines = lines[max(0, len(lines)-tailLines):]
	return fmt.Sprintf("the log of %s ends with\n%s\n", c.name, bytes.Join(lines, nil))
}
