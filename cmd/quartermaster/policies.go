package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"quartermaster.dev/policy"
)

// policies is what files say about policies.
type policies struct {
	files []policyFile
}

// policyFile is one of the files.
type policyFile struct {
	file
	policy.Manifest
	// silent says that its problems are not asked for: it is there for what it
	// says about the others.
	silent bool
}

// origin is what manifests do not say themselves.
type origin struct {
	// namespace of ConfigMaps that name none.
	namespace string
	// system is the system namespace.
	system string
}

// readPolicies reads the manifests in files and folders.
func readPolicies(s streams, names []string, o origin) (*policies, error) {
	files, err := readAll(s, names)
	if err != nil {
		return nil, err
	}
	p := &policies{}
	for _, f := range files {
		m := o.read(f.name, f.data)
		if f.found && bytes.Contains(f.data, []byte("{{")) {
			pardonTemplates(m.Problems)
		}
		p.files = append(p.files, policyFile{file: f, Manifest: m})
	}
	p.findDuplicates()
	if ours, ignored := p.count(); ours == 0 {
		message := fmt.Sprintf("no policy in %s", strings.Join(names, ", "))
		if ignored > 0 {
			message += fmt.Sprintf(" (%s of other kinds)", plural(ignored, "manifest"))
		}
		return nil, inputErrorf(`a policy is a ConfigMap labelled `+policy.LabelPolicy+`: "true", or a document of apiVersion `+policy.APIVersion, "%s", message)
	}
	return p, nil
}

// read reads manifests, and tells the system namespace from the others.
func (o origin) read(name string, data []byte) policy.Manifest {
	m := policy.ReadManifest(name, o.namespace, data)
	for _, cms := range [][]policy.ConfigMap{m.ConfigMaps, m.Unlabelled} {
		for i := range cms {
			cms[i].System = cms[i].Namespace == o.system && o.system != ""
		}
	}
	return m
}

// pardonTemplates makes warnings of what is wrong with a template: it is in its
// place, and no YAML before it is rendered.
func pardonTemplates(problems []policy.Problem) {
	for i := range problems {
		if strings.HasPrefix(problems[i].Message, "is no YAML: ") {
			problems[i].Severity = policy.Warning
		}
	}
}

// count counts what is ours, and what is not.
func (p *policies) count() (ours, ignored int) {
	for _, f := range p.files {
		ours += len(f.all()) + len(f.Problems)
		ignored += f.Ignored
	}
	return ours, ignored
}

// inForce are the ConfigMaps of a file that say something.
func (f *policyFile) inForce() []policy.ConfigMap {
	if f.Bare == nil {
		return f.ConfigMaps
	}
	return append(slices.Clone(f.ConfigMaps), *f.Bare)
}

// all are the ConfigMaps of a file, in force or not.
func (f *policyFile) all() []policy.ConfigMap {
	return slices.Concat(f.inForce(), f.Unlabelled)
}

// findDuplicates warns of the second ConfigMap of a name: applied to the same
// cluster, it would replace the first.
func (p *policies) findDuplicates() {
	first := map[string]string{}
	for i := range p.files {
		f := &p.files[i]
		for _, cm := range f.ConfigMaps {
			name := strings.TrimPrefix(cm.Namespace+"/"+cm.Name, "/")
			if other, ok := first[name]; ok {
				f.Problems = append(f.Problems, policy.Problem{
					Severity: policy.Warning, Document: name, Message: isAlsoIn + other,
					Hint: "give each a name of its own, unless they are for clusters of their own: one would replace the other",
				})
				continue
			}
			first[name] = f.name
		}
	}
}

// isAlsoIn begins the message about a second ConfigMap of a name.
const isAlsoIn = "is also in "

// in are the sources of a namespace. A document without a ConfigMap has no
// namespace, and counts for any.
func (p *policies) in(namespace string) []*policy.Source {
	return p.sources(func(cm policy.ConfigMap) bool {
		return !cm.System && (cm.Namespace == namespace || cm.Namespace == "")
	})
}

// ofSystem are the sources of the system namespace.
func (p *policies) ofSystem() []*policy.Source {
	return p.sources(func(cm policy.ConfigMap) bool { return cm.System })
}

func (p *policies) sources(wanted func(policy.ConfigMap) bool) []*policy.Source {
	var sources []*policy.Source
	for _, f := range p.files {
		for _, cm := range f.inForce() {
			if wanted(cm) {
				sources = append(sources, policy.Compile(cm))
			}
		}
	}
	return sources
}

// namespaces are those for which there are policies.
func (p *policies) namespaces() []string {
	var names []string
	for _, f := range p.files {
		for _, cm := range f.ConfigMaps {
			names = append(names, cm.Namespace)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// plain takes the key of a ConfigMap out of the names of documents that stand
// in a file without one.
func (p *policies) plain(text string) string {
	for _, f := range p.files {
		if f.Bare != nil {
			text = strings.ReplaceAll(text, f.name+" "+policy.BareKey, f.name)
		}
	}
	return text
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
