package mirror

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzPath: whatever is asked, the answer is one of PluralKit's, the same as
// PluralKit's, and valid JSON or nothing.
func FuzzPath(f *testing.F) {
	for _, path := range []string{
		"systems/@me", "systems/kfazoe/members", "members/a-b", "systems/@me/switches?before=2025-01-01T00:00:00Z&limit=3",
		"messages/1443944976579821569", "messages/18446744073709551616", "systems/0/fronters", "systems/@me/autoproxy?guild_id=1",
		"groups/%00", "systems/%F0%9F%8F%9C", "systems/@me/groups?with_members=tRue", "systems/@me/switches?limit=%31;&&=",
		"members/735429E0-dc9a-4581-8645-ec8a8bc4894c/guilds/1150000000000000001", "systems/ſſſſſ", "systems/@me/switches?before=0000-01-01T00:00:00Z",
	} {
		f.Add(path, true)
		f.Add(path, false)
	}
	p := newPair(f)
	s := p.everything()
	p.look(s)
	f.Fuzz(func(t *testing.T, path string, owner bool) {
		u, err := url.Parse("http://localhost/v2/" + path)
		if err != nil || !utf8.ValidString(path) {
			return
		}
		answer := func(h http.Handler) string {
			r := &http.Request{Method: http.MethodGet, URL: u, Header: http.Header{"User-Agent": {"fuzz"}}}
			if owner {
				r.Header.Set("Authorization", s.Token())
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()) {
				t.Errorf("%q: no JSON: %s", path, w.Body)
			}
			return http.StatusText(w.Code) + " " + w.Body.String()
		}
		got, want := canonical(path, answer(p.mirror)), canonical(path, answer(p.api))
		if got != want {
			t.Errorf("%q\ngot  %s\nwant %s", path, got, want)
		}
	})
}

// FuzzString: what PluralKit's serialiser escapes is escaped, and it is the
// same text again when it is read.
func FuzzString(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\/\b\f\n\r\t\x00\x1f\x7f", "\u0085\u2028\u2029", "é🏜️<&>", "\xff", "\ufffd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := appendString(nil, s)
		var back string
		if err := json.Unmarshal(b, &back); err != nil || back != strings.ToValidUTF8(s, "\ufffd") && utf8.ValidString(s) {
			t.Errorf("%q: got %s, %q, %v", s, b, back, err)
		}
		if !utf8.Valid(b) || strings.ContainsAny(string(b), "\u0085\u2028\u2029\n") {
			t.Errorf("%q: got %q", s, b)
		}
	})
}
