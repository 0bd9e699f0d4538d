package webhook

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/types"

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
	observer        Observer
	sources         map[string][]*policy.Source // by namespace
	broken          map[string]bool             // by name of the ConfigMap
}

// Observer is told when a ConfigMap comes in force, breaks or recovers. It is
// called in order, one call at a time.
type Observer interface {
	// InForce tells of a ConfigMap that is new or has changed, and whether it
	// was broken before.
	InForce(source *policy.Source, recovered bool)
	// Broken tells of a ConfigMap that is broken, by itself or by a guardrail.
	Broken(source *policy.Source, problems []policy.Problem)
	// Gone tells of a ConfigMap that was deleted or lost its label.
	Gone(namespace, name string)
}

// NewStore is a store that knows nothing yet. The observer may be nil.
func NewStore(systemNamespace string, observer Observer) *Store {
	return &Store{
		systemNamespace: systemNamespace, observer: observer,
		sources: map[string][]*policy.Source{}, broken: map[string]bool{},
	}
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
func (s *Store) Put(cm policy.ConfigMap) { s.put(s.compile(cm)) }

// put puts in force what was compiled. That it did is no news where it says
// the same as before: it is told again after a watch has lost track.
func (s *Store) put(source *policy.Source) {
	s.mu.Lock()
	defer s.mu.Unlock()
	news := source
	if i := s.index(source.Namespace, source.Name); i < 0 {
		s.sources[source.Namespace] = append(s.sources[source.Namespace], source)
	} else {
		if s.sources[source.Namespace][i].Hash == source.Hash {
			news = nil
		}
		s.sources[source.Namespace][i] = source
	}
	s.swap(source.Namespace, news)
}

// Delete takes a ConfigMap out of force.
func (s *Store) Delete(namespace, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.index(namespace, name); i >= 0 {
		delete(s.broken, s.sources[namespace][i].String())
		s.sources[namespace] = slices.Delete(s.sources[namespace], i, i+1)
	}
	if len(s.sources[namespace]) == 0 {
		delete(s.sources, namespace)
	}
	s.swap(namespace, nil)
	if s.observer != nil {
		s.observer.Gone(namespace, name)
	}
}

// index is where a ConfigMap is among those of its namespace, or -1.
func (s *Store) index(namespace, name string) int {
	return slices.IndexFunc(s.sources[namespace], func(source *policy.Source) bool { return source.Name == name })
}

// names are all ConfigMaps that the store holds.
func (s *Store) names() map[types.NamespacedName]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := map[types.NamespacedName]bool{}
	for namespace, sources := range s.sources {
		for _, source := range sources {
			names[types.NamespacedName{Namespace: namespace, Name: source.Name}] = true
		}
	}
	return names
}

func (s *Store) compile(cm policy.ConfigMap) *policy.Source {
	cm.System = cm.Namespace == s.systemNamespace
	return policy.Compile(cm)
}

// swap replaces the set of a namespace; of all namespaces, where it is the
// system namespace. The source is the one that changed, if it was not deleted.
// The caller holds the lock.
func (s *Store) swap(namespace string, changed *policy.Source) {
	if namespace != s.systemNamespace {
		s.swapOne(namespace, changed)
		return
	}
	var system *policy.System
	if sources := s.sources[namespace]; len(sources) > 0 {
		system = policy.NewSystem(sources...)
	}
	s.cluster.Store(system)
	if changed != nil {
		var problems []policy.Problem
		if changed.Broken() {
			problems = changed.Problems
		}
		s.observe(changed, problems, true)
	}
	for _, namespace := range slices.Sorted(maps.Keys(s.sources)) {
		s.swapOne(namespace, nil)
	}
}

func (s *Store) swapOne(namespace string, changed *policy.Source) {
	sources := s.sources[namespace]
	if namespace == s.systemNamespace || len(sources) == 0 {
		s.sets.Delete(namespace)
		return
	}
	set := policy.NewSet(namespace, s.cluster.Load(), sources...)
	s.sets.Store(namespace, set)
	for _, source := range sources {
		s.observe(source, set.Broken(source), source == changed)
	}
}

// observe tells the observer of a source, if that changed or what becomes of it did.
func (s *Store) observe(source *policy.Source, problems []policy.Problem, changed bool) {
	name, broken := source.String(), len(problems) > 0
	was := s.broken[name]
	if broken {
		s.broken[name] = true
	} else {
		delete(s.broken, name)
	}
	switch {
	case s.observer == nil || !changed && was == broken:
	case broken:
		s.observer.Broken(source, problems)
	default:
		s.observer.InForce(source, was)
	}
}

// Count is the number of ConfigMaps that are in force, and that are broken, by
// themselves or by a guardrail.
func (s *Store) Count() (inForce, broken int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sources := range s.sources {
		inForce += len(sources)
	}
	return inForce - len(s.broken), len(s.broken)
}

// Validate tells what would be wrong with a ConfigMap if it were put in force:
// its own problems, what guardrails do not allow, and, as warnings, what it
// would do to the policies beside and below it.
func (s *Store) Validate(cm policy.ConfigMap) []policy.Problem {
	source := s.compile(cm)
	if source.Broken() {
		return source.Problems
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	beside := func(other *policy.Source) bool { return other.Name == cm.Name }
	sources := append(slices.DeleteFunc(slices.Clone(s.sources[cm.Namespace]), beside), source)
	if source.System {
		system := policy.NewSystem(sources...)
		return slices.Concat(source.Problems, s.wouldBreak(system), s.wouldConflict(system, source))
	}
	system := s.cluster.Load()
	problems := append(slices.Clone(source.Problems), system.Violations(source)...)
	return append(problems, policy.NewSet(cm.Namespace, system, sources...).Conflicts(source)...)
}

// wouldBreak are, as warnings, the policies that a change of the system
// namespace would break.
func (s *Store) wouldBreak(system *policy.System) []policy.Problem {
	var problems []policy.Problem
	for _, namespace := range slices.Sorted(maps.Keys(s.sources)) {
		for _, source := range s.sources[namespace] {
			if s.broken[source.String()] {
				continue
			}
			for _, p := range system.Violations(source) {
				p.Severity, p.Message = policy.Warning, "becomes broken: "+p.Message
				problems = append(problems, p)
			}
		}
	}
	return problems
}

// wouldConflict are the conflicts of a source of the system namespace, in the
// namespaces that have policies and in those that it names.
func (s *Store) wouldConflict(system *policy.System, source *policy.Source) []policy.Problem {
	namespaces := append(slices.Collect(maps.Keys(s.sources)), source.Namespaces()...)
	slices.Sort(namespaces)
	var problems []policy.Problem
	for _, namespace := range slices.Compact(namespaces) {
		if namespace == s.systemNamespace {
			continue
		}
		for _, p := range policy.NewSet(namespace, system, s.sources[namespace]...).Conflicts(source) {
			if !slices.Contains(problems, p) {
				problems = append(problems, p)
			}
		}
		if len(problems) > maxTold {
			break
		}
	}
	return problems
}

// Check is a readiness check that fails before [Store.MarkSynced].
func (s *Store) Check(*http.Request) error {
	if !s.synced.Load() {
		return errors.New("the policies of the cluster are not known yet")
	}
	return nil
}
