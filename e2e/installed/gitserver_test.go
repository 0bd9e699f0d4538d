//go:build e2e

package installed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"quartermaster.dev/e2e/internal/output"
)

// A gitServer is an sshd that gives one key access to one bare repository, and to nothing else.
type gitServer struct {
	url       string // ssh://USER@HOST:PORT/
	hostKey   string // the server's public key, as known_hosts has it
	clientKey string // the private key that may push
	log       *output.Tail

	host, port string
	repository string // folder
}

// startGitServer starts the server, with an empty repository at path. It ends with the test.
func startGitServer(t *testing.T, path string) *gitServer {
	t.Helper()
	dir := t.TempDir()
	host, client := newKeyPair(t, dir, "host"), newKeyPair(t, dir, "client")
	s := &gitServer{
		hostKey: host.public, clientKey: client.private, log: &output.Tail{},
		host: serverHost(t), repository: filepath.Join(dir, "repository.git"),
	}
	mustRun(t, "git", "init", "--quiet", "--bare", s.repository)
	// What is asked for is compared as a whole: whoever has the key can push here and do nothing else.
	command := filepath.Join(dir, "command")
	writeFile(t, command, 0o700, fmt.Sprintf(`#!/bin/sh
case $SSH_ORIGINAL_COMMAND in
"git-receive-pack '%s'") exec git-receive-pack '%s' ;;
esac
echo "refused: $SSH_ORIGINAL_COMMAND" >&2
exit 1
`, path, s.repository))
	writeFile(t, filepath.Join(dir, "authorized_keys"), 0o600, fmt.Sprintf("restrict,command=%q %s\n", command, client.public))
	s.serve(t, dir)
	return s
}

// serve starts sshd, as whoever runs the test, and waits until it listens.
func (s *gitServer) serve(t *testing.T, dir string) {
	t.Helper()
	sshd, err := exec.LookPath("/usr/sbin/sshd")
	if err != nil {
		t.Fatalf("%v; install Debian's openssh-server", err)
	}
	account, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	s.port = freePort(t, s.host)
	s.url = fmt.Sprintf("ssh://%s@%s/", account.Username, net.JoinHostPort(s.host, s.port))
	config := filepath.Join(dir, "sshd_config")
	writeFile(t, config, 0o600, fmt.Sprintf(`ListenAddress %s
Port %s
HostKey %s
AuthorizedKeysFile %s
AuthenticationMethods publickey
PermitRootLogin forced-commands-only
UsePAM no
PidFile none
StrictModes no
`, s.host, s.port, filepath.Join(dir, "host"), filepath.Join(dir, "authorized_keys")))
	makePrivilegeSeparationDirectory(t)
	cmd := exec.Command(sshd, "-D", "-e", "-f", config)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	eventually(t, "sshd listens", func(ctx context.Context) (bool, string) {
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(s.host, s.port))
		if err != nil {
			return false, fmt.Sprintf("%v; sshd says:\n%s", err, s.log)
		}
		return connection.Close() == nil, ""
	})
}

// makePrivilegeSeparationDirectory makes the empty folder without which sshd does not start for root, where no service
// manager has made it.
func makePrivilegeSeparationDirectory(t *testing.T) {
	t.Helper()
	const dir = "/run/sshd"
	err := os.Mkdir(dir, 0o755)
	switch {
	case err == nil:
		t.Cleanup(func() { _ = os.Remove(dir) })
	case os.Geteuid() == 0 && !errors.Is(err, fs.ErrExist):
		t.Fatal(err)
	}
}

// knownHosts is the content of a known_hosts that trusts a public key for this server.
func (s *gitServer) knownHosts(key string) string {
	return fmt.Sprintf("[%s]:%s %s\n", s.host, s.port, key)
}

// tag is the commit at which a tag of the repository is, "" when there is no such tag.
func (s *gitServer) tag(name string) string {
	out, err := exec.Command("git", "-C", s.repository, "rev-parse", "--quiet", "--verify", "refs/tags/"+name).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

// serverHost is the address of this machine at which pods reach it.
func serverHost(t *testing.T) string {
	t.Helper()
	if *sshHost != "" {
		return *sshHost
	}
	// No packet is sent for this: it asks the routes.
	connection, err := net.Dial("udp", strings.TrimPrefix(adminConfig.Host, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	return connection.LocalAddr().(*net.UDPAddr).IP.String()
}

// freePort is a port that nobody listens on.
func freePort(t *testing.T, host string) string {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// A keyPair is one of ssh-keygen's.
type keyPair struct{ private, public string }

// newKeyPair makes a key pair; its private key is also in the file of that name in dir.
func newKeyPair(t *testing.T, dir, name string) keyPair {
	t.Helper()
	file := filepath.Join(dir, name)
	mustRun(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file)
	return keyPair{private: readFile(t, file), public: strings.TrimSpace(readFile(t, file+".pub"))}
}

func mustRun(t *testing.T, program string, args ...string) {
	t.Helper()
	if _, err := run(t.Context(), "", program, args...); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func writeFile(t *testing.T, file string, mode fs.FileMode, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}
