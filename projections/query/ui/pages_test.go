package ui

import (
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"testing"
	"time"
)

// allPages are the addresses of every page, for the operator.
func allPages() []string {
	base := "/ui/systems/" + systemOne
	return []string{"/", base + "/front", base + "/timeline", base + "/timeline?days=31", base + "/timeline?at=2026-03-09T14:00&days=1", base + "/members",
		base + "/members?q=a", base + "/members/aaaaaaaa-0000-4000-8000-000000000000", base + "/groups", base + "/groups/g0",
		base + "/statistics", base + "/statistics?range=7d", base + "/events", "/ui/sources", "/ui/webhooks", "/ui/webhooks/w1", "/ui/access", "/ui/display", "/ui/help",
		"/ui/help/readme", "/ui/nothing", "/ui/public/" + publicToken, "/ui/overlay/" + publicToken}
}

// worlds are systems to look at: empty, one, usual, large; with names as people
// have them.
func worlds() map[string]*fakeSystem {
	names := []string{"Alder", "Birch Tree of the long northern valley where the river bends twice before it reaches the sea", "עלי כהן", "🦊✨", "\u200b\u200d", "Ça–ñandú", "\u202eevil\u202c", strings.Repeat("W", 100)}
	for i := len(names); i < 1000; i++ {
		names = append(names, fmt.Sprintf("Member %d", i))
	}
	all := map[string]*fakeSystem{"empty": {name: "Harbour"}, "nameless": {}}
	for _, n := range []int{1, 30, 1000} {
		s := &fakeSystem{name: "Harbour", zone: "Europe/Berlin", members: people(names[:n]...)}
		s.groups = []group{{UUID: "g0", ID: "gggggg", Name: names[n/2], Description: "About us", Members: []string{s.members[0].UUID}}}
		s.members[0].Description = "Likes the sea.\nAnd the wind."
		for i := range 400 {
			s.switches = append(s.switches, fakeSwitch{noon.Add(time.Duration(i-400) * 97 * time.Minute), []int{i % n}})
			if i%3 == 0 && n > 7 {
				s.switches[i].members = []int{i % n, (i + 4) % n, 7}
			}
			if i%17 == 0 {
				s.switches[i].members = nil
			}
		}
		all[fmt.Sprint(n)] = s
	}
	return all
}

// TestPages: every page is there for every system, with nothing in it that the
// policy would refuse or that would need another machine.
func TestPages(t *testing.T) {
	for world, s := range worlds() {
		b := newBench(t, Config{})
		b.store.at[systemOne] = s
		admin := b.signedIn(operatorToken)
		for _, path := range allPages() {
			res, text := b.get(admin, path)
			want := 200
			switch {
			case path == "/ui/nothing", len(s.members) == 0 && (strings.Contains(path, "/members/") || strings.Contains(path, "/groups/")):
				want = 404
			}
			if res.StatusCode != want {
				t.Errorf("%s, %s: status %d, want %d", world, path, res.StatusCode, want)
			}
			if policy := res.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'; style-src 'self';") ||
				!strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "data:") {
				t.Errorf("%s: the policy is %q", path, policy)
			}
			for _, problem := range refused.FindAllString(text, -1) {
				t.Errorf("%s, %s: has %s", world, path, problem)
			}
			if strings.Contains(text, "ZgotmplZ") || strings.Contains(text, "&lt;no value") {
				t.Errorf("%s, %s: a template refused a value:\n%s", world, path, text)
			}
		}
	}
}

// refused are things in HTML that a page may not have: styles and scripts of
// its own, what htmx would evaluate, and addresses of other machines that are loaded.
var refused = regexp.MustCompile(`(?i)<[^>]*\s(style|on[a-z]+|hx-on[^=]*|hx-live|hx-vals|hx-headers)\s*=|<style|<script>|<script [^>]*>[^<]|javascript:|<(link|script|img|iframe|source)[^>]*(href|src)="(https?:)?//`)

// TestTemplates: templates have neither what the policy refuses nor words of a
// clinic: what people call themselves is theirs.
func TestTemplates(t *testing.T) {
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil || len(names) < 15 {
		t.Fatal(names, err)
	}
	clinical := regexp.MustCompile(`(?i)\b(alters?|disorders?|dissociati\w*|patients?|symptoms?|diagnos\w*|multiple personalit\w*|host|DID|OSDD|MPD)\b`)
	for _, name := range names {
		body, err := templateFiles.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if found := refused.FindString(string(body)); found != "" {
			t.Errorf("%s has %s", name, found)
		}
		if found := clinical.FindString(string(body)); found != "" {
			t.Errorf("%s says %q", name, found)
		}
	}
}

