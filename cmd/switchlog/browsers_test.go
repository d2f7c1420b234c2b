package main

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"switchlog/projections/query"
)

// testBrowsers lets pages of one origin read, and knows four readers by their tokens.
func testBrowsers() *browsers {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	readers := map[string]query.Reader{
		"admin":  {Name: "admin", Admin: true},
		"long":   {Name: "long", Tenant: "a"},
		"short":  {Name: "short", Tenant: "a", Expires: now.Add(time.Hour)},
		"public": {Name: "public", Tenant: "a", Public: true},
	}
	return &browsers{
		origins: []string{"https://overlay.example.org"}, names: []string{"localhost", "switchlog.example.org"},
		now: func() time.Time { return now },
		find: func(hash [sha256.Size]byte) (query.Reader, bool) {
			for token, r := range readers {
				if sha256.Sum256([]byte(token)) == hash {
					return r, true
				}
			}
			return query.Reader{}, false
		},
	}
}

// The listener answers to its own names and to addresses; a name that leads here from outside gets nothing,
// however it is written.
func TestHostIsOurs(t *testing.T) {
	h := testBrowsers().guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for host, want := range map[string]int{
		"127.0.0.1:8081": 200, "localhost": 200, "LOCALHOST:8081": 200, "localhost.": 200, "[::1]:8081": 200, "192.168.1.7:8081": 200,
		"switchlog.example.org": 200, "Switchlog.Example.org:443": 200, "": 200,
		"evil.example": 421, "evil.example:8081": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421,
		"localhost@evil.example": 421, "evil.example#localhost": 421, "127.0.0.1.nip.io": 421, "0x7f000001": 421, "127.1": 421, "xlocalhost": 421,
		"switchlog.example.org.evil.example": 421, "[::1]evil.example": 421,
	} {
		r := httptest.NewRequest("GET", "/healthz", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("Host %q: got %d, want %d", host, w.Code, want)
		}
	}
}

// A page may read the read API and the mirror if its origin is named, and nothing else; without a setting
// no page may read anything.
func TestCrossOrigin(t *testing.T) {
	b := testBrowsers()
	const named = "https://overlay.example.org"
	for _, c := range []struct {
		method, path, origin string
		allowed              bool
	}{
		{"GET", "/api/v1/pluralkit/a/fronters", named, true},
		{"GET", "/v2/systems/abcde", named, true},
		{"OPTIONS", "/api/v1/pluralkit/a/fronters", named, true},
		{"GET", "/api/admin/status", named, false},
		{"OPTIONS", "/api/admin/access", named, false},
		{"GET", "/api/webhooks", named, false},
		{"GET", "/ui/front", named, false},
		{"GET", "/metrics", named, false},
		{"GET", "/api/v1/pluralkit/a/fronters", "https://evil.example", false},
		{"GET", "/api/v1/pluralkit/a/fronters", "http://overlay.example.org", false},
		{"GET", "/api/v1/pluralkit/a/fronters", "https://overlay.example.org.evil.example", false},
		{"GET", "/api/v1/pluralkit/a/fronters", "https://overlay.example.org:8443", false},
		{"GET", "/v2/systems/abcde", "null", false},
		{"OPTIONS", "/v2/systems/abcde", "https://evil.example", false},
	} {
		for _, off := range []bool{false, true} {
			b.origins = []string{named}
			if off {
				b.origins = nil
			}
			reached := false
			h := b.guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
			r := httptest.NewRequest(c.method, "http://127.0.0.1:8081"+c.path, nil)
			r.Header.Set("Origin", c.origin)
			r.Header.Set("Access-Control-Request-Method", "GET")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			got := w.Header().Get("Access-Control-Allow-Origin")
			want := ""
			if c.allowed && !off {
				want = c.origin
			}
			if got != want || w.Header().Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s %s from %s, off %v: allowed to %q, want %q", c.method, c.path, c.origin, off, got, want)
			}
			if preflight := c.method == "OPTIONS" && want != ""; reached == preflight {
				t.Errorf("%s %s from %s: handler reached: %v", c.method, c.path, c.origin, reached)
			}
			if w.Header().Get("Content-Security-Policy") == "" || w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Referrer-Policy") != "no-referrer" {
				t.Errorf("%s: headers %v", c.path, w.Header())
			}
		}
	}
}

// A token in the address is moved into the header, where it is good for that; the handler sees none in
// the address. Any other is refused, the operator's above all.
func TestTokenInAddress(t *testing.T) {
	const stream, overlay = "/api/v1/pluralkit/a/changes", "/ui/overlay/front"
	for _, c := range []struct {
		method, target, header string
		want                   int
	}{
		{"GET", stream + "?access_token=public", "", 200},
		{"GET", stream + "?access_token=short&last_event_id=7", "", 200},
		{"GET", overlay + "?access_token=public", "", 200},
		{"GET", stream + "?access_token=admin", "", 401},
		{"GET", stream + "?access_token=long", "", 401},
		{"GET", stream + "?access_token=nobody", "", 401},
		{"GET", stream + "?access_token=public&access_token=public", "", 401},
		{"GET", stream + "?access_token=public", "Bearer long", 401},
		{"POST", stream + "?access_token=public", "", 401},
		{"GET", "/api/v1/pluralkit/a/fronters?access_token=public", "", 401},
		{"GET", "/api/admin/status?access_token=admin", "", 401},
		{"GET", "/v2/systems/@me?access_token=short", "", 401},
		{"GET", "/ui/front?access_token=short", "", 401},
		{"GET", "/api/v1/pluralkit/a/b/changes?access_token=public", "", 401},
		{"GET", stream + "?access%5Ftoken=admin", "", 200}, // no token is seen there: the handler refuses
	} {
		var seen *http.Request
		h := testBrowsers().guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r }))
		r := httptest.NewRequest(c.method, "http://127.0.0.1:8081"+c.target, nil)
		if c.header != "" {
			r.Header.Set("Authorization", c.header)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s %s: got %d, want %d", c.method, c.target, w.Code, c.want)
		}
		if seen != nil && (strings.Contains(seen.URL.String(), "access_token=") || strings.Contains(seen.RequestURI, "access_token=")) {
			t.Errorf("%s: the handler sees %s", c.target, seen.RequestURI)
		}
		if w.Code == 401 && strings.Contains(w.Body.String(), "=") {
			t.Errorf("%s: the answer quotes the address: %s", c.target, w.Body)
		}
	}
}

// Settings for browsers that would let in more than a person meant are refused.
func TestBrowserSettings(t *testing.T) {
	for _, text := range []string{"*", "null", "overlay.example.org", "https://overlay.example.org/", "https://overlay.example.org/page",
		"https://*.example.org/x", "ftp://example.org", "https://user@example.org", "https://Overlay.example.org"} {
		if _, err := parseOrigins(text); !errors.Is(err, errUsage) {
			t.Errorf("--allow-origin %s: got %v, want a usage error", text, err)
		}
	}
	if got, err := parseOrigins("https://a.example, http://127.0.0.1:3000"); err != nil || len(got) != 2 {
		t.Errorf("got %q, %v", got, err)
	}
	for _, text := range []string{"*", "https://a.example", "a.example:443", "*.example.org"} {
		if _, err := parseHosts(text); !errors.Is(err, errUsage) {
			t.Errorf("--allow-host %s: got %v, want a usage error", text, err)
		}
	}
}
