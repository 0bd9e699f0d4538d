package migrate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// report says what became of everything.
func (r *Result) report(documents []*document, out *cut) {
	c := r.config
	for _, it := range c.items {
		if slices.Contains(r.moved, it) {
			r.say(Moved, it.line, "", "%s%s", c.whose(it.runner), it.moves())
		} else {
			r.say(Stayed, it.line, it.hint, "%s%s: %s: %s", c.whose(it.runner), it.path, it.what, it.stays)
		}
	}
	if out != nil && out.config {
		r.say(TakenOut, c.config.key.Line, "", "%s: nothing is left in it, and the chart's own default takes its place", c.path("runners", "config"))
	}
	said := r.stayedForGood()
	slices.SortStableFunc(r.Report, func(a, b Line) int { return cmp.Compare(a.At, b.At) })
	if keys := c.remaining(said); len(keys) > 0 {
		r.say(Stayed, 0, "", "as it was: %s", strings.Join(keys, ", "))
	}
	for _, it := range r.moved {
		if it.look != "" {
			r.say(LookAt, it.line, "", "%s", it.look)
		}
	}
	r.lookAtMatch(documents)
	if helperRequests(r.moved) {
		r.say(LookAt, 0, "", "the runner gave the helper's resources to init containers too, and a policy does not")
	}
	for _, f := range c.Audit() {
		idle := f.ID == runnerNameUnset && len(c.runners) == 1 // no policy of ours matches it then
		if !idle && (f.item == nil || !slices.Contains(r.moved, f.item)) {
			hint := f.Hint
			if f.item != nil {
				hint = "" // said where it stayed
			}
			r.say(LookAt, f.Line, hint, "%s: %s (%s)", f.Severity, f.Message, f.ID)
		}
	}
}

func (r *Result) say(kind string, at int, hint, format string, args ...any) {
	r.Report = append(r.Report, Line{kind, at, fmt.Sprintf(format, args...), hint})
}

// whose is the runner of which a line speaks, where there are several.
func (c *Config) whose(r *runner) string {
	if r == nil || len(c.runners) == 1 {
		return ""
	}
	if r.name != "" {
		return fmt.Sprintf("runner %q: ", r.name)
	}
	return fmt.Sprintf("the runner on line %d: ", c.tomlLine(r.toml.line))
}

// moves says what moved where.
func (it *item) moves() string {
	s := fmt.Sprintf("%s: %s to %s", it.path, it.what, it.to)
	if it.note != "" {
		s += ", " + it.note
	}
	return s
}

// managers are the values that are about the manager's own pod.
var managers = []string{"nodeSelector", "tolerations", "affinity", "volumes", "volumeMounts", "resources"}

// stayedForGood says of what could be mistaken for the jobs' why it stays. It
// returns the paths that it spoke of.
func (r *Result) stayedForGood() []string {
	c := r.config
	var said []string
	for _, key := range managers {
		if e := get(c.values, key); e.value != nil && len(e.value.Content) > 0 {
			r.say(Stayed, e.key.Line, "", "%s: about the manager's pod, not the jobs'", c.path(key))
			said = append(said, c.path(key))
		}
	}
	if e := get(c.values, "runners", "serviceAccountName"); e.key != nil {
		r.say(Stayed, e.key.Line, "", "%s: only the runner can set the account of a job", c.path("runners", "serviceAccountName"))
		said = append(said, c.path("runners", "serviceAccountName"))
	}
	for _, run := range c.runners {
		for _, k := range []struct{ key, why string }{
			{"service_account", "only the runner can set the account of a job"},
			{"pod_spec", "the runner applies it before the policy is asked"},
			{"affinity", "policies select nodes by label only"},
		} {
			if n := run.kube.child(k.key); n != nil {
				r.say(Stayed, c.tomlLine(firstLine(n)), "", "%srunners.kubernetes.%s: %s", c.whose(run), k.key, k.why)
				said = append(said, "runners.kubernetes."+k.key)
			}
		}
		if volumes := run.kube.child("volumes"); volumes != nil {
			for _, list := range volumes.children {
				if list.key != "secret" {
					r.say(Stayed, c.tomlLine(firstLine(list)), "", "%srunners.kubernetes.volumes.%s: policies hand out Secrets only", c.whose(run), list.key)
				}
			}
		}
	}
	r.stayedBlind()
	return said
}

