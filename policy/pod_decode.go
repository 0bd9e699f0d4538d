package policy

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// DecodePod reads a pod from the JSON of a core/v1 Pod, as the API server does:
// with exact case, and with null for what is absent.
//
// Most of that JSON is nothing that a decision reads. So it is read in a single
// pass, and only what has a field in [Pod] is kept; what else there is to the
// speed is in two types of fields, [Env] and [Skipped]. A pod's Env are parts
// of object, which must not change as long as they are used. All else is a copy.
func DecodePod(object []byte) (*Pod, error) {
	pod := &Pod{}
	if err := json.Unmarshal(object, pod, DecodeOptions()); err != nil {
		return nil, Undecodable("the object is no core/v1 Pod", err)
	}
	return pod, nil
}

// DecodeOptions are those of [DecodePod], for decoding what a [Pod] is part of.
// That no key stands twice is not checked, which would take remembering them
// all: the API server encodes what it has decoded, and writes each key once.
func DecodeOptions() json.Options { return jsontext.AllowDuplicateNames(true) }

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

// Skipped is a field whose value is passed over in one step. In the value of a
// key that it knows no field for, the decoder looks at every single token.
type Skipped struct{}

// UnmarshalJSONFrom passes over the value.
func (*Skipped) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	_, err := dec.ReadValue()
	return err
}
