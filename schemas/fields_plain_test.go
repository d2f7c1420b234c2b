package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
)

// FuzzFieldPlain: where a field is read without the JSON decoder, it is read
// as the decoder would.
func FuzzFieldPlain(f *testing.F) {
	for _, raw := range []string{`"x"`, `""`, `"é"`, `"a\nb"`, `"\u00e9"`, "\"\xff\"", `"a\"b"`, `true`, `false`, `null`, `1`, `"`, `"a"b"`, `-12`, `1e3`, `[1,"é"]`, `[ ]`, `"2024-01-02T03:04:05.678901Z"`} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !json.Valid(raw) {
			return // a field's raw value is a part of JSON that was read
		}
		var compact json.RawMessage
		if err := json.Unmarshal(raw, &compact); err != nil {
			t.Fatal(err)
		}
		if v, plain := (&Field{Kind: Text}).plain(string(compact)); plain {
			var want string
			if err := json.Unmarshal(compact, &want); err != nil || v != want {
				t.Errorf("%q: got %q, want %q (%v)", raw, v, want, err)
			}
		}
		if v, plain := (&Field{Kind: Bool}).plain(string(compact)); plain {
			var want bool
			if err := json.Unmarshal(compact, &want); err != nil || v != want {
				t.Errorf("%q: got %v, want %v (%v)", raw, v, want, err)
			}
		}
		if v, plain := (&Field{Kind: Int}).plain(string(compact)); plain {
			var want int64
			if err := json.Unmarshal(compact, &want); err != nil || v != want {
				t.Errorf("%q: got %v, want %v (%v)", raw, v, want, err)
			}
		}
		if v, plain := (&Field{Kind: List}).plain(string(compact)); plain {
			var list []json.RawMessage
			var want bytes.Buffer
			if err := errors.Join(json.Unmarshal(compact, &list), json.Compact(&want, compact)); err != nil || v != want.String() {
				t.Errorf("%q: got %v, want %s (%v)", raw, v, &want, err)
			}
		}
		if v, plain := (&Field{Kind: Time}).plain(string(compact)); plain {
			var text string
			if err := json.Unmarshal(compact, &text); err != nil {
				t.Fatal(err)
			}
			if want, err := ParseTime(text); err != nil || v != want {
				t.Errorf("%q: got %v, want %v (%v)", raw, v, want, err)
			}
		}
	})
}
