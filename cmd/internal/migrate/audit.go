package migrate

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"quartermaster.dev/policy"
)

// Finding is something unwise about a runner's configuration.
type Finding struct {
	// ID is the same in every version: what to name where a finding is accepted.
	ID       string
	Severity policy.Severity
	// Line of the file, and the path there.
	Line int
	Path string
	// Message says what is so and why that is unwise, Hint what to do.
	Message, Hint string

	// item that the finding is about: once it has moved, nothing is found.
	item *item
}

// audits are all that is looked for, in the order of the reference. Those about
// a runner are asked for each.
var audits = []func(c *Config, r *runner) []Finding{
	auditOverwrites,
	auditIdentityOverwrites,
	auditVariablesInPaths,
	auditJobAccount,
	auditPrivileged,
	auditNamespacePerJob,
	auditRunnerName,
	auditFeatureFlags,
	auditUnknownKeys,
	auditSecretVolumes,
	auditRetryLimits,
}

// Audit is what is unwise about the configuration, in the order of the file.
func (c *Config) Audit() []Finding {
	var found []Finding
	for _, r := range c.runners {
		for _, audit := range audits {
			for _, f := range audit(c, r) {
				f.Message = c.whose(r) + f.Message
				found = append(found, f)
			}
		}
	}
	found = append(found, c.auditLegacy()...)
	found = append(found, c.auditTokens()...)
	slices.SortStableFunc(found, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
	return found
}

// at begins a finding about a key of [runners.kubernetes].
func (c *Config) at(n *tomlNode, path, id string, s policy.Severity) Finding {
	line := 0
	if n != nil {
		line = c.tomlLine(firstLine(n))
	}
	return Finding{ID: id, Severity: s, Line: line, Path: path}
}

// onRunner begins a finding about a runner as a whole.
func (c *Config) onRunner(r *runner, id string, s policy.Severity) Finding {
	switch {
	case r.kube != nil:
		return c.at(r.kube, "runners.kubernetes", id, s)
	case r.toml != nil:
		return c.at(r.toml, "runners", id, s)
	default:
		f := Finding{ID: id, Severity: s, Path: c.path("runners")}
		if e := get(c.values, "runners"); e.key != nil {
			f.Line = e.key.Line
		}
		return f
	}
}

// auditOverwrites finds what jobs may overwrite by a regular expression that
// matches anywhere in the value.
func auditOverwrites(c *Config, r *runner) []Finding {
	var found []Finding
	for _, what := range []string{"namespace", "service_account", "pod_labels", "pod_annotations", "node_selector", "node_tolerations"} {
		key := what + "_overwrite_allowed"
		n := r.kube.child(key)
		text := n.text()
		if text == "" || anchored(text) {
			continue
		}
		f := c.at(n, "runners.kubernetes."+key, "overwrite-unanchored", policy.Warning)
		f.Message = fmt.Sprintf("%s is %q, which the runner looks for anywhere in the value: a longer value passes too", key, text)
		f.Hint = "write it as ^(…)$, or take it out"
		found = append(found, f)
	}
	return found
}

// group is what an alternative inside of is none of the whole expression.
var group = regexp.MustCompile(`\([^()]*\)|\[[^\]]*\]|\\.`)

func anchored(text string) bool {
	begins := strings.HasPrefix(text, "^") || strings.HasPrefix(text, `\A`)
	ends := strings.HasSuffix(text, "$") && !strings.HasSuffix(text, `\$`) || strings.HasSuffix(text, `\z`)
	for group.MatchString(text) {
		text = group.ReplaceAllString(text, "")
	}
	return begins && ends && !strings.Contains(text, "|")
}

// overwrite is something that a job may be allowed to set itself.
type overwrite struct {
	key, id  string
	severity policy.Severity
	why      string
}

var overwrites = []overwrite{
	{"bearer_token_overwrite_allowed", "overwrite-bearer-token", policy.Error,
		"a job may bring a token of its own, and its pod is then created by whoever that token is"},
	{"namespace_overwrite_allowed", "overwrite-namespace", policy.Warning,
		"a job may choose its namespace, and with it the policies and Secrets of another team"},
	{"service_account_overwrite_allowed", "overwrite-service-account", policy.Warning,
		"a job may choose its service account, the manager's among them if the expression lets it"},
	{"pod_annotations_overwrite_allowed", "overwrite-annotations", policy.Warning,
		"a job may set annotations, those of GitLab Runner itself included: its project, branch and URL can be forged"},
	{"pod_labels_overwrite_allowed", "overwrite-labels", policy.Warning,
		"a job may set labels, by which policies, network policies and Services select it"},
	{"node_selector_overwrite_allowed", "overwrite-node-selector", policy.Note,
		"a job may choose its nodes; where it contradicts a policy, it is refused"},
	{"node_tolerations_overwrite_allowed", "overwrite-tolerations", policy.Note,
		"a job may tolerate taints, all of them with an empty key"},
}

// auditIdentityOverwrites finds what jobs may set themselves.
func auditIdentityOverwrites(c *Config, r *runner) []Finding {
	var found []Finding
	for _, o := range overwrites {
		n := r.kube.child(o.key)
		if text := n.text(); text == "" || text == "false" {
			continue
		}
		f := c.at(n, "runners.kubernetes."+o.key, o.id, o.severity)
		f.Message, f.Hint = o.key+" is set: "+o.why, "take it out, unless jobs need it"
		found = append(found, f)
	}
	return found
}

// auditVariablesInPaths finds mounts whose path a job can choose.
func auditVariablesInPaths(c *Config, r *runner) []Finding {
	var found []Finding
	for _, list := range children(r.kube.child("volumes")) {
		for _, n := range list.children {
			for _, key := range []string{"mount_path", "sub_path"} {
				if text := n.child(key).text(); strings.Contains(text, "$") {
					f := c.at(n.child(key), "runners.kubernetes.volumes."+list.key+"."+key, "variable-in-path", policy.Warning)
					f.Message = fmt.Sprintf("the %s %q is expanded with the job's variables, which .gitlab-ci.yml can set, those of GitLab included", key, text)
					f.Hint = "write the path itself, and use a runner or policy for each project"
					found = append(found, f)
				}
			}
		}
	}
	return found
}

// auditJobAccount finds jobs that run as the manager.
func auditJobAccount(c *Config, r *runner) []Finding {
	by := c.findCreator()
	if by == nil || firstText(r.account, "default") != by.name || by.namespace != "" && r.namespace != "" && by.namespace != r.namespace {
		return nil
	}
	f := c.onRunner(r, "job-account-is-managers", policy.Error)
	if n := r.kube.child("service_account"); n != nil {
		f = c.at(n, "runners.kubernetes.service_account", f.ID, f.Severity)
	}
	f.Message = fmt.Sprintf("jobs run as %q, the account of the manager: they can create pods in its name, and are refused every credential", by.name)
	f.Hint = `give jobs an account of their own, as service_account = "ci-job"`
	return []Finding{f}
}

// auditPrivileged finds containers that own their node.
func auditPrivileged(c *Config, r *runner) []Finding {
	var found []Finding
	for _, path := range [][]string{
		{"privileged"}, {"build_container_security_context", "privileged"},
		{"helper_container_security_context", "privileged"}, {"service_container_security_context", "privileged"},
	} {
		if n := r.kube.at(path...); n.text() == "true" {
			f := c.at(n, "runners.kubernetes."+strings.Join(path, "."), "privileged", policy.Warning)
			f.Message = "privileged containers own their node, and with it the Secrets of every pod there"
			f.Hint = "take it out; to build images use buildah, kaniko or BuildKit without root, or nodes for such jobs alone"
			found = append(found, f)
		}
	}
	if e := get(c.values, "runners", "privileged"); e.isTrue() && !c.ignoresLegacy {
		f := Finding{ID: "privileged", Severity: policy.Warning, Line: e.key.Line, Path: c.path("runners", "privileged")}
		f.Message = "privileged containers own their node, and with it the Secrets of every pod there"
		f.Hint = "write false, or use nodes for such jobs alone"
		found = append(found, f)
	}
	return found
}
