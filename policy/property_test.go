package policy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"quartermaster.dev/policy"
)

// request is the world's pod as a decision takes it.
func (w *world) request(t *testing.T, object []byte) policy.Request {
	t.Helper()
	pod, err := policy.DecodePod(object)
	if err != nil {
		t.Fatalf("%v: %s", err, object)
	}
	return policy.Request{Namespace: w.namespace, User: w.user, Groups: w.groups, Pod: pod}
}

// checkDecision decides on the world and fails the test where the decision
// lacks one of the properties that every decision has.
func checkDecision(t *testing.T, w *world) policy.Decision {
	t.Helper()
	order := make([]int, len(w.configMaps))
	for i := range order {
		order[i] = i
	}
	req, set := w.request(t, w.object), w.set(order)
	d := policy.Decide(req, set)
	if diff := cmp.Diff(w.request(t, w.object), req); diff != "" {
		t.Errorf("Decide modified its input:\n%s", diff)
	}
	again := policy.Decide(req, set)
	slices.Reverse(order)
	shuffled := policy.Decide(w.request(t, w.object), w.set(order))
	for what, other := range map[string]policy.Decision{"decided again": again, "with ConfigMaps in another order": shuffled} {
		if diff := cmp.Diff(told(t, &d), told(t, &other)); diff != "" {
			t.Errorf("%s it is another decision:\n%s", what, diff)
		}
	}
	checkOutcome(t, &d)
	if d.Outcome != policy.Refused {
		after := apply(t, w.object, d.Additions)
		checkAdditions(t, w, &d, after)
		second := policy.Decide(w.request(t, after), set)
		if second.Outcome != d.Outcome || len(second.Additions) > 0 {
			t.Errorf("decided on what came out, %s becomes %s and adds %v: %s", d.Outcome, second.Outcome, second.Additions, second.Message())
		}
	}
	return d
}

// told is all that a decision tells, in its order.
func told(t *testing.T, d *policy.Decision) string {
	t.Helper()
	patch, err := d.Additions.Patch()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s %s\n%s\n%s\n%v\n%q\n%q\n%+v\n%v", d.Kind, d.Outcome, d.Message(), patch, d.WouldAdd, d.Notes, d.Refusals, d.Verdicts, d.Applied())
}

// checkOutcome holds the parts of a decision against each other: all or
// nothing, and nothing against a pod that must be created.
func checkOutcome(t *testing.T, d *policy.Decision) {
	t.Helper()
	refused := d.Outcome == policy.Refused
	if refused != (d.Message() != "") || refused != (len(d.Refusals) > 0) {
		t.Errorf("%s, and the message is %q", d.Outcome, d.Message())
	}
	if d.Outcome != policy.Equipped && (len(d.Additions) > 0 || len(d.Applied()) > 0) {
		t.Errorf("%s, and %d additions of %v", d.Outcome, len(d.Additions), d.Applied())
	}
	if refused && (d.Kind == policy.BootVerifyPod || d.Kind == policy.PausePod) {
		t.Errorf("a %s pod is refused: %s", d.Kind, d.Message())
	}
	if d.Kind == policy.OtherPod && (d.Outcome != policy.Untouched || len(d.Notes)+len(d.Verdicts) > 0) {
		t.Errorf("a pod that is none of ours is %s: %+v", d.Outcome, d)
	}
	if d.Outcome == policy.Audited && !slices.ContainsFunc(d.Verdicts, func(v policy.Verdict) bool { return v.Audit && v.Matched() }) {
		t.Error("audited, and no policy in mode Audit matched")
	}
}

