package migrate

import (
	"fmt"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"quartermaster.dev/policy"
)

// JobPod is a job pod to prove a migration on.
type JobPod struct {
	// Object is the pod, as JSON.
	Object []byte
	// Namespace it is created in.
	Namespace string
	// User who creates it with Groups, or empty for whom the policy names.
	User   string
	Groups []string
	// JobLabel marks job pods, or is empty for the default.
	JobLabel string
}

// Proof is what a migration changes about a pod.
type Proof struct {
	// Difference from the pod under the old configuration to the one under the
	// new one and the policy, a line each.
	Difference []string
	// Notes are what the decision remarks, and what the comparison leaves out.
	Notes []string
	// Refusal is why the pod would be refused, or empty.
	Refusal string
	// Unmatched are the conditions that the pod does not meet, where no policy
	// is for it.
	Unmatched []string
}

// Verify renders a job pod as the runner made it under the old configuration,
// and as it comes out under what is left of it and the policy, and compares.
func (r *Result) Verify(job JobPod) (*Proof, error) {
	before, base, err := r.underOld(job)
	if err != nil {
		return nil, err
	}
	decoded, err := policy.DecodePod(base)
	if err != nil {
		return nil, err
	}
	set, err := r.set(job.Namespace)
	if err != nil {
		return nil, err
	}
	if job.User == "" && r.creator != nil {
		job.User = accountPrefix + firstText(r.creator.namespace, job.Namespace) + ":" + r.creator.name
	}
	d := policy.Decide(policy.Request{Namespace: job.Namespace, User: job.User, Groups: job.Groups, JobLabel: job.JobLabel, Pod: decoded}, set)
	proof := &Proof{Refusal: refusal(&d)}
	for _, n := range d.Notes {
		proof.Notes = append(proof.Notes, n.String())
	}
	if d.Outcome == policy.Untouched {
		proof.Unmatched = unmatched(&d)
	}
	if d.Outcome != policy.Equipped {
		return proof, nil
	}
	after, err := patched(base, d.Additions)
	if err != nil {
		return nil, err
	}
	proof.Difference, err = compare(before, after)
	proof.Notes = append(proof.Notes, r.narrowed()...)
	return proof, err
}

// underOld is the pod under the old configuration, and under the new one before
// any policy is asked.
func (r *Result) underOld(job JobPod) (before, base []byte, err error) {
	p, err := decodePod(job.Object)
	if err != nil {
		return nil, nil, err
	}
	items, err := r.itemsOf(p)
	if err != nil {
		return nil, nil, err
	}
	for _, it := range items {
		p.strip(it)
	}
	base = p.encode()
	for _, it := range items {
		if it.effective {
			p.give(it)
		}
	}
	return p.encode(), base, nil
}

// itemsOf are the items that moved and are for the runner that made the pod.
func (r *Result) itemsOf(p *pod) ([]*item, error) {
	c := r.config
	name := text(object(object(p.tree["metadata"])["labels"])["manager.runner.gitlab.com/name"])
	var of *runner
	var names []string
	for _, run := range c.runners {
		names = append(names, fmt.Sprintf("%q", run.name))
		if len(c.runners) == 1 || runnerLabel(run.name) == name && name != "" {
			of = run
		}
	}
	if of == nil {
		return nil, &NeedError{fmt.Sprintf("the pod is of runner %q, and the file knows %s", name, strings.Join(names, " and ")), "give a pod of one of these"}
	}
	var items []*item
	for _, it := range r.moved {
		if it.runner == nil || it.runner == of {
			items = append(items, it)
		}
	}
	return items, nil
}

// set is what is in force in a namespace once the policy is applied.
func (r *Result) set(namespace string) (*policy.Set, error) {
	var sources []*policy.Source
	var namespaces []string
	for _, cm := range policy.ReadManifest("policy.yaml", "", []byte(r.Policy)).ConfigMaps {
		namespaces = append(namespaces, cm.Namespace)
		if cm.Namespace == namespace {
			sources = append(sources, policy.Compile(cm))
		}
	}
	if len(sources) == 0 && len(namespaces) > 0 {
		return nil, &NeedError{fmt.Sprintf("the pod is in namespace %q, and the policy is for %s", namespace, strings.Join(namespaces, " and ")), "give a pod of that namespace"}
	}
	return policy.NewSet(namespace, nil, sources...), nil
}

func refusal(d *policy.Decision) string {
	if d.Outcome != policy.Refused {
		return ""
	}
	return d.Message()
}

func unmatched(d *policy.Decision) []string {
	var why []string
	for _, v := range d.Verdicts {
		for _, m := range v.Mismatches {
			why = append(why, v.Policy+" does not match: "+m.String())
		}
	}
	if d.Kind == policy.OtherPod {
		why = append(why, "it is no job pod of GitLab Runner's")
	}
	return why
}

func patched(object []byte, additions policy.Additions) ([]byte, error) {
	operations, err := additions.Patch()
	if err != nil || operations == nil {
		return object, err
	}
	patch, err := jsonpatch.DecodePatch(operations)
	if err != nil {
		return nil, err
	}
	return patch.Apply(object)
}

func compare(before, after []byte) ([]string, error) {
	old, err := newView(before)
	if err != nil {
		return nil, err
	}
	now, err := newView(after)
	if err != nil {
		return nil, err
	}
	return old.difference(now), nil
}

// narrowed says of which Secrets a preset shows less than all keys.
func (r *Result) narrowed() []string {
	var notes []string
	for _, it := range r.moved {
		if it.secret != nil && it.secret.Items == nil && it.secret.SubPath == "" && it.gives.Secrets[0].Preset != "" {
			notes = append(notes, fmt.Sprintf("the runner showed all keys of Secret %q; the preset %s shows the well-known ones",
				it.secret.Name, it.gives.Secrets[0].Preset))
		}
	}
	return notes
}
