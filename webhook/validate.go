package webhook

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"quartermaster.dev/policy"
	"quartermaster.dev/policy/jsonscan"
)

// Validator answers the AdmissionReviews of ConfigMaps that are labelled as
// policy, in the words of lint: what is broken is refused where it is written.
type Validator struct {
	// Store holds the guardrails and the other policies.
	Store *Store
	// Log gets one line a refusal.
	Log *slog.Logger
}

// configMap is the part of a core/v1 ConfigMap that a policy is read from.
type configMap struct {
	name, generateName string
	labels, data       map[string]string
	binaryKeys         []string
}

func (cm *configMap) scan(in *jsonscan.Scanner) {
	in.Object(func(key []byte) {
		switch string(key) {
		case "metadata":
			in.Object(func(key []byte) {
				switch string(key) {
				case "name":
					in.Text(&cm.name)
				case "generateName":
					in.Text(&cm.generateName)
				case "labels":
					in.Texts(&cm.labels)
				}
			})
		case "data":
			in.Texts(&cm.data)
		case "binaryData":
			in.Object(func(key []byte) { cm.binaryKeys = append(cm.binaryKeys, in.Keep(key)) })
		}
	})
}

// ServeHTTP answers one review.
func (v *Validator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer answerPanic(w, v.Log)
	buf := takeBuffers()
	defer buf.release()
	var cm configMap
	req, err := readReview(w, r, &buf.body, cm.scan)
	if err == nil && v.Store.Check(r) != nil {
		err = errStarting
	}
	if err != nil {
		http.Error(w, err.Error(), httpCode(err))
		return
	}
	res := v.answer(req, &cm)
	if !res.Allowed {
		v.Log.Info("policy refused", "uid", req.UID, "namespace", req.Namespace, "configMap", req.Name,
			"user", req.User, "problems", strings.Split(res.Status.Message, "\n"))
	}
	if err := writeAnswer(w, buf, &res); err != nil {
		v.Log.Warn("the answer could not be sent", "uid", req.UID, "error", err)
	}
}

func (v *Validator) answer(req *request, cm *configMap) response {
	res := response{UID: req.UID, Allowed: true}
	if req.Resource.Resource != "configmaps" || req.Operation != "CREATE" && req.Operation != "UPDATE" {
		return res
	}
	if req.objectErr != nil {
		return res.refuse(http.StatusBadRequest, "BadRequest", policy.Undecodable("the object is no core/v1 ConfigMap", req.objectErr).Error())
	}
	switch label, labelled := cm.labels[policy.LabelPolicy]; {
	case !labelled:
		return res // the update that takes the label off
	case label != "true":
		res.Warnings = []string{fmt.Sprintf("the label %s is %q, and only \"true\" makes a ConfigMap a policy: nothing reads this one", policy.LabelPolicy, label)}
		return res
	}
	problems := v.Store.Validate(cm.policyConfigMap(req))
	if policy.HasErrors(problems) {
		return res.refuse(http.StatusForbidden, "Forbidden", strings.Join(texts(errorsOf(problems)), "\n"))
	}
	if len(problems) > 0 {
		res.Warnings = texts(problems)
	}
	return res
}

func (cm *configMap) policyConfigMap(req *request) policy.ConfigMap {
	name := cm.name
	if name == "" {
		name = cm.generateName
	}
	return policy.ConfigMap{Namespace: req.Namespace, Name: name, Data: cm.data, BinaryKeys: cm.binaryKeys}
}

func errorsOf(problems []policy.Problem) []policy.Problem {
	var errs []policy.Problem
	for _, p := range problems {
		if p.Severity == policy.Error {
			errs = append(errs, p)
		}
	}
	return errs
}
