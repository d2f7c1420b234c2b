package test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// browser is a client that follows redirects and keeps cookies.
func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: startWithin}
}

// page gives the status, the path and the text of a page.
func page(t *testing.T, res *http.Response, err error) (status int, path, text string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Request.URL.Path, string(body)
}

// TestDashboard: the link of `switchlog open` signs in once; a token that is typed
// in does, too; the first page says who fronts, and an open page hears of a
// new front.
func TestDashboard(t *testing.T) {
	s := start(t, t.TempDir())
	s.addPluralKit()
	s.ready()
	for _, body := range [][]byte{samples(t)["15-create_message"], switchBody(uuid.NewString(), time.Now().Add(-time.Hour))} {
		if got := s.post(body); got != http.StatusOK {
			t.Fatalf("got %d, want 200", got)
		}
	}
	s.settled()

	stranger := browser(t)
	res, err := stranger.Get(s.Private + "/")
	if status, path, text := page(t, res, err); status != 200 || path != "/ui/sign-in" || strings.Contains(text, "fronting") {
		t.Errorf("a stranger: %d at %s: %s", status, path, text)
	}
	var link struct{ URL, Expires string }
	if err := json.Unmarshal([]byte(s.cli("", "open", "--json")), &link); err != nil {
		t.Fatal(err)
	}
	client := browser(t)
	res, err = client.Get(link.URL)
	if status, path, text := page(t, res, err); status != 200 || path != "/" || !strings.Contains(text, "is fronting") {
		t.Errorf("open: %d at %s: %s", status, path, text)
	}
	res, err = stranger.Get(link.URL)
	if status, _, _ := page(t, res, err); status != http.StatusUnauthorized {
		t.Errorf("the link again: status %d", status)
	}
	res, err = stranger.PostForm(s.Private+"/ui/sign-in", url.Values{"token": {s.token()}})
	if status, path, text := page(t, res, err); status != 200 || path != "/" || !strings.Contains(text, "is fronting") {
		t.Errorf("a token: %d at %s: %s", status, path, text)
	}
	if status, _, text := s.get("/ui/systems/" + sampleSystem + "/front"); status != 200 || !strings.Contains(string(text), "is fronting") {
		t.Errorf("a program: %d: %s", status, text)
	}
	if out := s.cli("", "open"); !strings.HasPrefix(out, s.Private+"/ui/open/") {
		t.Errorf("open: %q", out)
	}

	base := "/ui/systems/" + sampleSystem
	for path, want := range map[string]string{
		base + "/timeline": "Alder", base + "/members": "Alder", base + "/members/0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1": "Fronts",
		base + "/groups": "Groups", base + "/events": "Switch create", "/ui/sources": s.Public + "/in/pluralkit", "/ui/webhooks": "There are none.",
		"/ui/access": "Only the operator may read.", "/ui/display": "Display", "/ui/help/projections-readme": "current_fronters", "/ui/help/design": "Laws",
	} {
		res, err := client.Get(s.Private + path)
		if status, _, text := page(t, res, err); status != 200 || !strings.Contains(text, want) {
			t.Errorf("%s: status %d, want %s: %s", path, status, want, text)
		}
	}
	res, err = client.PostForm(s.Private+"/ui/access", url.Values{"name": {"overlay"}, "system": {sampleSystem}, "sees": {"public"}})
	_, _, made := page(t, res, err)
	_, token, _ := strings.Cut(made, "/ui/overlay/")
	token, _, _ = strings.Cut(token, `"`)
	res, err = browser(t).Get(s.Private + "/ui/overlay/" + s.secret(token))
	if status, _, text := page(t, res, err); status != 200 || !strings.Contains(text, "overlay") || token == "" {
		t.Errorf("overlay: status %d: %s", status, text)
	}
	res, err = browser(t).PostForm(s.Private+"/ui/access/overlay/revoke", nil)
	if status, _, _ := page(t, res, err); status != http.StatusUnauthorized {
		t.Errorf("a stranger revokes: status %d", status)
	}
	res, err = client.PostForm(s.Private+"/ui/access/overlay/revoke", nil)
	if status, path, text := page(t, res, err); status != 200 || path != "/ui/access" || !strings.Contains(text, "Only the operator") {
		t.Errorf("revoke: %d at %s: %s", status, path, text)
	}
	res, err = browser(t).Get(s.Private + "/ui/overlay/" + token)
	if status, _, _ := page(t, res, err); status != http.StatusNotFound {
		t.Errorf("the overlay of a reader that was revoked: status %d", status)
	}

	stream, err := client.Get(s.Private + "/ui/systems/" + sampleSystem + "/live")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if got := s.post(emptySwitch(time.Now().Add(-time.Minute))); got != http.StatusOK {
		t.Fatalf("got %d, want 200", got)
	}
	told := make([]byte, 0, 1<<16)
	for !strings.Contains(string(told), "Nobody is fronting.") {
		n, err := stream.Body.Read(told[len(told):cap(told)])
		if err != nil {
			t.Fatalf("the stream ends: %v: %s", err, told)
		}
		told = told[:len(told)+n]
	}
}

// emptySwitch is a switch after which nobody fronts.
func emptySwitch(at time.Time) []byte {
	body := string(switchBody(uuid.NewString(), at))
	begin, end := strings.Index(body, `"members":[`)+len(`"members":[`), strings.LastIndex(body, "]")
	return []byte(body[:begin] + body[end:])
}
