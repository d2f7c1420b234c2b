package ingest

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"switchlog/ingest/registry"
	"switchlog/schemas"
)

const (
	otherToken = "another-example-token-not-real"
	apiToken   = "example-api-token-of-the-owner"
)

func names(r *registry.Registry) []string {
	all := []string{}
	for _, s := range r.Sources() {
		all = append(all, s.Name)
	}
	return all
}

func types(events []schemas.Event) []string {
	all := []string{}
	for _, e := range events {
		all = append(all, strings.TrimPrefix(e.Type, "switchlog.source."))
	}
	return all
}

// copyDir is what is on the disk at this moment: what a crash leaves.
func copyDir(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// A crash between any two steps of a command: the next start carries the
// command out, the event is in the log once, and the registry is the same.
func TestLaw3RegistryCrash(t *testing.T) {
	for name, command := range registryCommands {
		t.Run(name, func(t *testing.T) {
			dir, clock, lines, log := t.TempDir(), newClock(), &output{}, newLog(t)
			r := openRegistry(t, dir, clock, lines, log)
			addOld(t, r)
			wasSubscribed := r.SubscriptionRecords()
			var crashes []string
			crash := func() { crashes = append(crashes, copyDir(t, dir)) }
			crash()            // before the first step
			log.before = crash // between the first and the second
			log.after = func() error { crash(); return nil }
			if err := command(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			log.before, log.after = nil, nil
			crash() // behind the last
			want, wantSubscribed := r.Sources(), r.SubscriptionRecords()
			wantLog := len(log.all())

			for i, left := range crashes {
				after := newLog(t) // the log as it was at the crash
				stored := log.all()
				if i < 2 {
					stored = stored[:wantLog-1]
				}
				if _, err := after.Append(t.Context(), stored...); err != nil {
					t.Fatal(err)
				}
				again := openRegistry(t, left, clock, lines, after)
				if i == 0 {
					if got := names(again); !slices.Equal(got, []string{"old"}) {
						t.Errorf("crash %d: sources %v, want the old one", i, got)
					}
					if got := again.SubscriptionRecords(); !reflect.DeepEqual(got, wasSubscribed) {
						t.Errorf("crash %d: subscriptions %+v, want the old one", i, got)
					}
					continue
				}
				if got := again.Sources(); !reflect.DeepEqual(got, want) {
					t.Errorf("crash %d: sources %+v, want %+v", i, got, want)
				}
				if got := again.SubscriptionRecords(); !reflect.DeepEqual(got, wantSubscribed) {
					t.Errorf("crash %d: subscriptions %+v, want %+v", i, got, wantSubscribed)
				}
				if got := len(after.all()); got != wantLog {
					t.Errorf("crash %d: %d events in the log, want %d", i, got, wantLog)
				}
				if got := markedIn(t, left); got != 0 {
					t.Errorf("crash %d: %d events still marked, want none", i, got)
				}
			}
		})
	}
}

// The log cannot take the event: the command did not happen, then or later.
func TestRegistryAppendFails(t *testing.T) {
	dir, clock, lines, log := t.TempDir(), newClock(), &output{}, newLog(t)
	r := openRegistry(t, dir, clock, lines, log)
	add := registry.NewSource{Kind: "pluralkit", Name: "home", Secrets: map[string]string{"token": testToken, "api_token": apiToken}}
	log.fail(errDiskFull)
	if _, err := r.Add(t.Context(), add); !errors.Is(err, errDiskFull) {
		t.Fatalf("error %v, want %v", err, errDiskFull)
	}
	if got := names(r); len(got) != 0 {
		t.Errorf("sources %v, want none", got)
	}
	if got := names(openRegistry(t, copyDir(t, dir), clock, lines, log)); len(got) != 0 {
		t.Errorf("after a restart: sources %v, want none", got)
	}
	log.fail(nil)
	if _, err := r.Add(t.Context(), add); err != nil {
		t.Errorf("when the log is back: %v", err)
	}
	log.fail(errDiskFull)
	if err := r.Remove(t.Context(), "pluralkit", "home"); !errors.Is(err, errDiskFull) {
		t.Fatalf("error %v, want %v", err, errDiskFull)
	}
	if got, err := r.Secret("pluralkit", "home", "api_token"); got != apiToken || err != nil {
		t.Errorf("secret after a removal that failed: %q, %v", got, err)
	}
	if got := types(log.all()); !slices.Equal(got, []string{"added"}) {
		t.Errorf("log %v, want one added", got)
	}
}

// An event that a crash left marked waits, in order, while the log is away.
func TestRegistryFlushLater(t *testing.T) {
	dir, clock, lines, log := t.TempDir(), newClock(), &output{}, newLog(t)
	r := openRegistry(t, dir, clock, lines, log)
	var left string
	log.before = func() { left = copyDir(t, dir) }
	if _, err := r.Add(t.Context(), registry.NewSource{Kind: "pluralkit", Name: "a", Secrets: map[string]string{"token": testToken}}); err != nil {
		t.Fatal(err)
	}
	after := newLog(t)
	after.fail(errDiskFull)
	again := openRegistry(t, left, clock, lines, after)
	if got := names(again); !slices.Equal(got, []string{"a"}) {
		t.Errorf("sources %v, want a", got)
	}
	if err := again.Remove(t.Context(), "pluralkit", "a"); !errors.Is(err, errDiskFull) {
		t.Errorf("error %v, want %v", err, errDiskFull)
	}
	after.fail(nil)
	if err := again.Remove(t.Context(), "pluralkit", "a"); err != nil {
		t.Error(err)
	}
	if got := types(after.all()); !slices.Equal(got, []string{"added", "removed"}) {
		t.Errorf("log %v, want added, removed", got)
	}
}

func TestRotation(t *testing.T) {
	b := newBench(t, EdgeConfig{})
	b.add(t)
	next := strings.Replace(update1, testToken, otherToken, 1)
	check := func(when string, old, new int) {
		t.Helper()
		if got := b.post(t, update1); got != old {
			t.Errorf("%s: old token %d, want %d", when, got, old)
		}
		if got := b.post(t, next); got != new {
			t.Errorf("%s: new token %d, want %d", when, got, new)
		}
	}
	rotate := func(token string, grace time.Duration) {
		t.Helper()
		if _, err := b.reg.Rotate(t.Context(), "pluralkit", "home", map[string]string{"token": token}, grace); err != nil {
			t.Fatal(err)
		}
	}
	check("before", 200, 401)
	rotate(otherToken, registry.DefaultGrace)
	check("rotated", 200, 200)
	both := strings.Replace(update1, `"id":null`, `"signing_token":"`+otherToken+`"`, 1)
	if got := b.post(t, both); got != 401 {
		t.Errorf("both tokens in one body: %d, want 401", got)
	}
	b.clock.pass(registry.DefaultGrace - time.Microsecond)
	check("just in time", 200, 200)
	b.clock.pass(time.Microsecond)
	check("too late", 401, 200)
	if _, err := b.reg.Add(t.Context(), registry.NewSource{Kind: "pluralkit", Name: "heir", Settings: map[string]string{"system": "0" + testSystem[1:]}, Secrets: map[string]string{"token": testToken}}); err != nil {
		t.Errorf("a token that is over, for another source: %v", err)
	}
	if got := byToken(b.reg, testToken).Name(); got != "heir" {
		t.Errorf("its source is %s, want heir", got)
	}
	if err := b.reg.Remove(t.Context(), "pluralkit", "heir"); err != nil {
		t.Fatal(err)
	}
	rotate(testToken, 0) // the first one again, and the other over at once
	check("rotated back", 200, 401)
	if got := secretsIn(t, b.dir); got != 1 {
		t.Errorf("%d secrets kept, want 1", got)
	}

	again := openRegistry(t, copyDir(t, b.dir), b.clock, b.lines, b.log)
	if got := byToken(again, testToken); got == nil || got.Source.Verify(nil, []byte(update1)) != nil {
		t.Error("after a restart the current token is refused")
	}
	if got := byToken(again, otherToken); got != nil {
		t.Error("after a restart the old token is known")
	}
}

// Old tokens are good in a grace that spans a restart, and pruned by the
// first start after it.
func TestRotationRestart(t *testing.T) {
	b := newBench(t, EdgeConfig{})
	b.add(t)
	if _, err := b.reg.Rotate(t.Context(), "pluralkit", "home", map[string]string{"token": otherToken}, time.Hour); err != nil {
		t.Fatal(err)
	}
	left := copyDir(t, b.dir)
	again := openRegistry(t, left, b.clock, b.lines, b.log)
	if got := byToken(again, testToken); got == nil || got.Source.Verify(nil, []byte(update1)) != nil {
		t.Error("within the grace the old token is refused after a restart")
	}
	again.Close()
	b.clock.pass(time.Hour)
	again = openRegistry(t, left, b.clock, b.lines, b.log)
	again.Close()
	if got := secretsIn(t, left); got != 1 {
		t.Errorf("%d secrets in the file, want 1", got)
	}
}

// A registry that has only the log is the same but for the secrets; merging
// again, or in another order, changes nothing.
func TestMerge(t *testing.T) {
	a := newBench(t, EdgeConfig{})
	a.add(t)
	a.clock.pass(-time.Hour) // the clock is set back: order must not suffer
	for _, name := range []string{"two", "three"} {
		a.addUnsaid(t, name, "example-token-"+name)
	}
	if _, err := a.reg.Rotate(t.Context(), "pluralkit", "home", map[string]string{"token": otherToken}, time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := a.reg.Remove(t.Context(), "pluralkit", "two"); err != nil {
		t.Fatal(err)
	}
	a.post(t, update1)
	events := a.log.all()
	reversed := slices.Clone(events)
	slices.Reverse(reversed)

	want := a.reg.Sources()
	for i := range want {
		want[i].Missing, want[i].Accepted, want[i].LastEvent = []string{"token"}, 0, nil
		want[i].CannotVerify = true
		want[i].Unproven, want[i].LastUnproven = 0, nil
	}
	for name, order := range map[string][]schemas.Event{"in order": events, "backwards": reversed, "twice": append(slices.Clone(events), reversed...)} {
		b := newBench(t, EdgeConfig{})
		for _, e := range order {
			if err := b.reg.Merge(t.Context(), []schemas.Event{e}); err != nil {
				t.Fatal(err)
			}
		}
		for when, r := range map[string]*registry.Registry{"at once": b.reg, "after a restart": openRegistry(t, copyDir(t, b.dir), b.clock, b.lines, b.log)} {
			if got := r.Sources(); !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %s: got %+v, want %+v", name, when, got, want)
			}
		}
		own := uint64(len(events) - len(a.log.webhooks()))
		if b.reg.InLog() != own || a.reg.InLog() != own {
			t.Errorf("%s: events of the registry in the log: got %d, and %d there, want %d", name, b.reg.InLog(), a.reg.InLog(), own)
		}
		if got := len(b.log.all()); got != 0 {
			t.Errorf("%s: %d events appended, want none: they are from the log", name, got)
		}
		if got := b.post(t, update1); got != 503 {
			t.Errorf("%s: a source without its secret answers %d, want 503", name, got)
		}
	}
	if err := a.reg.Merge(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	if got := eventsIn(t, a.dir); got != 5 {
		t.Errorf("merging what is known: %d events, want 5", got)
	}
}

func TestSecretKey(t *testing.T) {
	setUp := func(t *testing.T) string {
		b := newBench(t, EdgeConfig{})
		if _, err := b.reg.Add(t.Context(), registry.NewSource{Kind: "pluralkit", Name: "a", Secrets: map[string]string{"token": testToken, "api_token": apiToken}}); err != nil {
			t.Fatal(err)
		}
		return copyDir(t, b.dir)
	}
	for name, c := range map[string]struct {
		spoil func(key string) error
		want  string
	}{
		"as it was": {func(string) error { return nil }, ""},
		"missing":   {os.Remove, "put it back"},
		"another":   {func(key string) error { return os.WriteFile(key, []byte(strings.Repeat("ab", 32)), 0o600) }, "belong together"},
		"short":     {func(key string) error { return os.WriteFile(key, []byte("abcd"), 0o600) }, "put it back from where it was kept"},
		"no hex":    {func(key string) error { return os.WriteFile(key, []byte(strings.Repeat("zz", 32)), 0o600) }, "put it back from where it was kept"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := setUp(t)
			if err := c.spoil(filepath.Join(dir, "secret.key")); err != nil {
				t.Fatal(err)
			}
			r, err := registry.Open(t.Context(), registryConfig(dir, newClock(), &output{}), newLog(t))
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				if got, err := r.Secret("pluralkit", "a", "api_token"); got != apiToken || err != nil {
					t.Errorf("api_token %q, %v; want %q", got, err, apiToken)
				}
				if _, err := r.Secret("pluralkit", "a", "token"); !errors.Is(err, schemas.ErrNotFound) {
					t.Errorf("a hashed secret: %v, want schemas.ErrNotFound", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), "(hint: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// No secret is in any file, log line, event or answer; files are for their
// owner alone. Law 9.
func TestLaw9NoSecretAnywhere(t *testing.T) {
	b := newBench(t, EdgeConfig{})
	const pretty = "example-token-to-rotate-to"
	_, out := b.command(t, "POST", "", `{"kind":"pluralkit","name":"home","settings":{"system":"`+testSystem+`"},"secrets":{"token":"`+testToken+`","api_token":"`+apiToken+`"}}`)
	for _, c := range [][3]string{
		{"POST", "", `{"kind":"pluralkit","secrets":{"token":"` + testToken + `"}}`},
		{"POST", "", `{"kind":"pluralkit","secrets":{"token":"` + testToken + `","` + apiToken + `":"x"}}`},
		{"POST", "", `{"kind":"pluralkit","secrets":{"token":"` + testToken + ` ` + apiToken + `"}}`},
		{"POST", "", `{"kind":"pluralkit","secrets":"` + testToken + `"}`},
		{"POST", "", `{"kind":"pluralkit","` + testToken + `":1}`},
		{"POST", "/pluralkit/home/rotate", `{"secrets":{"token":"` + pretty + `"}}`},
		{"GET", "", ""}, {"GET", "/pluralkit/home", ""},
	} {
		_, answer := b.command(t, c[0], c[1], c[2])
		out += answer
	}
	for _, body := range bodies(t) {
		b.post(t, body)
		b.post(t, body[:len(body)-1])
		b.post(t, strings.Replace(body, `"data":{`, `"data":{"echo":"`+testToken+`",`, 1))
		b.post(t, strings.Replace(body, testToken, pretty, 1))
	}
	b.log.fail(errDiskFull)
	b.post(t, update1)
	for _, e := range b.log.all() {
		m, err := e.Message()
		if err != nil {
			t.Fatal(err)
		}
		out += m.Subject + m.ID + string(m.Body)
	}
	out += b.lines.String()
	files, err := os.ReadDir(b.dir)
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files, %v; want secrets.db, its journal and the key", len(files), err)
	}
	for _, f := range files {
		content, err := os.ReadFile(filepath.Join(b.dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		out += string(content)
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v; want 0600", f.Name(), info.Mode(), err)
		}
	}
	for _, secret := range []string{testToken, apiToken, pretty, "https://hooks.example.org/pk/7f3c", "webhook_url"} {
		if i := strings.Index(out, secret); i >= 0 {
			t.Errorf("%s is in %q", secret, out[max(0, i-100):min(len(out), i+100)])
		}
	}
}
