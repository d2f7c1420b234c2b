package schemas

import (
	"errors"
	"path"
	"strings"
	"testing"
	"time"
)

func TestParseBound(t *testing.T) {
	now := time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)
	at := func(s string) Bound {
		when, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		return Bound{Time: when.UTC()}
	}
	for _, tc := range []struct {
		text string
		want Bound
		ok   bool
	}{
		{"0", Bound{}, true},
		{"1200", Bound{Seq: 1200}, true},
		{"9223372036854775807", Bound{Seq: 1<<63 - 1}, true},
		{"9223372036854775808", Bound{}, false},
		{"99999999999999999999999", Bound{}, false},
		{"2026-01-31T23:59:59.5Z", at("2026-01-31T23:59:59.5Z"), true},
		{"2026-01-31T23:59:59+02:00", at("2026-01-31T21:59:59Z"), true},
		{"2026-01-31", at("2026-01-31T00:00:00Z"), true},
		{"1h30m", at("2026-02-03T02:35:06Z"), true},
		{"0s", at("2026-02-03T04:05:06Z"), true},
		{"7d", at("2026-01-27T04:05:06Z"), true},
		{"2w", at("2026-01-20T04:05:06Z"), true},
		{"36500d", Bound{Time: now.AddDate(0, 0, -36500)}, true},
		{"36501d", Bound{}, false},
		{"-1h", Bound{}, false},
		{"-1", Bound{}, false},
		{"1.5", Bound{}, false},
		{"d", Bound{}, false},
		{"", Bound{}, false},
		{" 1", Bound{}, false},
		{"yesterday", Bound{}, false},
	} {
		got, err := ParseBound(tc.text, now)
		if got != tc.want || (err == nil) != tc.ok {
			t.Errorf("ParseBound(%q) = %+v, %v, want %+v, ok %v", tc.text, got, err, tc.want, tc.ok)
		}
		if err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("ParseBound(%q): %v, want ErrInvalid", tc.text, err)
		}
	}
}

func TestMatchType(t *testing.T) {
	for _, tc := range []struct {
		glob, typ string
		want      bool
	}{
		{"", "me.pluralkit.switch.create", true},
		{"*", "me.pluralkit.switch.create", true},
		{"me.pluralkit.switch.create", "me.pluralkit.switch.create", true},
		{"me.pluralkit.switch", "me.pluralkit.switch.create", false},
		{"me.pluralkit.switch.*", "me.pluralkit.switch.create", true},
		{"me.pluralkit.switch.*", "me.pluralkit.member.create", false},
		{"*.create", "me.pluralkit.switch.create", true},
		{"*.switch.*", "me.pluralkit.switch.create", true},
		{"*switch*switch*", "me.pluralkit.switch.create", false},
		{"ab*ba", "aba", false},
		{"a**b", "ab", true},
		{"[a]", "a", false},
		{"a?", "ab", false},
	} {
		if got := MatchType(tc.glob, tc.typ); got != tc.want {
			t.Errorf("MatchType(%q, %q) = %v, want %v", tc.glob, tc.typ, got, tc.want)
		}
	}
}

// FuzzMatchType holds MatchType against path.Match, which agrees as long as
// there is no slash and no other wildcard.
func FuzzMatchType(f *testing.F) {
	f.Add("*.switch.*", "me.pluralkit.switch.create")
	f.Add("a*a*b", "aab")
	f.Fuzz(func(t *testing.T, glob, typ string) {
		if glob == "" || strings.ContainsAny(glob+typ, `/\[]?^-`) {
			return
		}
		want, err := path.Match(glob, typ)
		if err != nil {
			return
		}
		if got := MatchType(glob, typ); got != want {
			t.Errorf("MatchType(%q, %q) = %v, want %v", glob, typ, got, want)
		}
	})
}

func TestParseToken(t *testing.T) {
	for _, text := range []string{"", "a", "a.b", "*", ">", "a=b", "ä", "=", "\x00"} {
		got, err := ParseToken(Token(text))
		if got != text || err != nil {
			t.Errorf("ParseToken(Token(%q)) = %q, %v", text, got, err)
		}
	}
	for _, token := range []string{"*", ">", "", "a.b", "=2a", "=41", "==", "=2", " "} {
		if got, err := ParseToken(token); !errors.Is(err, ErrInvalid) {
			t.Errorf("ParseToken(%q) = %q, %v, want ErrInvalid", token, got, err)
		}
	}
}

// TestTenantSubjects: a tenant whose name is a star, or empty, is one tenant and
// never all, but for who means any.
func TestTenantSubjects(t *testing.T) {
	for _, c := range []struct{ source, tenant, one, any string }{
		{"pluralkit", "a.b", LogEvents + ".pluralkit." + Token("a.b") + ".>", LogEvents + ".pluralkit." + Token("a.b") + ".>"},
		{"pluralkit", "", LogEvents + ".pluralkit." + Token("") + ".>", LogEvents + ".pluralkit.*.>"},
		{"*", "*", LogEvents + "." + Token("*") + "." + Token("*") + ".>", LogEvents + ".*.*.>"},
	} {
		if one, any := TenantSubjects(LogEvents, c.source, c.tenant), AnySubjects(LogEvents, c.source, c.tenant); one != c.one || any != c.any {
			t.Errorf("%q %q: got %s and %s, want %s and %s", c.source, c.tenant, one, any, c.one, c.any)
		}
		if strings.Contains(TenantSubjects(LogEvents, c.source, c.tenant), "*") {
			t.Errorf("%q %q: the subjects of one tenant are those of many", c.source, c.tenant)
		}
	}
}
