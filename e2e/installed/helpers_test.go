//go:build e2e

package installed

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"quartermaster.dev/e2e/cluster"
)

// patience is how long eventually waits. No test that passes waits that long; where the kubelet has its defaults, a changed
// Secret takes more than a minute to be in the pods.
const patience = 3 * time.Minute

var began = time.Now()

// step says what the test does next, or what it has found to hold, in a line of its own and at once.
func step(t *testing.T, format string, args ...any) {
	t.Helper()
	fmt.Printf("%6.1fs  %s: %s\n", time.Since(began).Seconds(), t.Name(), fmt.Sprintf(format, args...))
}

// eventually waits until holds returns true, asking again and again. What holds saw last is told when it never does.
func eventually(t *testing.T, what string, holds func(context.Context) (ok bool, saw string)) {
	t.Helper()
	// Not the test's own context, for cleanups wait too.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		ok, saw := holds(ctx)
		if ok {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not so after %s: %s; last seen: %s", patience, what, saw)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// run runs a program to its end and returns what it wrote to stdout; what it wrote to stderr is part of the error.
func run(ctx context.Context, stdin, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(program), strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.String(), nil
}

// kubectl runs kubectl as an administrator and returns what it wrote to stdout.
func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := run(t.Context(), "", *kubectlPath, append([]string{"--kubeconfig", *kubeconfig}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// errorsOf are the texts of the errors, "" when there is none.
func errorsOf(errs ...error) string {
	var texts []string
	for _, err := range errs {
		if err != nil {
			texts = append(texts, err.Error())
		}
	}
	return strings.Join(texts, "; ")
}

// example returns a new namespace that holds manifests/examples/NAME, with its policies in force.
func example(t *testing.T, r *release, name string) string {
	t.Helper()
	ns := namespace(t, nil)
	applyExample(t, ns, name+"/*.yaml")
	r.settle(t, ns)
	return ns
}

// applyExample applies the files of manifests/examples that match a pattern, in the order of their names, into a namespace
// instead of the one that they name. In their text, the first, third, fifth … of replacements is replaced by the next one.
func applyExample(t *testing.T, namespace, pattern string, replacements ...string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "manifests", "examples", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no file matches manifests/examples/%s: %v", pattern, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		objects, err := cluster.Decode([]byte(strings.NewReplacer(replacements...).Replace(string(text))))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, object := range objects {
			if object.GetKind() == "Namespace" {
				continue
			}
			move(object, namespace)
			apply(t, object)
		}
	}
}

// move puts an object, and the accounts that a RoleBinding names, into another namespace.
func move(object *unstructured.Unstructured, namespace string) {
	object.SetNamespace(namespace)
	subjects, _, _ := unstructured.NestedSlice(object.Object, "subjects")
	for _, subject := range subjects {
		if subject, ok := subject.(map[string]any); ok && subject["namespace"] != nil {
			subject["namespace"] = namespace
		}
	}
	if len(subjects) > 0 {
		object.Object["subjects"] = subjects
	}
}

// apply applies an object as an administrator.
func apply(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	if err := admin.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object.DeepCopy()),
		client.FieldOwner(cluster.FieldOwner), client.ForceOwnership); err != nil {
		t.Fatalf("%s %s: %v", object.GetKind(), object.GetName(), err)
	}
}

// putSecret creates a Secret, or replaces what it holds.
func putSecret(t *testing.T, namespace, name string, data map[string]string) {
	t.Helper()
	object := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	_, err := controllerutil.CreateOrUpdate(t.Context(), admin, object, func() error {
		object.Data = nil
		object.StringData = data
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// serviceAccountKubeconfig returns a kubeconfig that reaches the API server at server, a URL, as the named account, with
// a token that was issued for it.
func serviceAccountKubeconfig(t *testing.T, server, namespace, account string) []byte {
	t.Helper()
	hour := int64(3600)
	token := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &hour}}
	object := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: account}}
	if err := admin.SubResource("token").Create(t.Context(), object, token); err != nil {
		t.Fatalf("no token for service account %q in namespace %q: %v", account, namespace, err)
	}
	const name = "cluster"
	text, err := clientcmd.Write(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{name: {Server: server, CertificateAuthorityData: adminConfig.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: {Token: token.Status.Token}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name, Namespace: namespace}},
		CurrentContext: name,
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}
