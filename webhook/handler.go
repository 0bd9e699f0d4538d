package webhook

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"quartermaster.dev/policy"
)

// Policies are where a [Handler] finds what is in force.
type Policies interface {
	// Set is what is in force for a namespace; nil where nothing is. It returns
	// false as long as the policies of the cluster are not known.
	Set(namespace string) (*policy.Set, bool)
}

// Handler answers the AdmissionReviews of pods that are about to be created.
type Handler struct {
	// Policies in force.
	Policies Policies
	// JobLabel marks job pods; empty means [policy.DefaultJobLabel].
	JobLabel string
	// Log gets one line a decision, and never a pod, a patch or a value.
	Log *slog.Logger
	// Metrics count the decisions.
	Metrics *Metrics
	// Reporter tells the policies' ConfigMaps of refused pods; it may be nil.
	Reporter *Reporter
}

// ServeHTTP answers one review. A body that is none gets a 4xx, and whatever
// goes wrong in here a 500: the API server then does as failurePolicy says.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer answerPanic(w, h.Log)
	buf := takeBuffers()
	defer buf.release()
	pod := &policy.Pod{}
	req, err := readReview(w, r, &buf.body, pod.Scan)
	if err != nil {
		h.refuseRequest(w, err)
		return
	}
	set, known := h.Policies.Set(req.Namespace)
	if !known {
		h.refuseRequest(w, errStarting)
		return
	}
	res, d := h.answer(req, pod, set)
	took := time.Since(req.received)
	if err := writeAnswer(w, buf, &res); err != nil {
		h.Log.Warn("the answer could not be sent", "uid", req.UID, "error", err)
	}
	if d != nil {
		h.record(r.Context(), req, d, took) // the API server has its answer, and does not wait for this
	}
}

// answerPanic, deferred, answers for a handler that panicked.
func answerPanic(w http.ResponseWriter, log *slog.Logger) {
	if p := recover(); p != nil {
		log.Error("panic while deciding", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		http.Error(w, "quartermaster failed while deciding; its log says where", http.StatusInternalServerError)
	}
}

func (h *Handler) refuseRequest(w http.ResponseWriter, err error) {
	code := httpCode(err)
	h.Metrics.invalid.Inc()
	h.Log.Warn("not an admission request", "code", code, "error", err)
	http.Error(w, err.Error(), code)
}

// answer decides on a request. There is no decision on what is no pod.
func (h *Handler) answer(req *request, pod *policy.Pod, set *policy.Set) (response, *policy.Decision) {
	res := response{UID: req.UID, Allowed: true}
	if !req.createsPod() {
		return res, nil
	}
	if req.objectErr != nil {
		err := policy.Undecodable("the object is no core/v1 Pod", req.objectErr)
		h.Log.Warn("not a pod", "uid", req.UID, "namespace", req.Namespace, "error", err)
		return res.refuse(http.StatusBadRequest, "BadRequest", err.Error()), nil
	}
	d := policy.Decide(policy.Request{
		Namespace: req.Namespace, User: req.User, Groups: req.Groups, JobLabel: h.JobLabel, Pod: pod,
	}, set)
	if d.Outcome == policy.Refused {
		res = res.refuse(http.StatusForbidden, "Forbidden", d.Message())
	}
	patch, err := d.Additions.Patch()
	if err != nil {
		panic(err) // additions hold strings, numbers and structs of those
	}
	if patch != nil {
		res.Patch, res.PatchType = patch, "JSONPatch"
	}
	res.AuditAnnotations = auditAnnotations(&d)
	res.Warnings = warnings(&d)
	return res, &d
}

func (r response) refuse(code int, reason, message string) response {
	r.Allowed = false
	r.Status = &status{Code: code, Reason: reason, Message: message}
	return r
}

// auditAnnotations are for the API server's audit log, which prefixes each key
// with the name of the webhook.
func auditAnnotations(d *policy.Decision) map[string]string {
	if d.Kind == policy.OtherPod {
		return nil
	}
	annotations := map[string]string{"outcome": string(d.Outcome), "kind": string(d.Kind)}
	for _, t := range traces(d) {
		annotations[t.key] = strings.Join(t.lines, "\n")
	}
	return annotations
}

// trace is a list of lines that tell of a decision.
type trace struct {
	key   string
	lines []string
}

// traces are the decision's, without the empty ones.
func traces(d *policy.Decision) []trace {
	all := []trace{{"applied", d.Applied()}, {"reasons", texts(d.Refusals)}, {"notes", texts(d.Notes)}}
	return slices.DeleteFunc(all, func(t trace) bool { return len(t.lines) == 0 })
}

// warnings reach kubectl and the log of the runner's manager, not the job's.
func warnings(d *policy.Decision) []string {
	var told []policy.Problem
	for _, n := range d.Notes {
		if n.Severity == policy.Warning {
			told = append(told, n)
		}
	}
	if len(told) == 0 {
		return nil
	}
	return texts(told)
}

// maxTold bounds what one answer, log line or Event tells of: a broken policy
// can have as many problems as it has lines.
const maxTold = 20

func texts(problems []policy.Problem) []string {
	lines := make([]string, 0, min(len(problems), maxTold+1))
	for i, p := range problems {
		if i == maxTold {
			return append(lines, fmt.Sprintf("and %d more", len(problems)-maxTold))
		}
		lines = append(lines, p.String())
	}
	return lines
}

// record leaves a decision's trace in the metrics and the log.
func (h *Handler) record(ctx context.Context, req *request, d *policy.Decision, took time.Duration) {
	h.Metrics.decided(d, took)
	if h.Reporter != nil && d.Outcome == policy.Refused && !req.DryRun {
		h.Reporter.refused(req, d)
	}
	level := slog.LevelInfo
	if d.Kind == policy.OtherPod {
		level = slog.LevelDebug
	}
	attrs := []any{
		"uid", req.UID, "namespace", req.Namespace, "pod", req.Name, "user", req.User,
		"kind", d.Kind, "outcome", d.Outcome, "took", took,
	}
	for _, t := range traces(d) {
		attrs = append(attrs, t.key, t.lines)
	}
	if req.DryRun {
		attrs = append(attrs, "dryRun", true)
	}
	h.Log.Log(ctx, level, "decided", attrs...)
}
