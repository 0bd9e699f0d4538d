package explain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"quartermaster.dev/e2e/cluster"
	"quartermaster.dev/policy"
)

var update = flag.Bool("update", false, "rewrite what testdata compares with")

// quartermaster runs the command, which must succeed.
func (s *scripts) quartermaster(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(ts.Exec(filepath.Join(s.bin, "quartermaster"), args...))
}

// exits runs the command, which must end with CODE.
func (s *scripts) exits(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(filepath.Join(s.bin, "quartermaster"), args[1:]...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || fmt.Sprint(exit.ExitCode()) != args[0] {
		ts.Fatalf("got %v, want exit code %s", err, args[0])
	}
}

// apply writes objects, and returns when the policies among them have taken effect.
func (s *scripts) apply(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		objects, err := cluster.Decode([]byte(ts.ReadFile(name)))
		ts.Check(err)
		ts.Check(s.plane.Apply(context.Background(), objects...))
	}
	if s.release != nil {
		ts.Check(s.release.Settle(context.Background()))
	}
}

// account makes NAME a kubeconfig of the service account of that name.
func (s *scripts) account(ts *testscript.TestScript, _ bool, args []string) {
	config, err := s.plane.ServiceAccount(context.Background(), ts.Getenv("NS"), args[0])
	ts.Check(err)
	ts.Check(s.plane.WriteKubeconfig(config, ts.MkAbs(args[0])))
}

// report is what explain says, as far as the API server can be asked too.
type report struct {
	Verdict, Refusal, Stamp string
}

// agrees holds what explain says of POD, created by USER, against what the API
// server does with it.
func (s *scripts) agrees(ts *testscript.TestScript, _ bool, args []string) {
	user, file := args[0], ts.MkAbs(args[1])
	cmd := exec.Command(filepath.Join(s.bin, "quartermaster"), "explain", "--from-cluster", "-o", "json", "--user", user, "-f", file)
	cmd.Env = append(cmd.Environ(), "KUBECONFIG="+ts.Getenv("KUBECONFIG"))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, _ := cmd.Output() // the exit code is for the script to look at
	var said report
	if err := json.Unmarshal(out, &said); err != nil {
		ts.Fatalf("%v: %s%s", err, out, &errs)
	}
	objects, err := cluster.Decode([]byte(ts.ReadFile(file)))
	ts.Check(err)
	// The API server learns of webhooks and labels a moment after they are written.
	var last error
	err = wait.PollUntilContextTimeout(context.Background(), 20*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		last = said.disagrees(s.create(ctx, user, objects[0].DeepCopy()))
		return last == nil, nil
	})
	if err != nil {
		ts.Fatalf("%v", last)
	}
}

// create asks for the pod as the user, who may do everything, and gives its stamp.
func (s *scripts) create(ctx context.Context, user string, pod *unstructured.Unstructured) (stamp string, err error) {
	config := rest.CopyConfig(s.plane.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"system:masters"}}
	c, err := client.New(config, client.Options{Mapper: s.plane.Client.RESTMapper()})
	if err != nil {
		return "", err
	}
	err = c.Create(ctx, pod, client.DryRunAll)
	return pod.GetAnnotations()[policy.AnnotationApplied], err
}

// disagrees tells what is not as it was said.
func (r *report) disagrees(stamp string, err error) error {
	want := ""
	switch r.Verdict {
	case "refused":
		want = "denied the request: " + r.Refusal
	case "unreachable":
		want = "failed calling webhook"
	}
	switch {
	case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
		return fmt.Errorf("explain says %s, and the API server %w, want %q", r.Verdict, err, want)
	case want == "" && err != nil:
		return fmt.Errorf("explain says %s, and the API server %w", r.Verdict, err)
	case stamp != r.Stamp && r.Verdict != "not-asked":
		return fmt.Errorf("explain says %s with the stamp %q, and the pod has %q", r.Verdict, r.Stamp, stamp)
	case stamp != "" && r.Verdict == "not-asked":
		return fmt.Errorf("explain says that nobody is asked, and the pod has the stamp %q", stamp)
	}
	return nil
}
