package main

import (
	"slices"
	"strings"

	"quartermaster.dev/policy"
)

// conflicts are, by index of the file, the policies that refuse every job which
// another of their namespace, or a cluster-wide one, matches too.
func (p *policies) conflicts(system *policy.System) map[int][]policy.Problem {
	found := map[int][]policy.Problem{}
	for _, g := range p.neighbours() {
		for _, problem := range policy.NewSet(g.namespace, system, g.sources...).Conflicts(nil) {
			i := p.fileOf(problem.Document, g.file)
			if i >= 0 && !slices.Contains(found[i], problem) {
				found[i] = append(found[i], problem)
			}
		}
	}
	return found
}

// neighbours are sources that are in force together.
type neighbours struct {
	namespace string
	// file that they are all of, or -1.
	file    int
	sources []*policy.Source
}

// neighbours are the sources of each namespace. Those that name no namespace
// are held against those of their own file: files may be for several.
func (p *policies) neighbours() []neighbours {
	var groups []neighbours
	seen := map[string]bool{}
	for i, f := range p.files {
		for _, cm := range f.inForce() {
			name, file := cm.Namespace+"/"+cm.Name, -1
			if cm.Namespace == "" {
				file = i
			} else if seen[name] {
				continue // one of them would replace the other
			}
			seen[name] = true
			at := slices.IndexFunc(groups, func(g neighbours) bool { return g.namespace == cm.Namespace && g.file == file })
			if at < 0 {
				at = len(groups)
				groups = append(groups, neighbours{namespace: cm.Namespace, file: file})
			}
			source := policy.Compile(cm)
			if !cm.System {
				groups[at].sources = append(groups[at].sources, source)
			}
			for _, namespace := range source.Namespaces() { // of a cluster-wide policy
				if !slices.ContainsFunc(groups, func(g neighbours) bool { return g.namespace == namespace && g.file < 0 }) {
					groups = append(groups, neighbours{namespace: namespace, file: -1})
				}
			}
		}
	}
	return groups
}

// fileOf is the index of the file that holds a document, among all or, if that
// is not negative, the one given.
func (p *policies) fileOf(document string, only int) int {
	return slices.IndexFunc(p.files, func(f policyFile) bool {
		return (only < 0 || f.name == p.files[only].name) && slices.ContainsFunc(f.inForce(), func(cm policy.ConfigMap) bool {
			return strings.HasPrefix(document, strings.TrimPrefix(cm.Namespace+"/"+cm.Name, "/")+" ")
		})
	})
}