// TestMarkupIsText: what others wrote is text, on every page and in every
// field.
func TestMarkupIsText(t *testing.T) {
	attacks := []string{`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'onmouseover='alert(1)`, `</title><script>alert(1)</script>`, `javascript:alert(1)`,
		`{{.}}<svg/onload=alert(1)>`, `</textarea><iframe src=//example.com>`, "]]><b>", `<hx-partial hx-target="body">x</hx-partial>`, "a\u2028b\r\nevent: bye\r\n\r\n"}
	for _, attack := range attacks {
		m := people(attack, "Birch")
		for i := range m {
			m[i].DisplayName, m[i].Pronouns, m[i].Color, m[i].AvatarURL, m[i].Birthday, m[i].Description, m[i].ID = attack, attack, attack, attack, attack, attack, attack
		}
		m[0].ProxyTags = append(m[0].ProxyTags, struct {
			Prefix string `json:"prefix"`
			Suffix string `json:"suffix"`
		}{attack, attack})
		b := newBench(t, Config{Operator: &fakeOperator{name: attack}, ShowAvatars: true})
		b.store.at[systemOne] = &fakeSystem{name: attack, zone: attack, members: m, switches: []fakeSwitch{{noon.Add(-time.Hour), []int{0, 1}}},
			groups: []group{{UUID: "g0", ID: attack, Name: attack, Description: attack, Members: []string{m[0].UUID}}}}
		admin := b.signedIn(operatorToken)
		for _, path := range allPages() {
			_, text := b.get(admin, path)
			for _, tag := range []string{"<script>alert", "<img src=x", "onerror=alert(1)>", "<iframe", "<b>", "<svg/onload", "<hx-partial", "'onmouseover='alert", `href="javascript`, "</title><script"} {
				if strings.Contains(text, tag) {
					t.Errorf("%q on %s is markup: %s", attack, path, tag)
				}
			}
		}
	}
}

// TestDiscreet: with names hidden, no page has a name, and the title says
// nothing; it stays so.
func TestDiscreet(t *testing.T) {
	b := newBench(t, Config{})
	s := worlds()["30"]
	s.name = "Harbour"
	for i := range s.members {
		s.members[i].Name, s.members[i].Description = "Xylophone "+s.members[i].Name, "Xylophone"
	}
	s.groups[0].Name, s.groups[0].Description = "Xylophone", "Xylophone"
	b.store.at[systemOne] = s
	c := b.signedIn(annaToken)
	if res, _ := b.post(c, "/ui/discreet", "on", "true", "to", "/ui/display"); res.StatusCode != 303 || res.Header.Get("Location") != "/ui/display" {
		t.Errorf("hide names: status %d to %q", res.StatusCode, res.Header.Get("Location"))
	}
	base := "/ui/systems/" + systemOne
	for _, page := range []string{"/front", "/timeline", "/members", "/members/aaaaaaaa-0000-4000-8000-000000000000", "/groups", "/groups/g0", "/statistics", "/events"} {
		res, text := b.get(c, base+page)
		if res.StatusCode != 200 || strings.Contains(text, "Xylophone") || strings.Contains(text, "Harbour") || !strings.Contains(text, "<title>Dashboard</title>") {
			t.Errorf("%s: status %d, or it has names:\n%s", page, res.StatusCode, text)
		}
	}
	b.post(c, "/ui/discreet", "on", "false")
	if _, text := b.get(c, base+"/members"); !strings.Contains(text, "Xylophone") {
		t.Error("names are not shown again")
	}
}

// TestWords: pages say what people call themselves.
func TestWords(t *testing.T) {
	b := newBench(t, Config{Words: "facet/facets"})
	c := b.signedIn(annaToken)
	members := "/ui/systems/" + systemOne + "/members"
	says := func(want string) {
		t.Helper()
		if _, text := b.get(c, members); !strings.Contains(text, "<h1>"+want+"</h1>") {
			t.Errorf("want the heading %s:\n%s", want, text)
		}
	}
	says("Facets")
	b.post(c, "/ui/display", "words", "headmate/headmates")
	says("Headmates")
	b.post(c, "/ui/display", "words", "own", "one", "Äffchen <b>", "many", "äffchen & co")
	says("Äffchen &amp; co")
	if res, _ := b.post(c, "/ui/display", "words", "own", "one", "", "many", ""); res.StatusCode != 400 {
		t.Errorf("no words: status %d", res.StatusCode)
	}
	b.post(c, "/ui/display", "words", "")
	says("Facets")
	if res, _ := b.post(c, "/ui/display", "zone", "Middle/Earth"); res.StatusCode != 400 {
		t.Errorf("a zone that is none: status %d", res.StatusCode)
	}
	b.post(c, "/ui/display", "zone", "Asia/Kolkata", "font", "legible")
	if _, text := b.get(c, members); !strings.Contains(text, "Asia/Kolkata (IST, UTC&#43;05:30)") || !strings.Contains(text, `class="legible"`) {
		t.Errorf("zone and font were not taken:\n%s", text)
	}
}