// checkAdditions holds the pod that came out against the one that went in.
func checkAdditions(t *testing.T, w *world, d *policy.Decision, after []byte) {
	t.Helper()
	var was, is any
	for data, into := range map[*any][]byte{&was: w.object, &is: after} {
		dec := json.NewDecoder(bytes.NewReader(into))
		dec.UseNumber()
		if err := dec.Decode(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := holds(is, was, ""); err != nil {
		t.Errorf("%v\nbefore %s\nafter %s", err, w.object, after)
	}
	before, now := w.request(t, w.object).Pod, w.request(t, after).Pod
	if diff := cmp.Diff(before.Spec.InitContainers, now.Spec.InitContainers); diff != "" {
		t.Errorf("init containers changed:\n%s", diff)
	}
	for i, c := range now.Spec.Containers {
		have := before.Spec.Containers[i]
		alone := c.Name == "build" && d.Kind != policy.DuplicateBuildPod
		if !alone && !bytes.Equal(c.Env, have.Env) {
			t.Errorf("container %s was given variables", c.Name)
		}
		if !alone && (c.Name != "helper" || d.Kind == policy.StepsPod) && !cmp.Equal(c.VolumeMounts, have.VolumeMounts) {
			t.Errorf("container %s was given a mount", c.Name)
		}
	}
	stamp := now.Metadata.Annotations[policy.AnnotationApplied]
	if d.Outcome == policy.Equipped && stamp != strings.Join(d.Applied(), ",") {
		t.Errorf("the stamp is %q, and %q applied", stamp, d.Applied())
	}
}

// holds tells whether a value holds all of another, list items in their place.
// Null may become something.
func holds(after, before any, at string) error {
	switch before := before.(type) {
	case nil:
		return nil
	case map[string]any:
		have, ok := after.(map[string]any)
		for key, value := range before {
			if _, there := have[key]; !ok || !there {
				return fmt.Errorf("%s/%s is lost", at, key)
			}
			if err := holds(have[key], value, at+"/"+key); err != nil {
				return err
			}
		}
	case []any:
		have, _ := after.([]any)
		if len(have) < len(before) {
			return fmt.Errorf("%s lost an item", at)
		}
		for i := range before {
			if err := holds(have[i], before[i], fmt.Sprintf("%s/%d", at, i)); err != nil {
				return err
			}
		}
	default:
		if after != before {
			return fmt.Errorf("%s was %v and is %v", at, before, after)
		}
	}
	return nil
}

// retryTriggers are the texts on which GitLab Runner tries to create a pod
// again, or takes the failure for the script's: facts that must not be derived
// from the code that is tested.
var retryTriggers = []string{
	"error dialing backend", "TLS handshake timeout", "read: connection timed out", "connect: connection timed out",
	"Timeout occurred", "etcdserver: request timed out", "http2: client connection lost", "connection refused",
	"tls: internal error", "unexpected EOF", "connection reset by peer", "software caused connection abort", "broken pipe",
	"exit status",
}

// nastyWords make worlds whose names, paths and values hold what a refusal must
// not.
func nastyWords() words {
	w := plainWords
	w.free = slices.Concat([]string{"x"}, retryTriggers, []string{"a\nb", "a\x1b[2Jb", "\u202e", "\xff"})
	w.names = slices.Concat(w.names, w.free)
	w.values = slices.Concat(w.values, w.free)
	w.envNames = slices.Concat(w.envNames, w.free)
	w.secretNames = slices.Concat(w.secretNames, retryTriggers)
	for _, f := range w.free {
		w.paths = append(w.paths, "/srv/"+f)
		w.relative = append(w.relative, f)
	}
	return w
}

// checkTexts fails the test where a text that a decision leaves anywhere tells
// the value of a variable, or a refusal makes the runner try again.
func checkTexts(t *testing.T, d *policy.Decision) {
	t.Helper()
	message := d.Message()
	for _, trigger := range retryTriggers {
		if strings.Contains(message, trigger) {
			t.Errorf("a refusal holds %q: %s", trigger, message)
		}
	}
	if n := strings.Count(message, "\n"); d.Outcome == policy.Refused && n+1 > len(d.Refusals) {
		t.Errorf("a refusal for %d reasons has %d lines: %q", len(d.Refusals), n+1, message)
	}
	var b strings.Builder
	fmt.Fprintln(&b, message, d.Additions, d.WouldAdd, d.Notes, d.Refusals, d.Applied())
	for _, v := range d.Verdicts {
		fmt.Fprintln(&b, v.Policy, v.Source, v.Mismatches)
	}
	if text := b.String(); strings.Contains(text, "hunter2") {
		t.Errorf("a value is told: %s", text)
	}
}
