package ingest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"switchlog/ingest/registry"
	"switchlog/schemas"
)

var newOverlay = registry.NewReader{Name: "overlay", Source: "pluralkit", Tenant: testSystem}

// A reader is found by its token, on both nodes that share the key and after a restart, until it is
// revoked on either or its time is over. No event and no byte of secrets.db has its token or password.
func TestReaders(t *testing.T) {
	a := newBench(t, EdgeConfig{})
	b := withKey(t, a, registry.Config{})
	merge := func(to, from *bench) {
		t.Helper()
		if err := to.reg.Merge(t.Context(), registryEvents(from.log)); err != nil {
			t.Fatal(err)
		}
	}
	n := newOverlay
	n.Expires = a.clock.Now().Add(time.Hour)
	made, err := a.reg.AddReader(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.reg.AddReader(t.Context(), n); !errors.Is(err, schemas.ErrConflict) {
		t.Errorf("twice: got %v, want a conflict", err)
	}
	merge(b, a)
	again := openRegistry(t, copyDir(t, a.dir), a.clock, a.lines, a.log)
	hash := sha256.Sum256([]byte(made.Token))
	for name, r := range map[string]*registry.Registry{"a": a.reg, "b": b.reg, "a again": again} {
		got, ok := r.ReaderByToken(hash)
		if !ok || got.Name != n.Name || got.Tenant != testSystem || !got.Expires.Equal(n.Expires) {
			t.Errorf("%s: got %+v %v", name, got, ok)
		}
		if err := bcrypt.CompareHashAndPassword([]byte(got.PasswordHash), []byte(made.Password)); err != nil {
			t.Errorf("%s: password: %v", name, err)
		}
		if _, ok := r.ReaderByToken(sha256.Sum256([]byte(made.Password))); ok {
			t.Errorf("%s: the password is a token, too", name)
		}
	}
	for _, e := range append(registryEvents(a.log), registryEvents(b.log)...) {
		for what, secret := range map[string][]byte{"token": []byte(made.Token), "password": []byte(made.Password), "hash": hash[:]} {
			if inClear(e.Data, secret) {
				t.Errorf("%s: the %s is in clear", e.Type, what)
			}
		}
	}
	for _, file := range []string{"secrets.db", "secrets.db-wal"} {
		if content := read(t, a.dir, file); bytes.Contains(content, []byte(made.Token)) || bytes.Contains(content, []byte(made.Password)) {
			t.Errorf("%s has a secret in clear", file)
		}
	}

	a.clock.pass(time.Hour)
	if _, ok := a.reg.ReaderByToken(hash); ok {
		t.Error("its time is over, and it is still let in")
	}
	if all := a.reg.Readers(); len(all) != 1 || !all[0].Over(a.clock.Now()) {
		t.Errorf("readers: got %+v, want the one that is over", all)
	}
	if err := b.reg.RevokeReader(t.Context(), "overlay"); err != nil {
		t.Fatal(err)
	}
	merge(a, b)
	if all := a.reg.Readers(); len(all) != 0 {
		t.Errorf("readers: got %+v, want none", all)
	}
	if err := a.reg.RevokeReader(t.Context(), "overlay"); !errors.Is(err, schemas.ErrNotFound) {
		t.Errorf("revoked twice: got %v, want not found", err)
	}
	if secretsIn(t, a.dir) != 0 {
		t.Errorf("%d secrets are left", secretsIn(t, a.dir))
	}
}

// What is no reader is refused, and changes nothing.
func TestNewReaderIsChecked(t *testing.T) {
	b := newBench(t, EdgeConfig{})
	for what, change := range map[string]func(*registry.NewReader){
		"no name":                 func(n *registry.NewReader) { n.Name = "" },
		"a name with a dot":       func(n *registry.NewReader) { n.Name = "a.b" },
		"a wildcard":              func(n *registry.NewReader) { n.Name = "*" },
		"the operator's name":     func(n *registry.NewReader) { n.Name = "admin" },
		"the operator's, shouted": func(n *registry.NewReader) { n.Name = "ADMIN" },
		"the NATS server's own":   func(n *registry.NewReader) { n.Name = "sys" },
		"a tenant of no source":   func(n *registry.NewReader) { n.Source = "" },
		"a source of no tenant":   func(n *registry.NewReader) { n.Tenant = "" },
		"public of all":           func(n *registry.NewReader) { n.Source, n.Tenant, n.Public = "", "", true },
		"over before it begins":   func(n *registry.NewReader) { n.Expires = b.clock.Now() },
	} {
		n := newOverlay
		change(&n)
		if _, err := b.reg.AddReader(t.Context(), n); !errors.Is(err, schemas.ErrInvalid) {
			t.Errorf("%s: got %v, want it to be invalid", what, err)
		}
	}
	if got := b.reg.Readers(); len(got) != 0 || len(b.log.all()) != 0 || secretsIn(t, b.dir) != 0 {
		t.Errorf("%d readers, %d events, %d secrets, want none", len(got), len(b.log.all()), secretsIn(t, b.dir))
	}
	if !slices.Contains(registry.Nouns(), "reader") {
		t.Error("events of readers are not merged")
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// The webhooks of a reader who is gone are disabled, with the reason; nobody else's are.
func TestWebhooksOfAReaderEnd(t *testing.T) {
	b := newBench(t, EdgeConfig{})
	for _, owner := range []string{"overlay", "admin"} {
		if _, err := b.reg.Subscribe(t.Context(), schemas.Subscription{Name: owner, Owner: owner, Enabled: true}, discordURL, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.reg.DisableOf(t.Context(), "overlay", "revoked"); err != nil {
		t.Fatal(err)
	}
	for _, s := range b.reg.Subscriptions() {
		if want := s.Owner == "admin"; s.Enabled != want || (s.Reason == "revoked") == want {
			t.Errorf("of %s: enabled %v, %q", s.Owner, s.Enabled, s.Reason)
		}
	}
}
