package policy

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// Addition puts one value into a list or mapping of the pod. There is no other
// kind of change: nothing of the pod is removed, replaced, moved or renamed.
type Addition struct {
	// Policy that asked for it, or empty for the stamp.
	Policy string
	// Parent is the JSON pointer (RFC 6901) of the list or mapping.
	Parent string
	// Key in the mapping; empty to append to the list.
	Key string
	// Value as it is to be marshalled.
	Value any

	// absent says that the pod has no such list or mapping, or has null there.
	absent bool
}

// Additions are what a decision adds, in order.
type Additions []Addition

// operation is one operation of an RFC 6902 patch.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// Patch renders the additions as an RFC 6902 patch on the pod as it came. A
// list or mapping that the pod does not have is created by the first operation
// that needs it, holding all that goes into it: an add to a member that is
// null replaces the null. Without additions the patch is empty.
func (as Additions) Patch() ([]byte, error) {
	if len(as) == 0 {
		return nil, nil
	}
	ops := make([]operation, 0, len(as))
	created := map[string]int{}
	for _, a := range as {
		i, seen := created[a.Parent]
		switch {
		case !a.absent:
			ops = append(ops, operation{"add", a.Parent + "/" + a.member(), a.Value})
		case !seen && a.Key == "":
			created[a.Parent] = len(ops)
			ops = append(ops, operation{"add", a.Parent, []any{a.Value}})
		case !seen:
			created[a.Parent] = len(ops)
			ops = append(ops, operation{"add", a.Parent, map[string]any{a.Key: a.Value}})
		case a.Key == "":
			ops[i].Value = append(ops[i].Value.([]any), a.Value)
		default:
			ops[i].Value.(map[string]any)[a.Key] = a.Value
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(ops)
	return bytes.TrimSpace(b.Bytes()), err
}

var pointerEscaper = strings.NewReplacer("~", "~0", "/", "~1")

func (a *Addition) member() string {
	if a.Key == "" {
		return "-"
	}
	return pointerEscaper.Replace(a.Key)
}

// containerPointer is the JSON pointer of a member of a container.
func containerPointer(i int, member string) string {
	return "/spec/containers/" + strconv.Itoa(i) + "/" + member
}
