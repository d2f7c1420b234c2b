package ingest

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
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

// registryEvents are those of the registry that log has.
func registryEvents(log *fakeLog) []schemas.Event {
	return slices.DeleteFunc(log.all(), func(e schemas.Event) bool {
		return e.Route.Source != schemas.SelfSource || !slices.Contains(registry.Nouns(), e.Route.Noun)
	})
}

// withKey is a bench with the secret.key of another, as two nodes share it.
func withKey(t *testing.T, of *bench, c registry.Config) *bench {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(of.dir, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	return newBenchIn(t, dir, of.clock, c, EdgeConfig{})
}

// Two nodes that share secret.key know the same sources with their secrets, whatever was done on
// which; nothing of it is in an event in clear, nor the hash of a token.
func TestNodesShareSecrets(t *testing.T) {
	a := newBench(t, EdgeConfig{})
	b := withKey(t, a, registry.Config{})
	merge := func(to *bench, from *bench) {
		t.Helper()
		if err := to.reg.Merge(t.Context(), registryEvents(from.log)); err != nil {
			t.Fatal(err)
		}
	}
	a.add(t)
	if _, err := a.reg.Add(t.Context(), registry.NewSource{Kind: "stellarstack", Name: "panel", Secrets: map[string]string{"secret": strings.Repeat("0123456789abcdef", 4)}}); err != nil {
		t.Fatal(err)
	}
	sub, err := a.reg.Subscribe(t.Context(), schemas.Subscription{Name: "s", Enabled: true}, discordURL, givenSecret)
	if err != nil {
		t.Fatal(err)
	}
	merge(b, a)
	if got := b.post(t, update1); got != 200 {
		t.Errorf("added on a, used on b: %d, want 200", got)
	}
	if url, secrets, err := b.reg.SubscriptionSecrets(sub.ID); url != discordURL || !slices.Equal(secrets, []string{givenSecret}) {
		t.Errorf("the webhook made on a, on b: %q, %d secrets, %v", url, len(secrets), err)
	}

	if _, err := b.reg.Rotate(t.Context(), "pluralkit", "home", map[string]string{"token": otherToken, "api_token": apiToken}, time.Minute); err != nil {
		t.Fatal(err)
	}
	merge(a, b)
	next := strings.Replace(update1, testToken, otherToken, 1)
	if old, new := a.post(t, update1), a.post(t, next); old != 200 || new != 200 {
		t.Errorf("rotated on b, used on a within the grace: old %d, new %d, want 200, 200", old, new)
	}
	if got, err := a.reg.Secret("pluralkit", "home", "api_token"); got != apiToken {
		t.Errorf("API token given on b, on a: %q, %v", got, err)
	}
	a.clock.pass(time.Minute)
	if old, new := a.post(t, update1), a.post(t, next); old != 401 || new != 200 {
		t.Errorf("after the grace: old %d, new %d, want 401, 200", old, new)
	}
	again := openRegistry(t, copyDir(t, a.dir), a.clock, a.lines, a.log)
	if got := again.Sources(); len(got) != 2 || got[0].CannotVerify || got[1].CannotVerify {
		t.Errorf("after a restart: %+v, want two with their secrets", got)
	}

	if err := a.reg.Remove(t.Context(), "pluralkit", "home"); err != nil {
		t.Fatal(err)
	}
	merge(b, a)
	if got := b.post(t, next); got != 401 {
		t.Errorf("removed on a, used on b: %d, want 401", got)
	}
	merge(b, b) // its own events come back by the log, too
	if !reflect.DeepEqual(names(a.reg), names(b.reg)) {
		t.Errorf("sources: %v and %v, want the same", names(a.reg), names(b.reg))
	}
	for _, e := range append(registryEvents(a.log), registryEvents(b.log)...) {
		for what, secret := range map[string][]byte{
			"token": []byte(testToken), "new token": []byte(otherToken), "API token": []byte(apiToken), "URL": []byte("example-channel-token"),
			"hash": hashOf(testToken), "signing secret": []byte(givenSecret),
		} {
			if inClear(e.Data, secret) {
				t.Errorf("%s: the %s is in clear", e.Type, what)
			}
		}
	}
}

// inClear reports whether secret is in data as it is, or in base64.
func inClear(data, secret []byte) bool {
	for shift := range 3 {
		padded := append(make([]byte, shift), secret...)
		text := []byte(base64.StdEncoding.EncodeToString(padded))
		if bytes.Contains(data, text[4:len(text)-4]) {
			return true
		}
	}
	return bytes.Contains(data, secret)
}

// secrets.db is lost. Until the log was read, a request that cannot be judged is answered 503; then
// all is as before, since the log has the secrets, sealed.
func TestSecretsComeBackFromTheLog(t *testing.T) {
	a := newBench(t, EdgeConfig{})
	a.add(t)
	b := withKey(t, a, registry.Config{LogKnows: true})
	wrong := strings.Replace(update1, testToken, "wrong", 1)
	if !b.reg.Unsure() || b.post(t, update1) != 503 || b.post(t, wrong) != 503 || b.postTo(t, "/in/discord/x") != 503 {
		t.Error("before the log is read: a request is not answered with 503")
	}
	if err := b.reg.Merge(t.Context(), registryEvents(a.log)); err != nil {
		t.Fatal(err)
	}
	b.reg.Learned()
	if right, wrong := b.post(t, update1), b.post(t, wrong); right != 200 || wrong != 401 {
		t.Errorf("then: right token %d, wrong %d; want 200, 401", right, wrong)
	}
}

// secrets.db and secret.key are lost. Requests that may be from the sources whose secret is lost are
// answered 503, all others 401, until the secret is given again.
func TestSecretsAreLost(t *testing.T) {
	a := newBench(t, EdgeConfig{})
	a.add(t)
	_, err := a.reg.Add(t.Context(), registry.NewSource{Kind: "token", Name: "shop", Secrets: map[string]string{"token": "Bearer 0123456789abcdef"}})
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, EdgeConfig{}) // with a key of its own
	if err := b.reg.Merge(t.Context(), registryEvents(a.log)); err != nil {
		t.Fatal(err)
	}
	stranger := strings.Replace(strings.Replace(update1, testToken, "x", 1), testSystem, strings.Replace(testSystem, "7", "8", 1), 1)
	for _, c := range []struct {
		what string
		got  int
		want int
	}{
		{"the right token", b.post(t, update1), 503},
		{"a request that names no system", b.post(t, strings.Replace(update1, `"`+testSystem+`"`, "null", 1)), 503},
		{"a request that names another system", b.post(t, stranger), 401},
		{"the other kind's source", b.postTo(t, "/in/token/shop"), 503},
		{"a source that never was", b.postTo(t, "/in/token/none"), 401},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", c.what, c.got, c.want)
		}
	}
	for _, s := range b.reg.Sources() {
		if !s.CannotVerify || !slices.Equal(s.Missing, []string{"token"}) {
			t.Errorf("%s: %+v, want that its token is missing", s.Name, s)
		}
	}
	if _, err := b.reg.Rotate(t.Context(), "pluralkit", "home", map[string]string{"token": testToken}, 0); err != nil {
		t.Fatal(err)
	}
	if right, wrong := b.post(t, update1), b.post(t, stranger); right != 200 || wrong != 401 {
		t.Errorf("given again: right %d, wrong %d; want 200, 401", right, wrong)
	}
	if strings.Contains(b.lines.String(), "level=ERROR") {
		t.Error("requests of strangers write errors")
	}
}

