package test

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestLinkedSystem asks for a system of which nothing is known but that a source was added
// for it, then but a switch: both interfaces show it, and a join with its row loses nothing.
func TestLinkedSystem(t *testing.T) {
	s := start(t, t.TempDir())
	s.addPluralKit()
	s.ready()
	check := func(when string) {
		t.Helper()
		s.settled()
		if status, _, body := s.get("/api/v1/pluralkit/" + sampleSystem + "/system"); status != http.StatusOK || !strings.Contains(string(body), sampleSystem) {
			t.Errorf("%s: our API: got %d %s, want the system", when, status, body)
		}
		if status, _, body := s.get("/v2/systems/@me"); status != http.StatusOK || !strings.Contains(string(body), sampleSystem) {
			t.Errorf("%s: PluralKit's API: got %d %s, want the system", when, status, body)
		}
	}
	check("linked")
	if got := s.post(switchBody(sampleSystem, time.Now())); got != http.StatusOK {
		t.Fatalf("got %d, want 200", got)
	}
	check("with a switch")
	if out := s.cli("", "sql", "--json", "SELECT s.uuid FROM switches w JOIN systems s ON s.uuid = w.system_uuid"); !strings.Contains(out, sampleSystem) {
		t.Errorf("switches of systems: got %s, want the one", out)
	}
}

// TestMirror: a server answers like PluralKit's API, to the operator's bare
// token as PluralKit's clients send it, and to nobody's by the settings.
func TestMirror(t *testing.T) {
	s := start(t, t.TempDir())
	s.addPluralKit()
	s.ready()
	if got := s.post(samples(t)["15-create_message"]); got != 200 {
		t.Fatalf("got %d, want 200", got)
	}
	s.settled()
	ask := func(token, path string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.Private+"/v2/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", token)
		res, err := patient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var b strings.Builder
		if err := res.Write(&b); err != nil {
			t.Fatal(err)
		}
		_, body, _ := strings.Cut(b.String(), "\r\n\r\n")
		return body
	}
	for _, token := range []string{s.token(), "Bearer " + s.token()} {
		if got, want := ask(token, "systems/@me"), `{"id":"kfazoe","uuid":"`+sampleSystem+`",`; !strings.HasPrefix(got, want) || !strings.Contains(got, `"privacy":{`) {
			t.Errorf("got %s, want %s… with privacy", got, want)
		}
	}
	if got := ask("", "systems/kfazoe"); !strings.HasSuffix(got, `"privacy":null}`) {
		t.Errorf("got %s, want the public view", got)
	}
	if got, want := ask("", "systems/kfazoe/fronters"), `{"message":"Unauthorized to view current fronters.","code":30004}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := ask("", "systems/@me"); !strings.Contains(got, "401") {
		t.Errorf("got %s, want 401", got)
	}
}
