package certs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"quartermaster.dev/e2e/internal/guard"
	"quartermaster.dev/e2e/internal/output"
)

// patience is how long anything may take on a busy machine.
const patience = time.Minute

// A program is a child process. It is killed when the test ends, at the latest.
type program struct {
	health, metrics string // addresses

	cmd   *exec.Cmd
	logs  *output.Tail
	ended chan struct{} // closed when the process has ended
	exit  error         // how it ended; to be read after ended is closed
}

// start starts a binary with these arguments, and with free addresses for its probes and metrics.
func start(t *testing.T, binary string, args ...string) *program {
	t.Helper()
	dir := t.TempDir()
	watch, err := guard.Watch(dir)
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := watch.Wrap(binary)
	if err != nil {
		t.Fatal(err)
	}
	p := &program{health: freeAddress(t), metrics: freeAddress(t), logs: &output.Tail{}, ended: make(chan struct{})}
	p.cmd = exec.Command(wrapped, append(args, "--health-probe-bind-address="+p.health, "--metrics-bind-address="+p.metrics)...)
	p.cmd.Stdout, p.cmd.Stderr = p.logs, p.logs
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's Ctrl-C must not end it before the test
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.exit = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.kill()
		watch.Relieve()
		if t.Failed() {
			t.Logf("the log of %s:\n%s", binary, p.logs)
		}
	})
	return p
}

// kill ends the process in the middle of whatever it does.
func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// stop asks the process to end, which it must do well, the race detector's verdict included.
func (p *program) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("it has ended before it was asked to: %v", err)
	}
	select {
	case <-p.ended:
		if p.exit != nil {
			t.Errorf("it ended badly: %v", p.exit)
		}
	case <-time.After(patience):
		t.Error("it does not end")
	}
}

// ready returns nil when the program says that it is ready, and else what it says.
func (p *program) ready() error {
	text, err := fetch("http://" + p.health + "/readyz")
	if err != nil {
		return fmt.Errorf("%w: %s", err, text)
	}
	return nil
}

// awaitReady waits until the program is ready.
func (p *program) awaitReady(t *testing.T) {
	t.Helper()
	eventually(t, "the program is ready", func() error {
		select {
		case <-p.ended:
			t.Fatalf("it has ended: %v", p.exit)
		default:
		}
		return p.ready()
	})
}

// metric is the value of a metric, or an error when there is none.
func (p *program) metric(name string) (float64, error) {
	text, err := fetch("http://" + p.metrics + "/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, fmt.Errorf("there is no metric %s", name)
}

// fetch returns the body of an answer, and an error unless it is a good one.
func fetch(url string) (string, error) {
	response, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	return string(body), err
}

// freeAddress returns an address that nobody listens on. Its port is none of those that systems give to connections, or
// one of the many that these tests make might take it before it is listened on.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(20000)))
		if err == nil {
			defer listener.Close()
			return listener.Addr().String()
		}
	}
	t.Fatal("there is no free port from 10000 to 29999")
	return ""
}

// eventually waits until there is no error any more.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	var last error
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, patience, true, func(context.Context) (bool, error) {
		last = try()
		return last == nil, nil
	})
	if err != nil {
		t.Fatalf("%s: not after %s: %v", what, patience, last)
	}
}
