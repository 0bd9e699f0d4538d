package migrate

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"quartermaster.dev/policy"
)

// bundle is what the policy of a runner will say, or that of all runners.
type bundle struct {
	runner *runner // nil for all
	inject policy.Inject
	items  []*item
}

// choose decides of every item whether it moves, and gives the bundles of those
// that do. An item moves only if the policy with it is one that lint finds
// clean; what lint remarks, it remarks about every policy that says the same.
func (c *Config) choose() []*bundle {
	all := &bundle{}
	bundles := []*bundle{all}
	for _, r := range c.runners {
		bundles = append(bundles, &bundle{runner: r})
	}
	if len(c.runners) == 1 {
		bundles = []*bundle{all}
	}
	pick := func(it *item) *bundle {
		i := slices.IndexFunc(bundles, func(b *bundle) bool { return b.runner == it.runner })
		return bundles[max(i, 0)]
	}
	for _, own := range []bool{true, false} {
		for _, it := range c.items {
			if (it.runner != nil) == own {
				c.keepBack(it)
				pick(it).take(it, bundles)
			}
		}
	}
	bundles = slices.DeleteFunc(bundles, func(b *bundle) bool { return len(b.items) == 0 })
	return c.tellApart(bundles)
}

// take adds an item to the bundle, or says why not.
func (b *bundle) take(it *item, bundles []*bundle) {
	if it.stays != "" {
		return
	}
	if disagree(b.inject, it.gives) || it.runner == nil && slices.ContainsFunc(bundles, func(o *bundle) bool { return disagree(o.inject, it.gives) }) {
		it.stay("say it in one place, and run migrate again", "runners.config says something else about it")
		return
	}
	with := merge(b.inject, it.gives)
	known := problems(b.inject)
	for _, p := range problems(with) {
		switch {
		case p.Severity == policy.Note || slices.Contains(known, p):
		case p.Severity == policy.Error:
			it.stay(p.Hint, "no policy may say it: %s: %s", p.Path, p.Message)
			return
		case strings.Contains(p.Message, "is covered by"):
			it.note = "which another toleration covers"
			b.items = append(b.items, it)
			it.gives = policy.Inject{}
			return
		default:
			it.look = fmt.Sprintf("lint remarks on %s: %s; %s", it.what, p.Message, p.Hint)
		}
	}
	b.inject = with
	b.items = append(b.items, it)
}

// problems are what lint has to say about an injection.
func problems(in policy.Inject) []policy.Problem {
	d := &document{match: &policy.Match{}, inject: in}
	return policy.Compile(policy.ConfigMap{Namespace: "check", Name: "check", Data: map[string]string{policy.BareKey: d.text()}}).Problems
}

// keepBack keeps what would not do the same in a policy because of what else
// the runner's configuration says.
func (c *Config) keepBack(it *item) {
	if it.node != nil && c.toml.partlyBlind(it.node) {
		it.stay("write the values themselves, and run migrate again", "a template decides about a part of it")
	}
	if it.node != nil && c.tokenBeside(it.node) {
		it.stay("take the comment out", "a comment beside it looks like a token, which is not for a policy")
	}
	if it.secret == nil || it.stays != "" {
		return
	}
	if list := it.runner.kube.child("pod_spec"); list != nil {
		for _, patch := range list.children {
			if mentions(patch.child("patch").text(), it.secret.Name) {
				it.stay("take both out, and write the Secret into the policy: its mode follows the pod, and only build sees it",
					"the pod_spec patch %q is about its volume", patch.child("name").text())
			}
		}
	}
	volumes := it.runner.kube.child("volumes")
	for _, list := range volumes.children {
		for _, other := range list.children {
			at := path.Clean("/" + other.child("mount_path").text())
			if other != it.node && collides(at, it.secret.MountPath, list.key) {
				it.stay("mount them beside each other, and run migrate again", "%s %q is mounted at %s, and a policy mounts beside other volumes only",
					list.key, other.child("name").text(), at)
			}
		}
	}
}

// collides tells whether a policy's mount would be refused beside another.
func collides(other, own, kind string) bool {
	readOnly := slices.Contains([]string{"secret", "config_map"}, strings.ToLower(kind))
	return other == own || strings.HasPrefix(other, own+"/") || readOnly && strings.HasPrefix(own, other+"/")
}

// mentions tells whether a text holds a name as a word.
func mentions(text, name string) bool {
	return name != "" && regexp.MustCompile(`(^|[^A-Za-z0-9.-])`+regexp.QuoteMeta(name)+`($|[^A-Za-z0-9.-])`).MatchString(text)
}

// tokenBeside tells whether a comment on a line of the node must not be copied.
func (c *Config) tokenBeside(n *tomlNode) bool {
	for _, text := range c.toml.comments(c.toml.linesOf(n)) {
		if secretLooking.MatchString(text) {
			return true
		}
	}
	return false
}

// tellApart joins bundles that say the same, and keeps back those of runners
// that no policy can tell apart.
func (c *Config) tellApart(bundles []*bundle) []*bundle {
	if len(c.runners) == 1 {
		return bundles
	}
	var own []*bundle
	for _, b := range bundles {
		if b.runner != nil {
			own = append(own, b)
		}
	}
	if len(own) == len(c.runners) && allSame(own) {
		joined := &bundle{inject: own[0].inject}
		for _, b := range own {
			joined.items = append(joined.items, b.items...)
		}
		if len(bundles) > len(own) {
			joined.inject = merge(joined.inject, bundles[0].inject)
			joined.items = append(joined.items, bundles[0].items...)
		}
		return []*bundle{joined}
	}
	return slices.DeleteFunc(bundles, func(b *bundle) bool {
		reason := ""
		switch {
		case b.runner == nil || c.alone(b.runner):
			return false
		case runnerLabel(b.runner.name) == "":
			reason = "its runner has no name, by which a policy could tell it from the others"
		case !c.unique(b.runner):
			reason = fmt.Sprintf("two runners are named %q, and no policy can tell them apart", b.runner.name)
		default:
			return false
		}
		for _, it := range b.items {
			it.stay("give each of the [[runners]] a name of its own, and run migrate again", "%s", reason)
		}
		return true
	})
}

func allSame(bundles []*bundle) bool {
	text := func(b *bundle) string { return (&document{match: &policy.Match{}, inject: b.inject}).text() }
	return !slices.ContainsFunc(bundles, func(b *bundle) bool {
		return text(b) != text(bundles[0]) || b.runner.namespace != bundles[0].runner.namespace
	})
}

// alone tells whether no other runner's jobs are in the runner's namespace.
func (c *Config) alone(r *runner) bool {
	return !slices.ContainsFunc(c.runners, func(o *runner) bool { return o != r && o.namespace == r.namespace })
}

// unique tells whether no other runner has the name, as a label shows it.
func (c *Config) unique(r *runner) bool {
	return !slices.ContainsFunc(c.runners, func(o *runner) bool { return o != r && runnerLabel(o.name) == runnerLabel(r.name) })
}

var unsafeInLabel = regexp.MustCompile(`[^A-Za-z0-9\-_.]`)

// runnerLabel is the runner's name as GitLab Runner writes it into a label.
func runnerLabel(name string) string {
	value := strings.Trim(unsafeInLabel.ReplaceAllString(name, "_"), "-_.")
	return strings.Trim(value[:min(len(value), 63)], "-_.")
}
