package policytest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"
	kubejson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// request is the content of request.yaml. A pod derived from a recording keeps
// what an API server has filled in, and the case shows what is special about it.
type request struct {
	// Review is the path, from the case's folder, of another case's review.json
	// or request.yaml, whose pod this one begins with.
	Review string `json:"review,omitempty"`
	// Patch is applied to the pod: operations after RFC 6902.
	Patch json.RawMessage `json:"patch,omitempty"`
	// Pod stands instead of Review: a pod as an API server hands it to a webhook.
	Pod json.RawMessage `json:"pod,omitempty"`
	// Namespace, User and Groups replace those of the review. A user given
	// without groups has those that the API server gives such a user.
	Namespace string   `json:"namespace,omitempty"`
	User      string   `json:"user,omitempty"`
	Groups    []string `json:"groups,omitempty"`
	// JobLabel is the server's configuration.
	JobLabel string `json:"jobLabel,omitempty"`
	// NotStored is [Case.NotStored].
	NotStored string `json:"notStored,omitempty"`
}

// handWritten is the review around a pod that was written out.
const handWritten = `{
	"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
	"request": {
		"uid": "379568dd-f494-4db0-8bcb-19837206ac81",
		"kind": {"group": "", "version": "v1", "kind": "Pod"},
		"resource": {"group": "", "version": "v1", "resource": "pods"},
		"requestKind": {"group": "", "version": "v1", "kind": "Pod"},
		"requestResource": {"group": "", "version": "v1", "resource": "pods"},
		"operation": "CREATE",
		"userInfo": {},
		"oldObject": null,
		"dryRun": false,
		"options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"}
	}
}`

// member is a JSON object of which most is carried along unread.
type member = map[string]json.RawMessage

// loadRequest fills the case from its review.json or request.yaml.
func (c *Case) loadRequest() error {
	review, err := os.ReadFile(filepath.Join(c.Dir, reviewFile))
	if err == nil {
		c.Review = review
		return c.readReview()
	}
	req, err := readRequest(filepath.Join(c.Dir, requestFile))
	if err != nil {
		return err
	}
	if c.Review, err = req.build(c.Dir); err != nil {
		return fmt.Errorf("%s: %w", requestFile, err)
	}
	c.JobLabel, c.NotStored = req.JobLabel, req.NotStored
	return c.readReview()
}

func readRequest(file string) (*request, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	req, err := decodeRequest(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return req, nil
}

func decodeRequest(data []byte) (*request, error) {
	object, err := yaml.YAMLToJSONStrict(data)
	if err != nil {
		return nil, err
	}
	var req request
	strict, err := kubejson.UnmarshalStrict(object, &req)
	if err := errors.Join(append(strict, err)...); err != nil {
		return nil, err
	}
	switch {
	case (req.Review == "") == (req.Pod == nil):
		return nil, errors.New("name either a review or a pod")
	case req.Pod != nil && (req.Namespace == "" || req.User == ""):
		return nil, errors.New("a pod goes with its namespace and user")
	}
	return &req, nil
}

// build makes the AdmissionReview that an API server would send.
func (r *request) build(dir string) ([]byte, error) {
	source, err := r.source(dir)
	if err != nil {
		return nil, err
	}
	var review, req member
	if err := json.Unmarshal(source, &review); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(review["request"], &req); err != nil {
		return nil, err
	}
	if r.Pod != nil {
		req["object"] = r.Pod
	}
	if err := r.override(req); err != nil {
		return nil, err
	}
	review["request"] = raw(req)
	return json.MarshalIndent(review, "", " ")
}

// source is the review that the case begins with.
func (r *request) source(dir string) ([]byte, error) {
	if r.Review == "" {
		return []byte(handWritten), nil
	}
	file := filepath.Join(dir, r.Review)
	if filepath.Base(file) != requestFile {
		return os.ReadFile(file)
	}
	other, err := readRequest(file)
	if err != nil {
		return nil, err
	}
	return other.build(filepath.Dir(file))
}

// override puts the case's own into the request of a review.
func (r *request) override(req member) error {
	if r.Patch != nil {
		patch, err := jsonpatch.DecodePatch(r.Patch)
		if err != nil {
			return err
		}
		if req["object"], err = patch.Apply(req["object"]); err != nil {
			return err
		}
	}
	if r.User != "" {
		groups := r.Groups
		if groups == nil {
			groups = groupsOf(r.User)
		}
		req["userInfo"] = raw(map[string]any{"username": r.User, "groups": groups})
	}
	var object, metadata member
	if err := json.Unmarshal(req["object"], &object); err != nil {
		return err
	}
	if err := json.Unmarshal(object["metadata"], &metadata); err != nil {
		return err
	}
	if r.Namespace != "" {
		req["namespace"], metadata["namespace"] = raw(r.Namespace), raw(r.Namespace)
		object["metadata"] = raw(metadata)
		req["object"] = raw(object)
	}
	if name, ok := metadata["name"]; ok {
		req["name"] = name
	}
	return nil
}

// groupsOf are the groups that the API server puts a user in.
func groupsOf(user string) []string {
	if account, ok := strings.CutPrefix(user, "system:serviceaccount:"); ok {
		namespace, _, _ := strings.Cut(account, ":")
		return []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"}
	}
	return []string{"system:authenticated"}
}

// raw marshals what always can be.
func raw(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

// readReview fills the case with what its review says.
func (c *Case) readReview() error {
	var review struct {
		Request struct {
			Namespace string `json:"namespace"`
			UserInfo  struct {
				Username string   `json:"username"`
				Groups   []string `json:"groups"`
			} `json:"userInfo"`
			Object json.RawMessage `json:"object"`
		} `json:"request"`
	}
	if err := json.Unmarshal(c.Review, &review); err != nil {
		return err
	}
	req := review.Request
	c.Namespace, c.User, c.Groups, c.Object = req.Namespace, req.UserInfo.Username, req.UserInfo.Groups, req.Object
	return nil
}
