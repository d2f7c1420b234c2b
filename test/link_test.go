package test

import (
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchlog/test/fakepk"
)

// linking is a `switchlog link pluralkit` that runs.
type linking struct {
	s    *server
	done chan int
	out  string
	errs string
}

// link starts the command, and waits until the server has what it gave.
func (s *server) link(token string, args ...string) *linking {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(s.secret(token)+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	before := s.rotations()
	l := &linking{s: s, done: make(chan int, 1)}
	go func() {
		var code int
		l.out, l.errs, code = s.try("", append([]string{"link", "pluralkit", "--token-file", file}, args...)...)
		l.done <- code
	}()
	await(s.t, "the token to be there", func() bool { return s.rotations() > before })
	return l
}

// rotations counts the times a token was given.
func (s *server) rotations() int {
	s.t.Helper()
	_, _, body := s.get("/api/admin/replay?type=switchlog.source.*")
	return strings.Count(string(body), `"token":"secret-`)
}

func (l *linking) wait(want int) string {
	l.s.t.Helper()
	if code := <-l.done; code != want {
		l.s.t.Fatalf("link: exit code %d, want %d\n%s\n%s", code, want, l.out, l.errs)
	}
	return l.out + l.errs
}

// TestLink: the bot's registration, with Continue pressed too early at first; the
// command ends when both PINGs were answered, and says who fronts.
func TestLink(t *testing.T) {
	t.Parallel()
	world := fakepk.New(t, fakepk.Config{Seed: 5})
	sys, err := world.CreateSystem("1150000000000000003", fakepk.Fields{"name": "Harbour House"})
	world.Must(err)
	ash, err := sys.CreateMember("Ash", nil)
	world.Must(err)
	_, err = sys.Switch(ash)
	world.Must(err)
	api := httptest.NewServer(fakepk.NewAPI(t, world, fakepk.APIConfig{Now: time.Now}))
	t.Cleanup(api.Close)
	s := start(t, t.TempDir(), "--pluralkit-api", api.URL, "--reconcile-every", "24h")
	register := func() *fakepk.Registration {
		r, err := sys.RegisterWebhook(s.Public + "/in/pluralkit")
		if err != nil {
			t.Fatal(err)
		}
		s.secret(r.Token)
		return r
	}
	press := func(r *fakepk.Registration, want string) {
		t.Helper()
		if got, err := r.Continue(t.Context()); err != nil || got != want {
			t.Fatalf("Continue: got %q, %v, want %q", got, err, want)
		}
	}

	// Too early: nobody has given the token.
	press(register(), "InvalidResponseCode(401)")
	if out := s.cli("", "status"); !strings.Contains(out, "Continue was pressed too early") {
		t.Errorf("status does not say so:\n%s", out)
	}
	if !strings.Contains(s.out.String(), "Continue was pressed too early") {
		t.Error("the log does not say so")
	}
	if out := s.cli("", "link", "pluralkit", "--said", "an unknown error occurred (InvalidResponseCode(401))"); !strings.Contains(out, "Continue was pressed too early") {
		t.Errorf("link does not say so:\n%s", out)
	}

	// Too early again while link waits for another token, then right.
	old := register()
	waiting := s.link(old.Token)
	newer := register()
	press(newer, "InvalidResponseCode(401)")
	press(old, "OK")
	out := waiting.wait(0)
	for _, want := range []string{"pk;system webhook https://YOUR-ADDRESS/in/pluralkit", "Continue was pressed too early", "answered 200", "answered 401", "Linked", "Who fronts is not known yet"} {
		if !strings.Contains(out, want) {
			t.Errorf("link: %q is missing in\n%s", want, out)
		}
	}
	if out := s.cli("", "status"); strings.Contains(out, "too early") {
		t.Errorf("status still speaks of what was put right:\n%s", out)
	}

	// Again with a newer token, in JSON, and with the API token: the source is the
	// same.
	file := filepath.Join(t.TempDir(), "api-token")
	if err := os.WriteFile(file, []byte(s.secret(sys.Token())), 0o600); err != nil {
		t.Fatal(err)
	}
	newest := register()
	waiting = s.link(newest.Token, "--json", "--api-token-file", file)
	press(newest, "OK")
	waiting.wait(0)
	var answer struct {
		Linked                 bool
		Name, System, Fronting string
	}
	if err := json.Unmarshal([]byte(waiting.out), &answer); err != nil || !answer.Linked || answer.System != sys.UUID() {
		t.Errorf("got %s, %v, want linked, of %s", waiting.out, err, sys.UUID())
	}
	if !strings.HasPrefix(answer.Fronting, "Ash fronts, since ") {
		t.Errorf("got %q, want who fronts", answer.Fronting)
	}
	if out := s.cli("", "source", "list"); strings.Count(out, "\npluralkit ") != 1 {
		t.Errorf("got more than one source:\n%s", out)
	}

	// Nobody presses Continue.
	waiting = s.link(register().Token, "--wait", "1s")
	if out := waiting.wait(1); !strings.Contains(out, "did not come") || !strings.Contains(out, "(hint: ") {
		t.Errorf("got %q, want what to do", out)
	}
	Check(s)
}

// TestAskingAlone: a source with an API token alone is kept up by asking: who
// fronts is known after two commands, and status says how old that may be.
func TestAskingAlone(t *testing.T) {
	t.Parallel()
	world := fakepk.New(t, fakepk.Config{Seed: 6})
	sys, err := world.CreateSystem("1150000000000000003", fakepk.Fields{"name": "Harbour House"})
	world.Must(err)
	ash, err := sys.CreateMember("Ash", nil)
	world.Must(err)
	_, err = sys.Switch(ash)
	world.Must(err)
	api := httptest.NewServer(fakepk.NewAPI(t, world, fakepk.APIConfig{Now: time.Now}))
	t.Cleanup(api.Close)
	s := start(t, t.TempDir(), "--pluralkit-api", api.URL)
	token := s.secret(sys.Token())
	out := s.cli(token, "source", "add", "pluralkit", "--api-token-file", "-")
	if !strings.Contains(out, "without a webhook") || strings.Contains(out, "127.0.0.1") {
		t.Errorf("source add: got %q, want no address, and that there is no webhook", out)
	}
	await(t, "who fronts to be known", func() bool {
		out, _, code := s.try("", "query", "fronters", "tenant="+sys.UUID())
		return code == 0 && strings.Contains(out, "Ash")
	})
	await(t, "how old answers may be", func() bool { return strings.Contains(s.cli("", "status"), "up to 6m0s") })
	if out := s.cli("", "status"); strings.Contains(out, "elsewhere") || strings.Contains(out, "webhooks brought") {
		t.Errorf("status speaks of webhooks that are not wanted:\n%s", out)
	}
	if _, errOut, code := s.try("", "source", "add", "pluralkit", "another", "--system", sampleSystem, "--token-file", os.DevNull); code == 0 {
		t.Errorf("a source without any secret was added: %s", errOut)
	}
	Check(s)
}
