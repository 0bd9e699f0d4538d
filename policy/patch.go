package policy

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	corev1 "k8s.io/api/core/v1"
)

// Patch renders the additions as an RFC 6902 patch on the pod as it came. A
// list or mapping that the pod does not have is created by the first operation
// that needs it, holding all that goes into it: an add to a member that is
// null replaces the null. Without additions the patch is empty.
func (as Additions) Patch() ([]byte, error) {
	if len(as) == 0 {
		return nil, nil
	}
	p := patch{ops: make([]operation, 0, len(as))}
	for _, a := range as {
		switch {
		case a.absent == 0:
			p.ops = append(p.ops, operation{a.Parent, a.member(), a.Value})
		case a.Key == "":
			list := p.list(a.Parent)
			*list = append(*list, a.Value)
		default:
			p.mapping(a.Parent, a.absent)[a.Key] = a.Value
		}
	}
	b := make([]byte, 0, 200*len(as))
	var pointer []byte
	for i, op := range p.ops {
		b = append(b, "[,"[min(i, 1)])
		pointer = op.appendPointer(pointer[:0])
		b = append(appendText(member(append(member(append(b, '{'), "op"), `"add"`...), "path"), pointer), `,"value":`...)
		b = append(marshalled(b, op.value), '}')
	}
	return append(b, ']'), nil
}

// operation is one operation of an RFC 6902 patch. All of them add.
type operation struct {
	parent string
	token  string // what the pointer ends with, or empty where it is the parent that is added
	value  any
}

func (o *operation) appendPointer(b []byte) []byte {
	b = append(b, o.parent...)
	if o.token != "" {
		b = append(append(b, '/'), o.token...)
	}
	return b
}

// patch is the operations so far, and the lists and mappings that they create.
type patch struct {
	ops      []operation
	lists    map[string]*[]any
	mappings map[string]map[string]any
}

func (p *patch) list(pointer string) *[]any {
	if p.lists[pointer] == nil {
		if p.lists == nil {
			p.lists = map[string]*[]any{}
		}
		p.lists[pointer] = new([]any)
		p.ops = append(p.ops, operation{parent: pointer, value: p.lists[pointer]})
	}
	return p.lists[pointer]
}

func (p *patch) mapping(pointer string, absent int) map[string]any {
	if m, ok := p.mappings[pointer]; ok {
		return m
	}
	if p.mappings == nil {
		p.mappings = map[string]map[string]any{}
	}
	m := map[string]any{}
	p.mappings[pointer] = m
	if absent > 1 {
		parent, key := path.Split(pointer)
		p.mapping(strings.TrimSuffix(parent, "/"), absent-1)[key] = m
	} else {
		p.ops = append(p.ops, operation{parent: pointer, value: m})
	}
	return m
}

// marshalled appends a value of an addition as JSON. What can be added is
// little, and written out here: a processor that comes to it once in a while,
// with other things in its caches, is through in a fraction of the time that
// an encoder takes it to find out how.
func marshalled(b []byte, value any) []byte {
	switch v := value.(type) {
	case string:
		return appendText(b, v)
	case secretVolumeJSON:
		return v.append(b)
	case mountJSON:
		return v.append(b)
	case *EnvVar:
		return v.append(b)
	case corev1.Toleration:
		return appendToleration(b, &v)
	case *[]any:
		b = append(b, '[')
		for i, item := range *v {
			if i > 0 {
				b = append(b, ',')
			}
			b = marshalled(b, item)
		}
		return append(b, ']')
	case map[string]any:
		b = append(b, '{')
		for key, item := range sorted(v) {
			b = marshalled(append(appendText(next(b), key), ':'), item)
		}
		return append(b, '}')
	default:
		panic(fmt.Sprintf("nothing adds a %T", v))
	}
}

func (v *secretVolumeJSON) append(b []byte) []byte {
	b = appendText(member(append(b, '{'), "name"), v.Name)
	b = appendText(member(append(member(b, "secret"), '{'), "secretName"), v.Secret.SecretName)
	if len(v.Secret.Items) > 0 {
		b = appendItems(member(b, "items"), v.Secret.Items)
	}
	b = strconv.AppendInt(member(b, "defaultMode"), int64(v.Secret.DefaultMode), 10)
	if v.Secret.Optional != nil {
		b = strconv.AppendBool(member(b, "optional"), *v.Secret.Optional)
	}
	return append(b, "}}"...)
}

func appendItems(b []byte, items []KeyToPath) []byte {
	b = append(b, '[')
	for i, item := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(member(append(b, '{'), "key"), item.Key)
		b = append(appendText(member(b, "path"), item.Path), '}')
	}
	return append(b, ']')
}

func (v *mountJSON) append(b []byte) []byte {
	b = appendText(member(append(b, '{'), "name"), v.Name)
	b = appendText(member(b, "mountPath"), v.MountPath)
	b = unlessEmpty(b, "subPath", v.SubPath)
	return append(strconv.AppendBool(member(b, "readOnly"), v.ReadOnly), '}')
}

func (e *EnvVar) append(b []byte) []byte {
	b = appendText(member(append(b, '{'), "name"), e.Name)
	if e.Value != nil {
		b = appendText(member(b, "value"), *e.Value)
	}
	if e.ValueFrom != nil {
		ref := e.ValueFrom.SecretKeyRef
		b = append(member(append(member(b, "valueFrom"), '{'), "secretKeyRef"), '{')
		b = appendText(member(b, "name"), ref.Name)
		b = appendText(member(b, "key"), ref.Key)
		if ref.Optional != nil {
			b = strconv.AppendBool(member(b, "optional"), *ref.Optional)
		}
		b = append(b, "}}"...)
	}
	return append(b, '}')
}

func appendToleration(b []byte, t *corev1.Toleration) []byte {
	b = append(b, '{')
	b = unlessEmpty(b, "key", t.Key)
	b = unlessEmpty(b, "operator", string(t.Operator))
	b = unlessEmpty(b, "value", t.Value)
	b = unlessEmpty(b, "effect", string(t.Effect))
	if t.TolerationSeconds != nil {
		b = strconv.AppendInt(member(b, "tolerationSeconds"), *t.TolerationSeconds, 10)
	}
	return append(b, '}')
}

// next appends the comma before a member, unless it is the first.
func next(b []byte) []byte {
	if b[len(b)-1] == '{' {
		return b
	}
	return append(b, ',')
}

func member(b []byte, name string) []byte {
	return append(append(append(next(b), '"'), name...), `":`...)
}

func unlessEmpty(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendText(member(b, name), value)
}

// appendText appends a string as JSON. What is no UTF-8 in it is replaced, and that
// is all the error says.
func appendText[T []byte | string](b []byte, value T) []byte {
	b, _ = jsontext.AppendQuote(b, value)
	return b
}