// The API token says whose a source is; without, a second source must be told. A token that the provider does
// not know is refused, and a provider that does not answer is no confirmation.
func TestSourceIsConfirmed(t *testing.T) {
	away := errors.New("the provider is away")
	systems := map[string]string{"api-1": testSystem, "api-2": "0" + testSystem[1:]}
	config := registry.Config{Whose: func(_ context.Context, kind, secret string) (string, error) {
		if kind != "pluralkit" {
			t.Errorf("asked about %s", kind)
		}
		if secret == "away" {
			return "", away
		}
		if systems[secret] == "" {
			return "", fmt.Errorf("%w: not known", schemas.ErrInvalid)
		}
		return systems[secret], nil
	}}
	add := func(r *registry.Registry, token, api, system string) (registry.Added, error) {
		n := registry.NewSource{Kind: "pluralkit", Settings: map[string]string{}, Secrets: map[string]string{"token": token}}
		if api != "" {
			n.Secrets["api_token"] = api
		}
		if system != "" {
			n.Settings["system"] = system
		}
		return r.Add(t.Context(), n)
	}
	b := newBenchIn(t, t.TempDir(), newClock(), config, EdgeConfig{})
	if _, err := add(b.reg, "t0", "wrong", ""); !errors.Is(err, schemas.ErrInvalid) {
		t.Errorf("an API token nobody knows: %v, want that it is invalid", err)
	}
	if got, err := add(b.reg, "t1", "api-1", ""); err != nil || got.Tenant != testSystem || got.Name != testSystem {
		t.Errorf("confirmed: %+v, %v; want the system", got, err)
	}
	for _, c := range []struct{ token, api string }{{"t2", ""}, {"t2", "away"}} {
		if _, err := add(b.reg, c.token, c.api, ""); !errors.Is(err, schemas.ErrInvalid) || !strings.Contains(err.Error(), "--system") {
			t.Errorf("a second source that nobody confirms (%q): %v, want a hint", c.api, err)
		}
	}
	if _, err := add(b.reg, "t2", "api-1", ""); !errors.Is(err, schemas.ErrConflict) {
		t.Errorf("a second source of a system that has one: %v, want a conflict", err)
	}
	if got, err := add(b.reg, "t2", "api-2", ""); err != nil || got.Tenant != systems["api-2"] {
		t.Errorf("a second source, confirmed: %+v, %v", got, err)
	}
	if _, err := add(b.reg, "t3", "away", "1"+testSystem[1:]); err != nil {
		t.Errorf("a source that says whose it is: %v, want that nobody is asked", err)
	}
	lone := newBenchIn(t, t.TempDir(), newClock(), config, EdgeConfig{})
	if got, err := add(lone.reg, "t1", "away", ""); err != nil || got.Tenant != "" {
		t.Errorf("the only source, provider away: %+v, %v; want that it learns", got, err)
	}
}
