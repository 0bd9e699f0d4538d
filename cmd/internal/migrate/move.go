package migrate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"quartermaster.dev/policy"
)

// Result is what comes out of a migration.
type Result struct {
	// Policy is the manifest of the policies, or empty where nothing moves.
	Policy string
	// Rest is what is left of the file.
	Rest string
	// Report says what moved, what stayed and what to look at.
	Report []Line

	config *Config
	moved  []*item
	// creator is who the policies say creates job pods.
	creator *creator
}

// Line is one line of a report.
type Line struct {
	// Kind is [Moved], [TakenOut], [Stayed] or [LookAt].
	Kind string
	// At is the line of the file, or 0.
	At int
	// Text says what is so, and Hint what to do.
	Text, Hint string
}

// The kinds of a [Line].
const (
	Moved    = "moved"
	TakenOut = "taken out"
	Stayed   = "stayed"
	LookAt   = "look at"
)

// NeedError is about something that neither the file nor the options say.
type NeedError struct{ Message, Hint string }

// Error is the message.
func (e *NeedError) Error() string { return e.Message }

// Migrate moves what policies can hold.
func (c *Config) Migrate() (*Result, error) {
	r := &Result{config: c, Rest: string(c.in.Data), creator: c.findCreator()}
	bundles := c.choose()
	for _, b := range bundles {
		r.moved = append(r.moved, b.items...)
	}
	slices.SortStableFunc(r.moved, func(a, b *item) int { return cmp.Compare(a.line, b.line) })
	if len(r.moved) == 0 {
		r.report(nil, nil)
		return r, nil
	}
	documents, err := c.documents(bundles, r.creator)
	if err != nil {
		return nil, err
	}
	rest, out := c.takeOut(r.moved)
	r.Rest = rest
	if err := c.check(rest); err != nil {
		return nil, err
	}
	var namespaces []string
	texts := map[string][]string{}
	for _, d := range documents {
		if texts[d.namespace] == nil {
			namespaces = append(namespaces, d.namespace)
		}
		texts[d.namespace] = append(texts[d.namespace], d.text())
	}
	var manifests []string
	for _, ns := range namespaces {
		manifests = append(manifests, configMap(ns, c.opts.Name, texts[ns]))
	}
	r.Policy = strings.Join(manifests, "---\n")
	if err := lint(r.Policy); err != nil {
		return nil, err
	}
	r.report(documents, out)
	return r, nil
}

// documents are the policies to write.
func (c *Config) documents(bundles []*bundle, by *creator) ([]*document, error) {
	var documents []*document
	for _, b := range bundles {
		for _, ns := range c.namespaces(b) {
			if ns == "" {
				return nil, &NeedError{"the file does not tell in which namespace the jobs run", "say which with --namespace"}
			}
			match, err := c.match(b, by, ns)
			if err != nil {
				return nil, err
			}
			d := &document{namespace: ns, match: match, inject: b.inject, items: b.items}
			if len(bundles) > 1 {
				d.name = nameFor(b, documents)
			}
			documents = append(documents, d)
		}
	}
	return documents, nil
}

// namespaces are those in which the runners of a bundle run their jobs.
func (c *Config) namespaces(b *bundle) []string {
	var all []string
	for _, r := range c.runners {
		if (b.runner == nil || b.runner == r) && !slices.Contains(all, r.namespace) {
			all = append(all, r.namespace)
		}
	}
	return all
}

// match says which pods a bundle is for: by who created them, and by the
// runner's name where another runner's pods have the same creator.
func (c *Config) match(b *bundle, by *creator, namespace string) (*policy.Match, error) {
	m := &policy.Match{}
	if b.runner != nil && !c.alone(b.runner) {
		m.RunnerNames = []string{b.runner.name}
	}
	if by != nil {
		s := policy.Subject{Kind: "ServiceAccount", Name: by.name}
		if by.namespace != namespace {
			s.Namespace = by.namespace
		}
		m.CreatedBy = []policy.Subject{s}
		return m, nil
	}
	m.RunnerNames = nil
	for _, r := range c.runners {
		if b.runner != nil && b.runner != r || r.namespace != namespace {
			continue
		}
		if runnerLabel(r.name) == "" {
			return nil, c.needCreator()
		}
		m.RunnerNames = append(m.RunnerNames, r.name)
	}
	return m, nil
}

// needCreator asks for what tells who creates the pods: without it a policy
// would hand its credentials to the jobs of any runner in the namespace.
func (c *Config) needCreator() error {
	return &NeedError{"a config.toml does not tell which service account creates the job pods, and its runner has no name to match",
		"say which with --account; `kubectl get pod MANAGER -o jsonpath={.spec.serviceAccountName}` shows it"}
}

// nameFor makes a name for the document of a bundle.
func nameFor(b *bundle, others []*document) string {
	name := "all-runners"
	if b.runner != nil {
		name = strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
				return r
			}
			return '-'
		}, strings.ToLower(b.runner.name))
		name = firstText(strings.Trim(name[:min(len(name), 60)], "-"), "runner")
	}
	unique := name
	for n := 2; slices.ContainsFunc(others, func(d *document) bool { return d.name == unique }); n++ {
		unique = fmt.Sprintf("%s-%d", name, n)
	}
	return unique
}

// lint holds the manifest against the rules of the webhook that will check it.
func lint(manifest string) error {
	m := policy.ReadManifest("policy.yaml", "", []byte(manifest))
	found := m.Problems
	for _, cm := range m.ConfigMaps {
		found = append(found, policy.Compile(cm).Problems...)
	}
	for _, p := range found {
		if p.Severity == policy.Error {
			return &NeedError{fmt.Sprintf("the policy would be broken: %s", p), ""}
		}
	}
	return nil
}
