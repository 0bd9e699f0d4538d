package webhook

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"quartermaster.dev/policy"
)

// Store holds the policies in force: for each namespace one immutable set,
// compiled when a ConfigMap changes and swapped whole. Reading takes no lock.
type Store struct {
	sets    sync.Map                      // namespace → *policy.Set, where it has policies of its own
	cluster atomic.Pointer[policy.System] // for every other namespace; nil where it says nothing
	synced  atomic.Bool

	mu              sync.Mutex // for writers
	systemNamespace string
	sources         map[string]map[string]*policy.Source
}

// NewStore is a store that knows nothing yet.
func NewStore(systemNamespace string) *Store {
	return &Store{systemNamespace: systemNamespace, sources: map[string]map[string]*policy.Source{}}
}

// Set is what is in force for a namespace, and false before [Store.MarkSynced].
func (s *Store) Set(namespace string) (*policy.Set, bool) {
	if !s.synced.Load() {
		return nil, false
	}
	if set, ok := s.sets.Load(namespace); ok {
		return set.(*policy.Set), true
	}
	if system := s.cluster.Load(); system != nil {
		return policy.NewSet(namespace, system), true
	}
	return nil, true
}

// MarkSynced says that all policies of the cluster have been put in.
func (s *Store) MarkSynced() { s.synced.Store(true) }

// Put compiles a ConfigMap and puts it in force, in place of an earlier one of
// its name.
func (s *Store) Put(cm policy.ConfigMap) *policy.Source {
	cm.System = cm.Namespace == s.systemNamespace
	source := policy.Compile(cm)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sources[cm.Namespace] == nil {
		s.sources[cm.Namespace] = map[string]*policy.Source{}
	}
	s.sources[cm.Namespace][cm.Name] = source
	s.swap(cm.Namespace)
	return source
}

// Delete takes a ConfigMap out of force.
func (s *Store) Delete(namespace, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sources[namespace], name)
	if len(s.sources[namespace]) == 0 {
		delete(s.sources, namespace)
	}
	s.swap(namespace)
}

// swap replaces the set of a namespace; of all namespaces, where it is the
// system namespace. The caller holds the lock.
func (s *Store) swap(namespace string) {
	if namespace != s.systemNamespace {
		s.swapOne(namespace)
		return
	}
	var system *policy.System
	if sources := s.sources[namespace]; len(sources) > 0 {
		system = policy.NewSystem(slices.Collect(maps.Values(sources))...)
	}
	s.cluster.Store(system)
	for namespace := range s.sources {
		s.swapOne(namespace)
	}
}

func (s *Store) swapOne(namespace string) {
	sources := s.sources[namespace]
	if namespace == s.systemNamespace || len(sources) == 0 {
		s.sets.Delete(namespace)
		return
	}
	s.sets.Store(namespace, policy.NewSet(namespace, s.cluster.Load(), slices.Collect(maps.Values(sources))...))
}

// Count is the number of ConfigMaps that are in force, and that are broken, by
// themselves or by a guardrail.
func (s *Store) Count() (inForce, broken int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	system := s.cluster.Load()
	for _, sources := range s.sources {
		for _, source := range sources {
			if source.Broken() || policy.HasErrors(system.Violations(source)) {
				broken++
			} else {
				inForce++
			}
		}
	}
	return inForce, broken
}

// Check is a readiness check that fails before [Store.MarkSynced].
func (s *Store) Check(*http.Request) error {
	if !s.synced.Load() {
		return errors.New("the policies of the cluster are not known yet")
	}
	return nil
}
