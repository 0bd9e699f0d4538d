package load

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"quartermaster.dev/e2e/cluster"
)

// A Creator creates pods in one namespace as the account of its runner. It speaks HTTP by itself, so that what a client
// library does with an answer is not measured.
type Creator struct {
	client *http.Client
	url    string
}

// NewCreator makes the namespace, its accounts, and a Creator there.
func NewCreator(ctx context.Context, c *cluster.Cluster, namespace string, labels map[string]string) (*Creator, error) {
	if err := c.Namespace(ctx, namespace, labels); err != nil {
		return nil, err
	}
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "create-pods"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"create"}}},
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "create-pods"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: Runner}},
	}
	account := func(name string) client.Object {
		return &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	}
	for _, object := range []client.Object{account(Runner), account(Runs), role, binding} {
		if err := c.Client.Create(ctx, object); err != nil && !apierrors.IsAlreadyExists(err) {
			return nil, fmt.Errorf("%T %q: %w", object, object.GetName(), err)
		}
	}
	config, err := c.ServiceAccount(ctx, namespace, Runner)
	if err != nil {
		return nil, err
	}
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	server, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, err
	}
	server.Path, server.RawQuery = "/api/v1/namespaces/"+namespace+"/pods", "dryRun=All"
	return &Creator{client: httpClient, url: server.String()}, nil
}

// Create creates the pod, as a dry run, and returns the answer and how long it took to come.
func (c *Creator) Create(ctx context.Context, r *Recording) (answer []byte, took time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(r.Body))
	if err != nil {
		return nil, 0, err
	}
	request.Header.Set("Content-Type", "application/json")
	begin := time.Now()
	response, err := c.client.Do(request)
	if err != nil {
		return nil, 0, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	took = time.Since(begin)
	if err == nil && response.StatusCode != r.status() {
		err = fmt.Errorf("pod %s: %s: %.500s", r.Name, response.Status, answer)
	}
	return answer, took, err
}
