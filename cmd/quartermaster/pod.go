package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	yamlv3 "go.yaml.in/yaml/v3"
	kubejson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"quartermaster.dev/policy"
)

// podInput is the pod that is asked about, and what came with it.
type podInput struct {
	object    []byte // JSON
	namespace string
	user      string
	groups    []string
	review    bool
}

// readPod reads a Pod or an AdmissionReview.
func readPod(f file) (*podInput, error) {
	object, err := toJSON(f)
	if err != nil {
		return nil, err
	}
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Namespace string `json:"namespace"`
		} `json:"metadata"`
	}
	if err := kubejson.UnmarshalCaseSensitivePreserveInts(object, &head); err != nil {
		return nil, inputErrorf("give a Pod or an AdmissionReview", "%s holds no manifest", f.name)
	}
	what := head.APIVersion + " " + head.Kind
	switch {
	case what == "v1 Pod":
		return &podInput{object: object, namespace: head.Metadata.Namespace}, nil
	case what == "admission.k8s.io/v1 AdmissionReview":
		return readReview(f, object)
	case head.Kind == "AdmissionReview":
		return nil, inputErrorf("write apiVersion: admission.k8s.io/v1", "%s holds an AdmissionReview of version %q", f.name, head.APIVersion)
	case head.Kind == "":
		return nil, inputErrorf("give a Pod or an AdmissionReview", "%s holds something that has no kind", f.name)
	case head.Kind == "List" || head.Kind == "PodList":
		return nil, inputErrorf("name one, as in `kubectl get pod NAME -o yaml`", "%s holds a list, and one pod is wanted", f.name)
	default:
		return nil, inputErrorf("give the pod itself: GitLab Runner creates job pods directly", "%s holds a %s, and a Pod or an AdmissionReview is wanted", f.name, head.Kind)
	}
}

func readReview(f file, data []byte) (*podInput, error) {
	var review struct {
		Request *struct {
			Operation   string `json:"operation"`
			SubResource string `json:"subResource"`
			Kind        struct {
				Kind string `json:"kind"`
			} `json:"kind"`
			Namespace string `json:"namespace"`
			UserInfo  struct {
				Username string   `json:"username"`
				Groups   []string `json:"groups"`
			} `json:"userInfo"`
			Object json.RawMessage `json:"object"`
		} `json:"request"`
	}
	if err := kubejson.UnmarshalCaseSensitivePreserveInts(data, &review); err != nil {
		return nil, inputErrorf("", "%s is no AdmissionReview: %v", f.name, err)
	}
	r := review.Request
	switch {
	case r == nil:
		return nil, inputErrorf("give the review that the API server sent", "the AdmissionReview in %s has no request", f.name)
	case r.Kind.Kind != "Pod" || r.SubResource != "" || r.Operation != "CREATE":
		return nil, inputErrorf("only the creation of pods is ever decided on", "the AdmissionReview in %s is about the operation %q on a %s", f.name, r.Operation, r.Kind.Kind+slash(r.SubResource))
	case len(r.Object) == 0 || string(r.Object) == "null":
		return nil, inputErrorf("give the review that the API server sent", "the AdmissionReview in %s has no object", f.name)
	}
	return &podInput{object: r.Object, namespace: r.Namespace, user: r.UserInfo.Username, groups: r.UserInfo.Groups, review: true}, nil
}

func slash(subResource string) string {
	if subResource == "" {
		return ""
	}
	return "/" + subResource
}

// toJSON is the one document of a file as JSON. JSON stays as it is.
func toJSON(f file) ([]byte, error) {
	if json.Valid(f.data) {
		return f.data, nil
	}
	documents := 0
	for dec := yamlv3.NewDecoder(bytes.NewReader(f.data)); ; {
		var doc yamlv3.Node
		err := dec.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, inputErrorf("", "%s is neither YAML nor JSON: %v", f.name, err)
		}
		if len(doc.Content) > 0 && doc.Content[0].ShortTag() != "!!null" {
			documents++
		}
	}
	switch {
	case documents == 0:
		return nil, inputErrorf("give a Pod or an AdmissionReview", "%s is empty", f.name)
	case documents > 1:
		return nil, inputErrorf("give them one at a time", "%s holds %d documents, and one pod is wanted", f.name, documents)
	}
	object, err := yaml.YAMLToJSONStrict(f.data)
	if err != nil {
		return nil, inputErrorf("", "%s cannot be read: %v", f.name, err)
	}
	return object, nil
}

// request is what the pod asks of a decision.
func (p *podInput) request(jobLabel string) (policy.Request, error) {
	pod, err := policy.DecodePod(p.object)
	if err != nil {
		return policy.Request{}, inputErrorf("", "%v", err)
	}
	return policy.Request{Namespace: p.namespace, User: p.user, Groups: p.groups, JobLabel: jobLabel, Pod: pod}, nil
}
