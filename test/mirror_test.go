package test

import (
	"net/http"
	"strings"
	"testing"
)

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
