package ui

import (
	"crypto/sha256"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestSignIn: a token that is good begins a session; nothing else does.
func TestSignIn(t *testing.T) {
	b := newBench(t, Config{})
	front := "/ui/systems/" + systemOne + "/front"
	for name, c := range map[string]struct {
		local  bool
		fields []string
		header []string
		status int
		cookie bool
		goes   string
	}{
		"a good token":              {true, []string{"token", " " + annaToken + "\n"}, nil, 303, true, "/"},
		"to the page it came from":  {true, []string{"token", annaToken, "to", front}, nil, 303, true, front},
		"never elsewhere":           {true, []string{"token", annaToken, "to", "https://example.com/ui/"}, nil, 303, true, "/"},
		"never elsewhere, shorter":  {true, []string{"token", annaToken, "to", "//example.com/ui/"}, nil, 303, true, "/"},
		"never elsewhere, slashes":  {true, []string{"token", annaToken, "to", "/\\example.com"}, nil, 303, true, "/"},
		"a wrong token":             {true, []string{"token", "nobody"}, nil, 401, false, ""},
		"no token":                  {true, nil, nil, 401, false, ""},
		"a public token":            {true, []string{"token", publicToken}, nil, 401, false, ""},
		"over the network":          {false, []string{"token", annaToken}, nil, 403, false, ""},
		"from a page of another":    {true, []string{"token", annaToken}, []string{"Origin", "https://example.com"}, 403, false, ""},
		"from a frame of another":   {true, []string{"token", annaToken}, []string{"Sec-Fetch-Site", "cross-site"}, 403, false, ""},
		"from a page of ours":       {true, []string{"token", annaToken}, []string{"Sec-Fetch-Site", "same-origin"}, 303, true, "/"},
		"a form of a megabyte":      {true, []string{"token", strings.Repeat("x", 1<<20)}, nil, 400, false, ""},
		"something that is no form": {true, []string{"%zz", "%zz"}, []string{"Content-Type", "text/plain"}, 401, false, ""},
	} {
		b.local = c.local
		form := strings.NewReader(encode(c.fields...))
		res, _ := b.do(b.client(), "POST", "/ui/sign-in", form, c.header...)
		got := ""
		for _, k := range res.Cookies() {
			if k.Name == cookieSession {
				got = k.Value
				if !k.HttpOnly || k.SameSite != http.SameSiteStrictMode || k.Path != "/" {
					t.Errorf("%s: cookie %v", name, k)
				}
			}
		}
		if res.StatusCode != c.status || (got != "") != c.cookie || res.Header.Get("Location") != c.goes {
			t.Errorf("%s: status %d, cookie %q, to %q, want %d, %v, %q", name, res.StatusCode, got, res.Header.Get("Location"), c.status, c.cookie, c.goes)
		}
		b.pass(time.Minute) // the limit on wrong tokens is not what this is about
	}
}

// TestSession: a session ends when the person signs out, when its token is
// revoked, and when it was not used for long.
func TestSession(t *testing.T) {
	b := newBench(t, Config{})
	front := "/ui/systems/" + systemOne + "/front"
	is := func(c *http.Client, want int, when string) {
		t.Helper()
		if res, _ := b.get(c, front); res.StatusCode != want {
			t.Errorf("%s: status %d, want %d", when, res.StatusCode, want)
		}
	}
	out, idle, bad := b.signedIn(annaToken), b.signedIn(annaToken), b.signedIn(annaToken)
	is(out, 200, "signed in")
	b.post(out, "/ui/sign-out")
	is(out, 303, "signed out")
	for range 3 {
		b.pass(sessionLife - time.Hour)
		is(bad, 200, "in use")
	}
	is(idle, 303, "not used for long")
	b.revoke(annaToken)
	is(bad, 303, "revoked")
	is(b.client(), 303, "never signed in")
	if res, _ := b.do(b.client(), "GET", front, nil, "Authorization", "Bearer nobody"); res.StatusCode != 401 {
		t.Errorf("a program with a wrong token: status %d", res.StatusCode)
	}
	if res, _ := b.do(b.client(), "GET", front, nil, "Authorization", "Bearer "+operatorToken); res.StatusCode != 200 {
		t.Errorf("a program: status %d", res.StatusCode)
	}
}

// TestOpenLink: a link signs in once, within ten minutes, also from elsewhere.
func TestOpenLink(t *testing.T) {
	b := newBench(t, Config{})
	b.local = false
	link := func() string {
		path, _ := b.h.OpenLink(sha256.Sum256([]byte(operatorToken)))
		return path
	}
	path := link()
	if res, _ := b.do(b.client(), "HEAD", path, nil); res.StatusCode/100 == 3 {
		t.Errorf("a look ahead: status %d", res.StatusCode)
	}
	c := b.client()
	if res, _ := b.get(c, path); res.StatusCode != 303 || res.Header.Get("Location") != "/" {
		t.Errorf("a link: status %d to %q", res.StatusCode, res.Header.Get("Location"))
	}
	if res, text := b.get(c, "/"); res.StatusCode != 200 || !strings.Contains(text, "Meadow") {
		t.Errorf("signed in by a link: status %d: %s", res.StatusCode, text)
	}
	if res, _ := b.get(b.client(), path); res.StatusCode != 401 {
		t.Errorf("a link, used twice: status %d", res.StatusCode)
	}
	old := link()
	b.pass(linkLife)
	if res, _ := b.get(b.client(), old); res.StatusCode != 401 {
		t.Errorf("an old link: status %d", res.StatusCode)
	}
	revoked := link()
	b.revoke(operatorToken)
	if res, _ := b.get(b.client(), revoked); res.StatusCode != 401 {
		t.Errorf("a link of a revoked token: status %d", res.StatusCode)
	}
}

// TestWrongTokensAreLimited: guessing costs nothing, and a person who mistyped
// can go on soon.
func TestWrongTokensAreLimited(t *testing.T) {
	b := newBench(t, Config{})
	var last *http.Response
	for range maxWrongTokens + 1 {
		last, _ = b.post(b.client(), "/ui/sign-in", "token", "guess")
	}
	if last.StatusCode != 429 || last.Header.Get("Retry-After") == "" {
		t.Errorf("after %d wrong tokens: status %d, Retry-After %q", maxWrongTokens+1, last.StatusCode, last.Header.Get("Retry-After"))
	}
	b.pass(wrongTokenEvery)
	if res, _ := b.post(b.client(), "/ui/sign-in", "token", annaToken); res.StatusCode != 303 {
		t.Errorf("after a wait: status %d", res.StatusCode)
	}
}

// TestSessionsAreLimited: memory does not grow with sign-ins; the session
// that was not used for longest goes.
func TestSessionsAreLimited(t *testing.T) {
	now := noon
	s := newSessions(func() time.Time { now = now.Add(time.Second); return now })
	first := s.start([32]byte{1})
	second := s.start([32]byte{2})
	if _, ok := s.find(first); !ok {
		t.Fatal("no session")
	}
	for range maxSessions - 1 {
		s.start([32]byte{3})
	}
	_, hasFirst := s.find(first)
	_, hasSecond := s.find(second)
	if !hasFirst || hasSecond || len(s.all) > maxSessions {
		t.Errorf("got %d sessions, the one in use %v, the idle one %v", len(s.all), hasFirst, hasSecond)
	}
}

// TestReadersSeeTheirSystem: a reader of one system sees no other, and cannot
// know whether there is one (P7).
func TestReadersSeeTheirSystem(t *testing.T) {
	b := newBench(t, Config{})
	anna, admin := b.signedIn(annaToken), b.signedIn(operatorToken)
	for _, page := range []string{"front", "live"} {
		other, text := b.get(anna, "/ui/systems/"+systemTwo+"/"+page)
		none, nothing := b.get(anna, "/ui/systems/33333333-3333-4333-8333-333333333333/"+page)
		if other.StatusCode != 404 || none.StatusCode != 404 || strings.ReplaceAll(text, systemTwo, "") != strings.ReplaceAll(nothing, "33333333-3333-4333-8333-333333333333", "") {
			t.Errorf("%s: status %d of another's system and %d of none, or the pages differ", page, other.StatusCode, none.StatusCode)
		}
	}
	if res, text := b.get(anna, "/"); res.StatusCode != 200 || !strings.Contains(text, "Alder") || strings.Contains(text, "Meadow") {
		t.Errorf("the first page of a reader of one: status %d: %s", res.StatusCode, text)
	}
	if res, text := b.get(admin, "/"); res.StatusCode != 200 || !strings.Contains(text, "Harbour") || !strings.Contains(text, "Meadow") {
		t.Errorf("the first page of the operator: status %d: %s", res.StatusCode, text)
	}
	if res, text := b.get(admin, "/ui/systems/"+systemTwo+"/front"); res.StatusCode != 200 || !strings.Contains(text, "Dune") {
		t.Errorf("another system of the operator: status %d: %s", res.StatusCode, text)
	}
}
