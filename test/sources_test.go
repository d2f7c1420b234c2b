package test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// postWith sends a switch of a system with a token and gives the status.
func (s *server) postWith(token, system string) int {
	s.t.Helper()
	body := bytes.Replace(switchBody(uuid.NewString(), time.Now()), []byte(sampleToken), []byte(token), 1)
	return s.post(bytes.Replace(body, []byte(sampleSystem), []byte(system), 1))
}

// newSecret is a token as PluralKit makes them, registered for Check.
func (s *server) newSecret() string {
	return s.secret(strings.ReplaceAll(uuid.NewString()+uuid.NewString(), "-", ""))
}

// TestSources: a sender is let in, given a new secret, and let in no longer.
func TestSources(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	s.ready()
	want := func(when, token string, status int) {
		t.Helper()
		if got := s.postWith(token, sampleSystem); got != status {
			t.Errorf("%s: got %d, want %d", when, got, status)
		}
	}
	first, second, third, other := s.newSecret(), s.newSecret(), s.newSecret(), s.newSecret()
	want("before any source", first, 401)

	var added struct{ Kind, Name, Tenant, URL string }
	out := s.cli(first+"\n", "source", "add", "pluralkit", "harbour", "--token-file", "-", "--json")
	if err := json.Unmarshal([]byte(out), &added); err != nil || added.Kind != "pluralkit" || added.Name != "harbour" ||
		added.Tenant != "" || added.URL != s.Public+"/in/pluralkit" {
		t.Errorf("add --json: got %s, %v", out, err)
	}
	want("a stranger's first request", other, 401)
	want("the first request", first, 200)
	if out := s.cli("", "source", "show", "pluralkit", "harbour"); !strings.Contains(out, sampleSystem) || !strings.Contains(out, "accepted    1") {
		t.Errorf("show: got %s, want the system that was learned and 1 accepted", out)
	}
	if got := s.postWith(first, "0"+sampleSystem[1:]); got != 401 {
		t.Errorf("another system with the same token: got %d, want 401", got)
	}

	// A new secret from a file, without the name; the old one stays good.
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(second+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := s.cli("", "source", "rotate", "pluralkit", "--token-file", file); !strings.Contains(out, "pluralkit harbour has a new secret; the old one is good until 20") {
		t.Errorf("rotate: got %s", out)
	}
	want("the old secret in its grace", first, 200)
	want("the new secret", second, 200)
	// And at once: neither of those before is good.
	s.cli(third, "source", "rotate", "pluralkit", "harbour", "--token-file", "-", "--grace", "0")
	want("the secret replaced at once", second, 401)
	want("the third secret", third, 200)
	s.kill()
	s.start()
	want("the replaced secret after a restart", second, 401)
	want("the third secret after a restart", third, 200)

	system := uuid.NewString()
	s.cli(other, "source", "add", "pluralkit", "--token-file", "-", "--system", strings.ToUpper(system))
	if got := s.postWith(other, system); got != 200 {
		t.Errorf("the second system: got %d, want 200", got)
	}
	if got := s.postWith(third, system); got != 401 {
		t.Errorf("the second system with the first one's token: got %d, want 401", got)
	}
	if out := s.cli("", "source", "list"); !strings.Contains(out, "harbour") || !strings.Contains(out, system) {
		t.Errorf("list: got %s, want both", out)
	}
	badSources(t, s, third, system)

	s.cli("", "source", "remove", "pluralkit", "harbour", "--yes")
	want("a removed source", third, 401)
	if out := s.cli("", "source", "list"); strings.Contains(out, "harbour") {
		t.Errorf("list after remove: got %s", out)
	}
	s.stop()
	s.start()
	want("a removed source after a restart", third, 401)
	if got := s.postWith(other, system); got != 200 {
		t.Errorf("the source that stays: got %d, want 200", got)
	}
	// The same name and token may come back; beside another source it says whose it is.
	if _, errOut, code := s.try(third, "source", "add", "pluralkit", "harbour", "--token-file", "-"); code == 0 || !strings.Contains(errOut, "--system") {
		t.Errorf("a second source that says nothing: exit code %d, %q; want a refusal and what helps", code, errOut)
	}
	s.cli(third, "source", "add", "pluralkit", "harbour", "--token-file", "-", "--system", sampleSystem)
	want("a source that came back", third, 200)
	Check(s)
}

// badSources are commands that must be refused, with a reason and without the
// secret in it, and change nothing.
func badSources(t *testing.T, s *server, taken, system string) {
	t.Helper()
	before := s.cli("", "source", "list", "--json")
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, bytes.Repeat([]byte("x"), 20<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	fresh := s.newSecret()
	for _, c := range []struct {
		stdin string
		args  []string
		code  int
		says  string
	}{
		{fresh, []string{"add", "nonesuch", "--token-file", "-"}, 2, "nonesuch"},
		{fresh, []string{"add", "pluralkit", "--token-file", "-", "--system", "abcde"}, 2, "uuid"},
		{fresh, []string{"add", "pluralkit", "a b", "--token-file", "-"}, 2, "name"},
		{fresh, []string{"add", "pluralkit", "harbour", "--token-file", "-"}, 1, "harbour"},
		{fresh, []string{"add", "pluralkit", "again", "--token-file", "-", "--system", system}, 1, "belongs to"},
		{taken, []string{"add", "pluralkit", "again", "--token-file", "-"}, 1, "harbour has this token"},
		{"", []string{"add", "pluralkit", "--token-file", "-"}, 2, "token"},
		{" \n", []string{"add", "pluralkit", "--token-file", "-"}, 2, "token"},
		{"two\nlines", []string{"add", "pluralkit", "--token-file", "-"}, 2, "token"},
		{"", []string{"add", "pluralkit", "--token-file", large}, 1, "too large"},
		{strings.Repeat("x", 20<<10), []string{"add", "pluralkit", "--token-file", "-"}, 1, "too large"},
		{"", []string{"add", "pluralkit", "--token-file", filepath.Join(large, "none")}, 1, "none"},
		{"", []string{"add", "pluralkit"}, 2, "--token-file"},
		{fresh, []string{"add", "pluralkit", "--token", fresh}, 2, "unknown flag"},
		{fresh, []string{"rotate", "pluralkit", "none", "--token-file", "-"}, 1, "none"},
		{fresh, []string{"rotate", "pluralkit", "--token-file", "-"}, 1, "2 sources"},
		{fresh, []string{"rotate", "pluralkit", "harbour", "--token-file", "-", "--grace", "-1s"}, 2, "grace"},
		{fresh, []string{"rotate", "pluralkit", "harbour", "--token-file", "-", "--grace", "soon"}, 2, "grace"},
		{"", []string{"rotate", "pluralkit", "harbour"}, 2, "secret"},
		{taken, []string{"rotate", "pluralkit", "harbour", "--token-file", "-"}, 1, "already"},
		{"", []string{"show", "pluralkit", "none"}, 1, "none"},
		{"", []string{"show", "pluralkit", "../../status"}, 1, "source"},
		{"", []string{"remove", "pluralkit", "none", "--yes"}, 1, "none"},
		{"y\n", []string{"remove", "pluralkit", "harbour"}, 2, "--yes"}, // nobody at a terminal
	} {
		out, errOut, code := s.try(c.stdin, append([]string{"source"}, c.args...)...)
		if code != c.code || !strings.Contains(errOut, c.says) || out != "" {
			t.Errorf("source %v: got exit code %d, %q, %q, want %d and %q", c.args, code, out, errOut, c.code, c.says)
		}
	}
	if after := s.cli("", "source", "list", "--json"); after != before {
		t.Errorf("sources: got %s\nwant %s as before", after, before)
	}
}
