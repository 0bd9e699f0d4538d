package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"quartermaster.dev/e2e/internal/build"
	"quartermaster.dev/e2e/internal/load"
	"quartermaster.dev/e2e/internal/output"
	"quartermaster.dev/e2e/internal/pki"
	"quartermaster.dev/e2e/release"
)

// settled is how long after it is ready a server's memory is looked at again.
const settled = 10 * time.Second

// measureStart starts servers beside the one that serves, and ends them again.
func measureStart(ctx context.Context, o *options, w *world, installed *release.Release, r *report) error {
	binary, err := build.Program{Package: "./cmd/quartermaster-webhook"}.Build(ctx, os.Stderr)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "quartermaster-benchscale-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	account, err := w.plane.ServiceAccount(ctx, installed.Namespace, installed.ServiceAccount)
	if err != nil {
		return err
	}
	if err := w.plane.WriteKubeconfig(account, filepath.Join(dir, "kubeconfig")); err != nil {
		return err
	}
	pair, err := pki.New(24*time.Hour, "127.0.0.1")
	if err != nil {
		return err
	}
	if err := pair.Write(dir); err != nil {
		return err
	}
	var ready, resident, later []float64
	for i := range o.rounds {
		s := &replica{dir: dir}
		took, err := s.start(ctx, binary)
		if err == nil {
			ready = append(ready, took.Seconds())
			resident = append(resident, s.resident())
			if i == o.rounds-1 {
				r.memoryParts(s.cmd.Process.Pid)
			}
			err = sleep(ctx, settled)
			later = append(later, s.resident())
		}
		if err := errors.Join(err, s.stop()); err != nil {
			return err
		}
	}
	r.line("ready after the start of the process", ready, "%.2f s", 3)
	r.line("resident memory when ready", resident, "%.1f MiB", 60)
	r.line(fmt.Sprintf("resident memory %s later", settled), later, "%.1f MiB", 60)
	return nil
}

// A replica is one more server, which no API server asks.
type replica struct {
	dir  string
	cmd  *exec.Cmd
	logs output.Tail
}

// start returns how long it took from the start of the process until it said that it was ready.
func (s *replica) start(ctx context.Context, binary string) (time.Duration, error) {
	var ports [2]string
	for i := range ports {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		defer listener.Close()
		_, ports[i], _ = net.SplitHostPort(listener.Addr().String())
		if err := listener.Close(); err != nil {
			return 0, err
		}
	}
	s.cmd = exec.Command(binary, "--kubeconfig="+filepath.Join(s.dir, "kubeconfig"), "--cert-dir="+s.dir, "--host=127.0.0.1", "--port="+ports[0],
		"--health-probe-bind-address=127.0.0.1:"+ports[1], "--metrics-bind-address=0", "--drain=0s")
	s.cmd.Stdout, s.cmd.Stderr = &s.logs, &s.logs
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's Ctrl-C is for this process to pass on
	begin := time.Now()
	if err := s.cmd.Start(); err != nil {
		return 0, err
	}
	for time.Since(begin) < time.Minute {
		if err := sleep(ctx, 5*time.Millisecond); err != nil {
			return 0, err
		}
		response, err := http.Get("http://127.0.0.1:" + ports[1] + "/readyz")
		if err != nil {
			continue
		}
		_ = response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return time.Since(begin), nil
		}
	}
	return 0, fmt.Errorf("the server is not ready after a minute; its log:\n%s", s.logs.String())
}

func (s *replica) resident() float64 { return status(s.cmd.Process.Pid, "VmRSS") }

func (s *replica) stop() error {
	if s.cmd == nil || s.cmd.Process == nil {
		return nil
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := s.cmd.Wait(); err != nil {
		return fmt.Errorf("the server ended badly: %w; its log:\n%s", err, s.logs.String())
	}
	return nil
}

// status is a line of /proc/PID/status that holds a size, in MiB.
func status(pid int, key string) float64 {
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) == 3 && fields[0] == key+":" {
			kibibytes, _ := strconv.ParseFloat(fields[1], 64)
			return kibibytes / 1024
		}
	}
	return 0
}

// sleep sleeps until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

// measureMemory looks at the server that has served all the time.
func measureMemory(ctx context.Context, _ *options, _ *world, installed *release.Release, r *report) error {
	if err := sleep(ctx, settled); err != nil {
		return err
	}
	metrics, err := load.Metrics(ctx, installed.MetricsURL)
	if err != nil {
		return err
	}
	r.line("resident memory of the server that served all this", []float64{metrics["process_resident_memory_bytes"] / (1 << 20)}, "%.1f MiB", 60)
	return nil
}
