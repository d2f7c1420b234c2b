package ui

import (
	"strings"
	"testing"
	"time"
)

// publicWorld is a system in which Alder is public, Birch has a private name, and Cedar
// and Dune are hidden.
func publicWorld() *fakeSystem {
	s := &fakeSystem{name: "Harbour", members: people("Alder", "Birch", "Cedar", "Dune"), switches: []fakeSwitch{{noon.Add(-time.Hour), []int{0, 1, 2, 3}}}}
	for i := range s.members {
		p := map[string]string{"visibility": "public", "name_privacy": "public", "pronoun_privacy": "public", "avatar_privacy": "public"}
		s.members[i].Privacy = p
	}
	s.members[1].DisplayName = "Bee"
	s.members[1].Privacy["name_privacy"], s.members[1].Privacy["pronoun_privacy"] = "private", "private"
	s.members[2].Privacy["visibility"], s.members[3].Privacy["visibility"] = "private", "private"
	return s
}

// TestPublicPage: others see who is public, and of the hidden what the owner
// chose; a front that is private is not shown.
func TestPublicPage(t *testing.T) {
	for choice, want := range map[string]string{
		"": "<bdi>Alder</bdi> and <bdi>Bee</bdi> are fronting.", PrivateNothing: "<bdi>Alder</bdi> and <bdi>Bee</bdi> are fronting.",
		PrivateNumber:  "<bdi>Alder</bdi>, <bdi>Bee</bdi> and <bdi>2 more</bdi> are fronting.",
		PrivateSomeone: "<bdi>Alder</bdi>, <bdi>Bee</bdi> and <bdi>someone</bdi> are fronting.",
	} {
		b := newBench(t, Config{Private: choice})
		b.store.at[systemOne] = publicWorld()
		for _, path := range []string{"/ui/public/" + publicToken, "/ui/public/?token=" + publicToken} {
			res, text := b.get(b.client(), path)
			if res.StatusCode != 200 || !strings.Contains(text, want) || strings.Contains(text, "Cedar") || strings.Contains(text, "Birch") || strings.Contains(text, "Harbour") {
				t.Errorf("%q, %s: status %d, want %s:\n%s", choice, path, res.StatusCode, want, text)
			}
			if res.Header.Get("X-Robots-Tag") != "noindex, nofollow" || !strings.Contains(text, `name="robots" content="noindex`) {
				t.Errorf("%s: a search engine may list it", path)
			}
		}
	}
	b := newBench(t, Config{Private: PrivateNumber})
	if res, _ := b.do(b.client(), "GET", "/ui/overlay/", nil, "Authorization", "Bearer "+publicToken); res.StatusCode != 200 {
		t.Errorf("the token in the header: status %d", res.StatusCode)
	}
	s := publicWorld()
	s.private = true
	b.store.at[systemOne] = s
	for _, path := range []string{"/ui/public/", "/ui/overlay/"} {
		if _, text := b.get(b.client(), path+publicToken); strings.Contains(text, "Alder") || strings.Contains(text, "Bee") || strings.Contains(text, "4") && strings.Contains(text, "members") {
			t.Errorf("%s: a private front is shown:\n%s", path, text)
		}
	}
}

// TestPublicTokens: a public token opens the public page and the overlay and
// nothing else; other tokens do not open those.
func TestPublicTokens(t *testing.T) {
	b := newBench(t, Config{})
	for _, token := range []string{operatorToken, annaToken, "nobody"} {
		for _, path := range []string{"/ui/public/" + token, "/ui/overlay/" + token, "/ui/public/" + token + "/live"} {
			if res, _ := b.get(b.client(), path); res.StatusCode != 404 {
				t.Errorf("%s: status %d", path, res.StatusCode)
			}
		}
	}
	for _, path := range []string{"/", "/ui/systems/" + systemOne + "/front", "/ui/systems/" + systemOne + "/live", "/ui/access"} {
		if res, _ := b.do(b.client(), "GET", path, nil, "Authorization", "Bearer "+publicToken); res.StatusCode != 401 {
			t.Errorf("%s with a public token: status %d", path, res.StatusCode)
		}
	}
	b.revoke(publicToken)
	if res, _ := b.get(b.client(), "/ui/public/"+publicToken); res.StatusCode != 404 {
		t.Errorf("revoked: status %d", res.StatusCode)
	}
}

// TestOverlay: the overlay looks as its address says, and changes by itself.
func TestOverlay(t *testing.T) {
	b := newBench(t, Config{})
	b.store.at[systemOne] = publicWorld()
	for query, want := range map[string]string{
		"": "size-m align-left", "?size=xl&align=right": "size-xl align-right", `?size="><b>`: "size-m",
	} {
		if _, text := b.get(b.client(), "/ui/overlay/"+publicToken+query); !strings.Contains(text, want) || !strings.Contains(text, "Alder") || !strings.Contains(text, "they/them") {
			t.Errorf("%s: want %s:\n%s", query, want, text)
		}
	}
	if _, text := b.get(b.client(), "/ui/overlay/"+publicToken+"?names=false&pronouns=false"); strings.Contains(text, "Alder") || strings.Contains(text, "they/them") {
		t.Errorf("without names:\n%s", text)
	}
	p := newTab(t, b)
	p.visit(b.url + "/ui/overlay/" + publicToken + "?pronouns=0")
	p.await(`document.body.textContent.includes("Alder")`)
	if got := eval[string](p, `getComputedStyle(document.body).backgroundColor + getComputedStyle(document.documentElement).backgroundColor`); got != "rgba(0, 0, 0, 0)rgba(0, 0, 0, 0)" {
		t.Errorf("the background is %s, want none", got)
	}
	b.change(systemOne, func(s *fakeSystem) { s.switches = append(s.switches, fakeSwitch{noon.Add(-time.Minute), []int{1}}) })
	p.await(`document.body.textContent.includes("Bee") && !document.body.textContent.includes("Alder")`)
}
