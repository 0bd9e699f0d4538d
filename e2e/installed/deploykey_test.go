//go:build e2e

package installed

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// TestAJobPushesTagsWithADeployKey runs the script of manifests/examples/deploy-key/project in a job: a plain `git push
// --tags` to an https:// remote, which the policy's variables send over SSH, with the key from the Secret, to an sshd that is
// real. A server whose key is not the one in known_hosts is pushed nothing.
func TestAJobPushesTagsWithADeployKey(t *testing.T) {
	t.Parallel()
	r := shared(t)
	server := startGitServer(t, "/acme/infra.git")
	step(t, "sshd serves a repository at %s", server.url)

	ns := namespace(t, nil)
	applyExample(t, ns, "dev/*.yaml")
	applyExample(t, ns, "deploy-key/*.yaml", "ssh://git@gitlab.example.com/", server.url)
	r.settle(t, ns)
	runner := newRunner(t, ns)
	script := projectScript(t)

	deployKey := map[string]string{"ssh-privatekey": server.clientKey, "known_hosts": server.knownHosts(server.hostKey)}
	putSecret(t, ns, "deploy-key", deployKey)
	job := runner.start(t, jobPod(t, "pushes", "attach"))
	commit, err := pushes(t, runner, job, 7, script)
	if err != nil {
		t.Fatalf("%v\nsshd says:\n%s", err, server.log)
	}
	if got := server.tag("v1.0.7"); got != commit {
		t.Fatalf("tag v1.0.7 of the server's repository is %q, want %s; sshd says:\n%s", got, commit, server.log)
	}
	step(t, "git push --tags: the server has tag v1.0.7 at %s", commit)
	if out, err := runner.exec(t, job, "helper", "ls /root/.ssh"); err == nil {
		t.Errorf("helper must have no key; /root/.ssh holds %q", out)
	}

	step(t, "known_hosts names another key for the server")
	deployKey["known_hosts"] = server.knownHosts(newKeyPair(t, t.TempDir(), "other").public)
	putSecret(t, ns, "deploy-key", deployKey)
	job = runner.start(t, jobPod(t, "is-lied-to", "attach"))
	if _, err := pushes(t, runner, job, 8, script); err == nil || !strings.Contains(err.Error(), "Host key verification failed") {
		t.Errorf("the push must fail for the server's key, it ended with %v", err)
	}
	if got := server.tag("v1.0.8"); got != "" {
		t.Errorf("tag v1.0.8 has reached the server, at %s", got)
	}
	step(t, "git push --tags refuses it: Host key verification failed")
}

// projectScript is the script of the job in the example's .gitlab-ci.yml.
func projectScript(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "manifests", "examples", "deploy-key", "project", ".gitlab-ci.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Release struct{ Script []string }
	}
	if err := yaml.Unmarshal(text, &file); err != nil || len(file.Release.Script) == 0 {
		t.Fatalf("manifests/examples/deploy-key/project/.gitlab-ci.yml has no job release with a script: %v", err)
	}
	return strings.Join(file.Release.Script, "\n")
}

// pushes runs the project's script in build, in a clone like that which the runner's helper makes there, and returns the
// commit that the clone stands at.
func pushes(t *testing.T, r *runner, pod *corev1.Pod, pipeline int, script string) (commit string, err error) {
	t.Helper()
	const clone = "/builds/acme/infra"
	commit = r.mustExec(t, pod, "build", fmt.Sprintf(`git init -q %[1]s
cd %[1]s
git remote add origin https://gitlab.example.com/acme/infra.git
git -c user.name=test -c user.email=test@example.com commit -q --allow-empty -m 'pipeline %[2]d'
git rev-parse HEAD`, clone, pipeline))
	_, err = r.exec(t, pod, "build", fmt.Sprintf("cd %s\nCI_PIPELINE_IID=%d\n%s", clone, pipeline, script))
	return strings.TrimSpace(commit), err
}
