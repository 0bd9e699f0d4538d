package release

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"quartermaster.dev/e2e/internal/output"
)

const (
	readyTimeout = time.Minute
	// stopMargin is what a server is given to end beyond the time for which it drains.
	stopMargin = 30 * time.Second
	// startAttempts: a free port can be lost to somebody else before it is listened on.
	startAttempts = 3
)

// addresses are those on which one server listens, each HOST:PORT.
type addresses struct{ webhook, health, metrics string }

// A server is the running webhook server.
type server struct {
	addresses addresses
	logs      *output.Tail

	cmd   *exec.Cmd
	drain time.Duration
	ended chan struct{} // closed when the process has ended
	exit  error         // how it ended; to be read after ended is closed
}

// startServer starts binary with args, and with what differs outside a pod put after them, so that it wins. It returns
// when the server says that it is ready.
func startServer(ctx context.Context, binary string, args []string, files *serverFiles) (*server, error) {
	drain, err := time.ParseDuration(argument(args, "--drain"))
	if err != nil {
		return nil, fmt.Errorf("the chart's argument --drain: %w", err)
	}
	for attempt := 1; ; attempt++ {
		s := &server{logs: &output.Tail{}, drain: drain, ended: make(chan struct{})}
		err := s.start(ctx, binary, args, files)
		if err == nil {
			return s, nil
		}
		err = errors.Join(err, s.kill())
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if attempt == startAttempts || !strings.Contains(s.logs.String(), "address already in use") {
			return nil, fmt.Errorf("the webhook server did not become ready: %w; its log:\n%s", err, s.excerpt())
		}
	}
}

func (s *server) start(ctx context.Context, binary string, args []string, files *serverFiles) (err error) {
	if s.addresses, err = freeAddresses(); err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(s.addresses.webhook)
	if err != nil {
		return err
	}
	s.cmd = exec.Command(binary, slices.Concat(args, []string{
		"--kubeconfig=" + files.kubeconfig,
		"--cert-dir=" + files.certDir,
		"--host=" + host,
		"--port=" + port,
		"--health-probe-bind-address=" + s.addresses.health,
		"--metrics-bind-address=" + s.addresses.metrics,
	})...)
	s.cmd.Stdout, s.cmd.Stderr = s.logs, s.logs
	// A terminal's Ctrl-C must not end it before those who still use it.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func() {
		s.exit = s.cmd.Wait()
		close(s.ended)
	}()
	return s.awaitReady(ctx)
}

func (s *server) awaitReady(ctx context.Context) error {
	timeout := time.After(readyTimeout)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for last := "it was not asked"; ; {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-s.ended:
			return fmt.Errorf("it ended: %w", exited(s.exit))
		case <-timeout:
			return fmt.Errorf("after %s /readyz says: %s", readyTimeout, last)
		case <-tick.C:
		}
		if last = s.readiness(ctx); last == "" {
			return nil
		}
	}
}

// readiness is what /readyz finds wrong, nothing when the server is ready.
func (s *server) readiness(ctx context.Context) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addresses.health+"/readyz", nil)
	if err != nil {
		return err.Error()
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return ""
	}
	body, err := io.ReadAll(response.Body)
	return fmt.Sprint(response.Status, " ", strings.TrimSpace(string(body)), err)
}

// stop sends SIGTERM and waits for the end.
func (s *server) stop() error {
	select {
	case <-s.ended:
		return fmt.Errorf("the webhook server ended before it was asked to: %w; its log:\n%s", exited(s.exit), s.excerpt())
	default:
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-s.ended:
	case <-time.After(s.drain + stopMargin):
		return fmt.Errorf("the webhook server did not end within %s of SIGTERM: %w; its log:\n%s", s.drain+stopMargin, s.kill(), s.excerpt())
	}
	if s.exit != nil {
		return fmt.Errorf("the webhook server ended badly: %w; its log:\n%s", s.exit, s.excerpt())
	}
	return nil
}

// excerpt is what of the log belongs into an error: the first report of the race detector, or else the end.
func (s *server) excerpt() string {
	const size = 8 << 10
	log := s.logs.String()
	if at := strings.Index(log, "WARNING: DATA RACE"); at >= 0 {
		return log[at:min(at+size, len(log))]
	}
	return log[max(0, len(log)-size):]
}

// kill ends the process and whatever it may have started, and waits for it.
func (s *server) kill() error {
	if s.cmd == nil || s.cmd.Process == nil {
		return nil
	}
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	<-s.ended
	return exited(s.exit)
}

// exited is err, or an error that says the process exited with code 0.
func exited(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// freeAddresses returns addresses on the loopback device that nobody listens on.
func freeAddresses() (addresses, error) {
	var free [3]string
	for i := range free {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return addresses{}, err
		}
		defer listener.Close() // all are held until the last is found, or the same could be found twice
		free[i] = listener.Addr().String()
	}
	return addresses{webhook: free[0], health: free[1], metrics: free[2]}, nil
}

// argument returns the value of a flag given as --flag=value, the last one where it stands twice.
func argument(args []string, flag string) string {
	for _, arg := range slices.Backward(args) {
		if value, ok := strings.CutPrefix(arg, flag+"="); ok {
			return value
		}
	}
	return ""
}
