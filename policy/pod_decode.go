package policy

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"quartermaster.dev/policy/jsonscan"
)

// DecodePod reads a pod from the JSON of a core/v1 Pod, as the API server does:
// with exact case, and with null for what is absent. A pod's Env are parts of
// object, which must not change as long as they are used. All else is a copy.
func DecodePod(object []byte) (*Pod, error) {
	value, err := jsonscan.Check(object)
	if err == nil {
		pod, in := &Pod{}, value.Scan()
		pod.Scan(in)
		if err = in.Err(); err == nil {
			return pod, nil
		}
	}
	return nil, Undecodable("the object is no core/v1 Pod", err)
}

// Undecodable is the error of JSON that could not be decoded, in words for
// whoever sent it. It names the place, and quotes nothing that stands there.
func Undecodable(what string, err error) error {
	if wrong := (*json.SemanticError)(nil); errors.As(err, &wrong) {
		return fmt.Errorf("%s: %q cannot be %s", what, wrong.JSONPointer, article(wrong.JSONKind))
	}
	if wrong := (*jsontext.SyntacticError)(nil); errors.As(err, &wrong) {
		err = wrong.Err
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = errors.New("it ends too early") // what that error says, the runner would take for one of the network
		}
		return fmt.Errorf("%s: it is no JSON after %d bytes: %w", what, wrong.ByteOffset, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

func article(kind jsontext.Kind) string {
	switch kind {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case 't', 'f':
		return "a truth value"
	case '"':
		return "this string"
	default:
		return "this " + kind.String()
	}
}