// stayedBlind says which lines and runners have not been read.
func (r *Result) stayedBlind() {
	c := r.config
	if c.toml == nil {
		return
	}
	lines := c.toml.lines()
	for _, run := range c.toml.blind.runs() {
		if run[0] == run[1] && strings.HasPrefix(strings.TrimSpace(lines[run[0]-1]), "{{/*") {
			continue // a comment
		}
		r.say(Stayed, c.tomlLine(run[0]), "see whether a policy should say it", "%s: a template decides about it", lineRange(c.tomlLine(run[0]), c.tomlLine(run[1])))
	}
	for _, n := range c.toml.root.child("runners").children {
		if !slices.ContainsFunc(c.runners, func(run *runner) bool { return run.toml == n }) {
			r.say(Stayed, c.tomlLine(n.line), "", "the runner %q: its executor is not kubernetes", n.child("name").text())
		}
	}
}

func lineRange(from, to int) string {
	if from == to {
		return fmt.Sprintf("line %d", from)
	}
	return fmt.Sprintf("lines %d to %d", from, to)
}

func firstLine(n *tomlNode) int {
	for _, run := range n.lines().runs() {
		return run[0]
	}
	return max(n.line, 1)
}

// remaining are the keys that nothing has been said about.
func (c *Config) remaining(said []string) []string {
	keys := []string{}
	gone := func(path string) bool {
		return slices.Contains(said, path) || slices.ContainsFunc(c.items, func(it *item) bool {
			return it.path == path || strings.HasPrefix(it.path, path+".")
		})
	}
	add := func(path string) {
		if !gone(path) && !slices.Contains(keys, path) {
			keys = append(keys, path)
		}
	}
	for _, e := range entries(c.values) {
		if e.key.Value != "runners" {
			add(c.path(e.key.Value))
			continue
		}
		for _, below := range entries(e.value) {
			path := c.path("runners", below.key.Value)
			switch {
			case below.key.Value == "config" && c.toml != nil:
			case slices.Contains([]string{"builds", "services", "helpers"}, below.key.Value) && gone(path):
				for _, rest := range entries(below.value) {
					add(path + "." + rest.key.Value)
				}
			default:
				add(path)
			}
		}
	}
	if c.toml != nil {
		for _, n := range c.toml.root.children {
			if n.key != "runners" {
				add(n.key)
			}
		}
	}
	for _, r := range c.runners {
		for _, n := range children(r.toml) {
			if n != r.kube {
				add("runners." + n.key)
			}
		}
		for _, n := range children(r.kube) {
			if n.key != "volumes" {
				add("runners.kubernetes." + n.key)
			}
		}
	}
	return keys
}

func children(n *tomlNode) []*tomlNode {
	if n == nil {
		return nil
	}
	return n.children
}

// lookAtMatch says what the policies' match rests on.
func (r *Result) lookAtMatch(documents []*document) {
	if len(documents) == 0 {
		return
	}
	by, first := r.creator, documents[0]
	if by == nil {
		r.say(LookAt, 0, "name the account with --account, and the policy asks for it instead",
			"the policy matches the runner's name (GitLab Runner 17.9 and later), since nothing tells which service account creates the job pods")
		return
	}
	where := firstText(by.namespace, first.namespace)
	if by.assumed {
		r.say(LookAt, 0, "say --release NAME, as `helm list` shows it, or --account NAME; with another account the policy matches no pod",
			"the values do not tell which service account creates the job pods; it is taken to be %q, as for a release of that name", by.name)
	}
	if by.derived {
		r.say(LookAt, 0, fmt.Sprintf("see that `kubectl get serviceaccount %s -n %s` knows it; otherwise say --account", by.name, where),
			"the policy matches pods created by the service account %q, as the chart names it for the release %q", by.name, r.config.opts.Release)
	}
	if by.namespace == "" {
		r.say(LookAt, 0, "if it runs elsewhere, say where with --namespace", "the manager is taken to run in the namespace of its jobs, %q", first.namespace)
	} else if by.namespace != first.namespace {
		r.say(LookAt, 0, "", "the jobs run in namespace %q, so the policy goes there; the manager in %q creates them", first.namespace, by.namespace)
	}
}

func helperRequests(items []*item) bool {
	return slices.ContainsFunc(items, func(it *item) bool {
		return it.effective && it.gives.Resources != nil && it.gives.Resources.Helper != nil
	})
}