// TestMoment: who it was at a time of the person's own clock.
func TestMoment(t *testing.T) {
	b := newBench(t, Config{})
	b.store.at[systemOne].zone = "Europe/Berlin" // one hour before UTC
	c := b.signedIn(annaToken)
	for at, want := range map[string]string{
		"2026-03-10T07:59": "<bdi>Cedar</bdi> fronted.", "2026-03-10T08:00": "<bdi>Alder</bdi> fronted.",
		"2026-03-10T11:30": "<bdi>Alder</bdi> and <bdi>Birch</bdi> fronted.", "2020-01-01T00:00": "Nothing is known of this moment",
		"2026-03-11T00:00": "This moment is yet to come.",
	} {
		if _, text := b.get(c, "/ui/systems/"+systemOne+"/timeline?at="+at); !strings.Contains(text, want) {
			t.Errorf("%s: want %s:\n%s", at, want, text)
		}
	}
	for _, bad := range []string{"at=yesterday", "day=2026-13-01"} {
		if res, _ := b.get(c, "/ui/systems/"+systemOne+"/timeline?"+bad); res.StatusCode != 400 {
			t.Errorf("%s: status %d", bad, res.StatusCode)
		}
	}
}

// TestOperatorPages: only the operator sees them, and what she does is done.
func TestOperatorPages(t *testing.T) {
	operator := &fakeOperator{}
	b := newBench(t, Config{Operator: operator})
	anna, admin := b.signedIn(annaToken), b.signedIn(operatorToken)
	for _, path := range []string{"/ui/sources", "/ui/webhooks", "/ui/webhooks/w1", "/ui/access"} {
		if res, _ := b.get(anna, path); res.StatusCode != 404 {
			t.Errorf("%s: a reader gets status %d", path, res.StatusCode)
		}
	}
	for _, path := range []string{"/ui/access", "/ui/access/anna/revoke", "/ui/webhooks/w1/test", "/ui/webhooks/w1/retry"} {
		if res, _ := b.post(anna, path, "name", "x"); res.StatusCode != 404 {
			t.Errorf("%s: a reader gets status %d", path, res.StatusCode)
		}
		if res, _ := b.do(admin, "POST", path, strings.NewReader("name=x"), "Sec-Fetch-Site", "cross-site"); res.StatusCode != 403 {
			t.Errorf("%s from a page of another site: status %d", path, res.StatusCode)
		}
	}
	if len(operator.added)+len(operator.revoked) > 0 {
		t.Errorf("something was done: %v", operator)
	}
	if _, text := b.post(admin, "/ui/access", "name", "kitchen", "system", systemOne, "sees", "public"); !strings.Contains(text, "new-token-of-kitchen") || !strings.Contains(text, b.url+"/ui/overlay/new-token-of-kitchen") {
		t.Errorf("added: %s", text)
	}
	if res, text := b.post(admin, "/ui/access", "name", "taken", "system", systemOne); res.StatusCode != 409 || !strings.Contains(text, "There is a reader of this name.") {
		t.Errorf("a name that is taken: status %d", res.StatusCode)
	}
	if res, _ := b.post(admin, "/ui/access", "name", "x", "sees", "public"); res.StatusCode != 400 {
		t.Errorf("a public reader of all: status %d", res.StatusCode)
	}
	b.post(admin, "/ui/access/anna/revoke")
	if len(operator.added) != 1 || len(operator.revoked) != 1 {
		t.Errorf("got %v", operator)
	}
	if _, text := b.post(admin, "/ui/webhooks/w1/test"); !strings.Contains(text, "It answered 200.") {
		t.Error("a test says nothing")
	}
	if _, text := b.post(admin, "/ui/webhooks/w1/retry", "delivery", "d1"); !strings.Contains(text, "It answered 500.") {
		t.Error("a retry says nothing")
	}
}
