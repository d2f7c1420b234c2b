package test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestOtherOrigins: what a real browser lets a page of another origin read of the private listener. A page
// whose origin is named reads the read API with a token, a stream of changes with one in the address, and
// nothing of the operator's; any other page reads nothing; nor does one whose own name leads here.
func TestOtherOrigins(t *testing.T) {
	t.Parallel()
	pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><title>a page</title>")
	}))
	t.Cleanup(pages.Close)
	named := "http://named.test:" + portOf(pages.URL)
	stranger := "http://stranger.test:" + portOf(pages.URL)
	s := start(t, t.TempDir(), "--allow-origin", named)
	s.addPluralKit()
	s.post(sample(t, "02-update_system-import.json"))
	s.settled()
	owner := s.addReader("owner", "--tenant", sampleSystem)
	public := s.addReader("street", "--tenant", sampleSystem, "--public")
	rebound := "http://rebound.test:" + portOf(s.Private) // a name that leads to the private listener

	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("/usr/bin/chromium"), chromedp.NoSandbox,
		chromedp.Flag("disable-features", "LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests"), // it is ours that is tried, not Chromium's
		chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1"))
	alloc, stop := chromedp.NewExecAllocator(t.Context(), opts...)
	defer stop()
	browser, end := chromedp.NewContext(alloc)
	defer end()

	const of = "/api/v1/pluralkit/" + sampleSystem
	read := func(url, token string) string {
		return fmt.Sprintf(`fetch(%q, {headers: %q ? {Authorization: "Bearer " + %q} : {}}).then(async r => r.status + " " + await r.text(), e => "refused")`, url, token, token)
	}
	listen := func(url string) string {
		return fmt.Sprintf(`new Promise(done => { const s = new EventSource(%q); s.onopen = () => { s.close(); done("open") }; s.onerror = () => { s.close(); done("refused") } })`, url)
	}
	for _, c := range []struct{ what, page, does, want string }{
		{"a named page reads the API", named, read(s.Private+of+"/fronters", owner.Token), "200 "},
		{"a named page reads the mirror", named, read(s.Private+"/v2/systems/"+sampleSystem, owner.Token), "200 "},
		{"a named page listens, with a public token in the address", named, listen(s.Private + of + "/changes?access_token=" + public.Token), "open"},
		{"a named page listens, with the owner's token in the address", named, listen(s.Private + of + "/changes?access_token=" + owner.Token), "refused"},
		{"a named page listens, with the operator's token in the address", named, listen(s.Private + of + "/changes?access_token=" + s.token()), "refused"},
		{"a named page without a token", named, read(s.Private+of+"/fronters", ""), "401 "},
		{"a named page as the operator", named, read(s.Private+"/api/admin/status", s.token()), "refused"},
		{"a named page reads the metrics", named, read(s.Private+"/metrics", ""), "refused"},
		{"a named page reads the dashboard", named, read(s.Private+"/", ""), "refused"},
		{"a stranger's page reads the API", stranger, read(s.Private+of+"/fronters", owner.Token), "refused"},
		{"a stranger's page reads the public view", stranger, read(s.Private+"/v2/systems/"+sampleSystem, ""), "refused"},
		{"a stranger's page listens", stranger, listen(s.Private + of + "/changes?access_token=" + public.Token), "refused"},
		{"a stranger's page reads whether it lives", stranger, read(s.Private+"/healthz", ""), "refused"},
		{"a name that leads here, the API", rebound, read(rebound+of+"/fronters", owner.Token), "421 "},
		{"a name that leads here, the metrics, which need no token on loopback", rebound, read(rebound+"/metrics", ""), "421 "},
		{"a name that leads here, the public view", rebound, read(rebound+"/v2/systems/"+sampleSystem, ""), "421 "},
	} {
		if got := inPage(t, browser, c.page, c.does); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: got %.200s, want %s…", c.what, got, c.want)
		}
	}
	if log := s.out.String(); strings.Contains(log, public.Token) || strings.Contains(log, owner.Token) {
		t.Error("a token that stood in an address is in the log")
	}
	Check(s)
}

// inPage gives what a script answers in a page of an origin.
func inPage(t *testing.T, browser context.Context, origin, script string) string {
	t.Helper()
	tab, end := chromedp.NewContext(browser)
	defer end()
	ctx, cancel := context.WithTimeout(tab, startWithin)
	defer cancel()
	var got string
	err := chromedp.Do(ctx, chromedp.Navigate(origin+"/"))
	if err == nil {
		got, err = chromedp.Run(ctx, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
	}
	if err != nil {
		t.Fatalf("%s: %v (hint: make needs)", origin, err)
	}
	return got
}

func portOf(url string) string { return url[strings.LastIndexByte(url, ':')+1:] }
