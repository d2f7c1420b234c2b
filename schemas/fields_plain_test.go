package schemas

import (
	"encoding/json"
	"testing"
)

// FuzzFieldPlain: where a field is read without the JSON decoder, it is read
// as the decoder would.
func FuzzFieldPlain(f *testing.F) {
	for _, raw := range []string{`"x"`, `""`, `"é"`, `"a\nb"`, `"\u00e9"`, "\"\xff\"", `"a\"b"`, `true`, `false`, `null`, `1`, `"`, `"a"b"`} {
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
		if v, plain := (Field{Kind: Text}).plain(compact); plain {
			var want string
			if err := json.Unmarshal(compact, &want); err != nil || v != want {
				t.Errorf("%q: got %q, want %q (%v)", raw, v, want, err)
			}
		}
		if v, plain := (Field{Kind: Bool}).plain(compact); plain {
			var want bool
			if err := json.Unmarshal(compact, &want); err != nil || v != want {
				t.Errorf("%q: got %v, want %v (%v)", raw, v, want, err)
			}
		}
	})
}
