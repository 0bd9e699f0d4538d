package migrate

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"quartermaster.dev/policy"
)

// fact is something that a pod says about a container or itself.
type fact struct {
	// subject is the container, or empty for the pod, and what it has.
	subject, what string
	// value that differs where both pods have it.
	value string
}

func (f fact) String() string {
	if f.subject == "" {
		return f.what
	}
	return f.subject + ": " + f.what
}

// view is what a pod says about the things that move, in the order of its
// containers, and the rest of it.
type view struct {
	facts []fact
	rest  map[string]any
}

// newView takes a pod apart. What it takes out is in the facts.
func newView(object_ []byte) (*view, error) {
	p, err := decodePod(object_)
	if err != nil {
		return nil, err
	}
	v := &view{rest: p.tree}
	spec := p.spec()
	shown := map[string]map[string]any{}
	spec["volumes"] = slices.DeleteFunc(list(spec["volumes"]), func(volume any) bool {
		source := object(object(volume)["secret"])
		if source != nil {
			shown[text(object(volume)["name"])] = source
		}
		return source != nil
	})
	for _, c := range p.containers() {
		v.container(c, shown)
	}
	for _, key := range sortedKeys(object(spec["nodeSelector"])) {
		v.add("", "node selector "+key, text(object(spec["nodeSelector"])[key]))
	}
	delete(spec, "nodeSelector")
	for _, t := range list(spec["tolerations"]) {
		tolerated := toleration(t)
		v.add("", "toleration "+describe(&tolerated), "")
	}
	delete(spec, "tolerations")
	annotations := object(object(p.tree["metadata"])["annotations"])
	delete(annotations, policy.AnnotationApplied)
	if len(annotations) == 0 {
		delete(object(p.tree["metadata"]), "annotations")
	}
	return v, nil
}

func (v *view) add(subject, what, value string) {
	v.facts = append(v.facts, fact{subject, what, value})
}

// container takes a container apart.
func (v *view) container(c container, volumes map[string]map[string]any) {
	var kept []any
	for _, m := range list(c.tree["volumeMounts"]) {
		source := volumes[text(object(m)["name"])]
		if source == nil {
			kept = append(kept, m)
			continue
		}
		mode, _ := source["defaultMode"].(float64)
		what := fmt.Sprintf("Secret %q at %s", text(source["secretName"]), path.Clean("/"+text(object(m)["mountPath"])))
		v.add(c.name, what, fmt.Sprintf("mode %#o", int(mode)))
	}
	c.tree["volumeMounts"] = kept
	for _, e := range list(c.tree["env"]) {
		value, _ := object(e)["value"].(string)
		v.add(c.name, text(object(e)["name"]), value)
	}
	delete(c.tree, "env")
	for _, field := range []string{"requests", "limits"} {
		of := object(object(c.tree["resources"])[field])
		for _, name := range sortedKeys(of) {
			v.add(c.name, field+"."+name, fmt.Sprint(of[name]))
		}
	}
	delete(c.tree, "resources")
}

func sortedKeys(m map[string]any) []string {
	var keys []string
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// difference is what changes from one pod to another, a line each: "-" for what
// is gone, "~" for what is otherwise, "+" for what is new.
func (v *view) difference(after *view) []string {
	find := func(facts []fact, f fact) (fact, bool) {
		i := slices.IndexFunc(facts, func(o fact) bool { return o.subject == f.subject && o.what == f.what })
		if i < 0 {
			return fact{}, false
		}
		return facts[i], true
	}
	var lines []string
	for _, f := range v.facts {
		now, ok := find(after.facts, f)
		switch {
		case !ok:
			lines = append(lines, "- "+f.withValue())
		case now.value != f.value:
			lines = append(lines, fmt.Sprintf("~ %s: %s, now %s", f, f.value, strings.TrimPrefix(now.value, "mode ")))
		}
	}
	for _, f := range after.facts {
		if _, ok := find(v.facts, f); !ok {
			lines = append(lines, "+ "+f.withValue())
		}
	}
	if !reflect.DeepEqual(v.rest, after.rest) {
		lines = append(lines, "~ something else of the pod, which no policy should touch")
	}
	return lines
}

func (f fact) withValue() string {
	switch {
	case f.value == "":
		return f.String()
	case strings.HasPrefix(f.what, "Secret "):
		return f.String() + ", " + f.value
	default:
		return f.String() + "=" + f.value
	}
}
