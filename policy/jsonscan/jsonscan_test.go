package jsonscan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"quartermaster.dev/policy/jsonscan"
)

// tree reads the next value, whatever it is, by all that a Scanner has.
func tree(in *jsonscan.Scanner) any {
	switch in.Kind() {
	case '{':
		members := map[string]any{}
		in.Object(func(key []byte) {
			name := in.Keep(key)
			members[name] = tree(in)
		})
		return members
	case '[':
		elements := []any{}
		in.List(func() { elements = append(elements, tree(in)) })
		return elements
	case '"':
		var text string
		in.Text(&text)
		return text
	case 't', 'f':
		var is bool
		in.Bool(&is)
		return is
	case '0':
		return json.Number(in.Value())
	default:
		if !in.Null() {
			panic("a value of no kind")
		}
		return nil
	}
}

// checkScan holds what a Scanner reads and passes over against encoding/json.
func checkScan(t *testing.T, data []byte) {
	t.Helper()
	before := bytes.Clone(data)
	value, err := jsonscan.Check(data)
	if valid := jsontext.Value(data).IsValid(jsontext.AllowDuplicateNames(true)); valid != (err == nil) {
		t.Fatalf("got the error %v for JSON that is valid: %v", err, valid)
	}
	if err != nil {
		if !errors.As(err, new(*jsontext.SyntacticError)) {
			t.Fatalf("got the error %v, want one of syntax", err)
		}
		return
	}
	var want any
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&want); err != nil {
		t.Fatal(err)
	}
	in := value.Scan()
	got := tree(in)
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(want, got) { // go-cmp takes exponential time for lists in lists
		t.Fatalf("read %v, which is not what is there: %v", got, want)
	}
	if got, want := value.Scan().Value(), bytes.Trim(data, " \t\r\n"); !bytes.Equal(got, want) {
		t.Fatalf("passed over %q, want all of %q", got, want)
	}
	if !bytes.Equal(before, data) {
		t.Fatal("what was scanned was changed")
	}
}

var documents = []string{
	``, ` `, `nul`, `{"a":}`, `[1,]`, `"`, `"\`, `{} {}`, "\"\xff\"", `"\ud800"`, `01`, strings.Repeat(`[`, 20000), // no JSON
	`null`, ` true `, `false`, `0`, `-1.5e+3`, `""`, `"\\"`, `"\\\""`, `"a\u0062\n\ud83d\ude00é"`, `{}`, `[]`, ` [ ] `, ` { } `,
	`[[],{},"]","}",[[[1]]],-0,null,true]`, `{"a":{"b":["]}",{"\"":"\\"}]},"":"","a b":null}`, "\t{ \"a\" :\n[ 1 , 2 ]\r, \"b\" : { } }\n",
	`{"a":1,"a":{"b":2}}`, `{"\u0061\/~":"x"}`, strings.Repeat(`[`, 9000) + strings.Repeat(`]`, 9000),
	`"` + strings.Repeat("long ", 1000) + `"`,
}

func TestScanner(t *testing.T) {
	t.Parallel()
	for _, document := range documents {
		t.Run(document[:min(len(document), 40)], func(t *testing.T) { checkScan(t, []byte(document)) })
	}
}

func TestRecordedReviews(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../testdata/*/review.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded review: %v", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(file, func(t *testing.T) { checkScan(t, data) })
	}
}

func FuzzScanner(f *testing.F) {
	for _, document := range documents {
		if len(document) < 1000 {
			f.Add([]byte(document))
		}
	}
	f.Fuzz(checkScan)
}

// TestOtherKinds: what is of another kind ends the scan with its place, and
// null is nothing.
func TestOtherKinds(t *testing.T) {
	t.Parallel()
	type values struct {
		text   string
		texts  map[string]string
		bytes  []byte
		is     bool
		number int64
		list   jsonscan.Value
	}
	read := map[string]func(in *jsonscan.Scanner, v *values){
		"text":   func(in *jsonscan.Scanner, v *values) { in.Text(&v.text) },
		"texts":  func(in *jsonscan.Scanner, v *values) { in.Texts(&v.texts) },
		"bytes":  func(in *jsonscan.Scanner, v *values) { v.bytes = in.Bytes() },
		"bool":   func(in *jsonscan.Scanner, v *values) { in.Bool(&v.is) },
		"int":    func(in *jsonscan.Scanner, v *values) { v.number = in.Int(32) },
		"list":   func(in *jsonscan.Scanner, _ *values) { in.List(func() { t.Error("an element") }) },
		"object": func(in *jsonscan.Scanner, _ *values) { in.Object(func([]byte) { t.Error("a member") }) },
		"value":  func(in *jsonscan.Scanner, v *values) { v.list = in.ListValue() },
		"parsed": func(in *jsonscan.Scanner, _ *values) {
			in.Parse(func(value []byte) error {
				if string(value) != "null" {
					return errors.New("not to be parsed")
				}
				return nil
			})
		},
	}
	for name, wrong := range map[string][]string{
		"text":   {`1`, `{}`, `[]`, `true`},
		"texts":  {`1`, `"x"`, `[]`, `{"y":1}`},
		"bytes":  {`1`, `{}`, `[]`, `false`},
		"bool":   {`1`, `"true"`, `[]`, `{}`},
		"int":    {`1.0`, `1e3`, `2147483648`, `"1"`, `[]`},
		"list":   {`1`, `"x"`, `{}`},
		"object": {`1`, `"x"`, `[]`},
		"value":  {`1`, `"x"`, `{}`},
		"parsed": {`1`, `{"a":[1]}`},
	} {
		scan := func(text string) (after string, err error) {
			value, err := jsonscan.Check([]byte(`{"a~/":[0,` + text + `],"after":"reached"}`))
			if err != nil {
				t.Fatal(err)
			}
			var v values
			in := value.Scan()
			in.Object(func(key []byte) {
				if string(key) == "after" {
					in.Text(&after)
					return
				}
				first := true
				in.List(func() {
					if !first {
						read[name](in, &v)
					}
					first = false
				})
			})
			if text == `null` && !cmp.Equal(v, values{}, cmp.AllowUnexported(values{})) {
				t.Errorf("%s: null was read as %+v", name, v)
			}
			return after, in.Err()
		}
		if after, err := scan(`null`); err != nil || after != "reached" {
			t.Errorf("%s: null gives the error %v", name, err)
		}
		for _, text := range wrong {
			after, err := scan(text)
			if err == nil || !strings.Contains(err.Error(), `/a~0~1/1`) || after != "" {
				t.Errorf("%s: %s gives the error %v, and goes on to %q", name, text, err, after)
			}
		}
	}
}

// TestTry: what cannot be read is passed over, and its place is within it.
func TestTry(t *testing.T) {
	t.Parallel()
	value, err := jsonscan.Check([]byte(`{"try":{"a":[{"b":1}],"c":"]}"},"after":"reached"}`))
	if err != nil {
		t.Fatal(err)
	}
	var after, text string
	var failed error
	in := value.Scan()
	in.Object(func(key []byte) {
		if string(key) == "after" {
			in.Text(&after)
			return
		}
		failed = in.Try(func(in *jsonscan.Scanner) {
			in.Object(func([]byte) {
				in.List(func() {
					in.Object(func([]byte) { in.Text(&text) })
				})
			})
		})
	})
	if failed == nil || !strings.Contains(failed.Error(), `"/a/0/b"`) {
		t.Errorf("got the error %v, want one at /a/0/b", failed)
	}
	if after != "reached" || in.Err() != nil {
		t.Errorf("the scan went on to %q with the error %v", after, in.Err())
	}
}
