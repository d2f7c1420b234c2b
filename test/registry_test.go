package test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// awaitWithin fails the test unless what happens in time.
func awaitWithin(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	began := time.Now()
	await(t, what, ok)
	if took := time.Since(began); took > limit {
		t.Errorf("%s took %s, want %s at most", what, took, limit)
	}
}

// TestNodesShareRegistry adds, rotates and removes sources on one node and uses them on another on the same
// NATS server, which shares secret.key: each within a second, without a restart. The API token
// arrives where reconciliation runs. No node has a secret in clear in the log.
func TestNodesShareRegistry(t *testing.T) {
	t.Parallel()
	o := startOutside(t)
	know := start(t, t.TempDir(), "--nats", o.url(), "--pluralkit-api", "http://127.0.0.1:1")
	know.ready()
	key := filepath.Join(know.dir, "secret.key")
	in := start(t, t.TempDir(), "--nats", o.url(), "--roles", "ingest", "--secret-key-file", key)
	in.ready()
	answers := func(s *server, token string, want int) func() bool {
		return func() bool { return s.postWith(token, sampleSystem) == want }
	}

	first, second, api := know.newSecret(), in.newSecret(), in.newSecret()
	know.cli(first, "source", "add", "pluralkit", "home", "--token-file", "-", "--system", sampleSystem)
	awaitWithin(t, time.Second, "the source that was added on the other node", answers(in, first, 200))

	in.cli(second, "source", "rotate", "pluralkit", "home", "--token-file", "-", "--grace", "0s")
	awaitWithin(t, time.Second, "the token that was replaced on the other node", answers(know, second, 200))
	if got := know.postWith(first, sampleSystem); got != http.StatusUnauthorized {
		t.Errorf("the old token: got %d, want 401", got)
	}

	in.cli(api, "source", "rotate", "pluralkit", "home", "--api-token-file", "-", "--grace", "0s")
	awaitWithin(t, 10*time.Second, "the API token where reconciliation runs", func() bool {
		_, errOut, _ := know.try("", "reconcile")
		return !strings.Contains(errOut, "no API token")
	})

	know.cli("", "source", "remove", "pluralkit", "home", "--yes")
	awaitWithin(t, time.Second, "the removal on the other node", answers(in, second, 401))
	in.stop()
	in.start()
	if got := in.postWith(second, sampleSystem); got != http.StatusUnauthorized {
		t.Errorf("after a restart: got %d, want 401", got)
	}
	Check(know)
}

// TestSecretsLost empties or deletes secrets.db while the server is off. The log has the secrets, sealed: with
// secret.key all is as before. Without it what the source sends is answered 503 and not 401,
// readiness and doctor say what to do, and the secret that is given again puts it right.
func TestSecretsLost(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	s.addPluralKit()
	s.settled()
	post := func() int { return s.postWith(sampleToken, sampleSystem) }
	lose := func(names ...string) {
		t.Helper()
		s.stop()
		for _, name := range names {
			if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for what, by := range map[string]func(){
		"deleted": func() { lose("secrets.db", "secrets.db-wal", "secrets.db-shm") },
		"emptied": func() {
			lose("secrets.db-wal", "secrets.db-shm")
			if err := os.Truncate(filepath.Join(s.dir, "secrets.db"), 0); err != nil {
				t.Fatal(err)
			}
		},
	} {
		by()
		s.start()
		s.ready()
		if got := post(); got != http.StatusOK {
			t.Errorf("secrets.db %s: got %d, want 200", what, got)
		}
	}

	lose("secrets.db", "secrets.db-wal", "secrets.db-shm", "secret.key")
	s.start()
	if got := post(); got != http.StatusServiceUnavailable {
		t.Errorf("with the key lost, too: got %d, want 503", got)
	}
	await(t, "word of the secret", func() bool {
		status, _, body := s.get("/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(string(body), "the secret of source pluralkit")
	})
	s.wantFinding("server", "problem", "is not on this machine", "source rotate pluralkit")
	s.cli(sampleToken, "source", "rotate", "pluralkit", "--token-file", "-", "--grace", "0s")
	s.ready()
	if got := post(); got != http.StatusOK {
		t.Errorf("with the secret given again: got %d, want 200", got)
	}
	Check(s)
}

// TestNATSRefuses starts on a NATS server outside that refuses the password, or is not there: the cause is said
// at once, nothing says ready, commands find the server, and it is ready once the server is.
func TestNATSRefuses(t *testing.T) {
	t.Parallel()
	o := startOutside(t)
	for _, c := range []struct {
		name, url, says string
		away            bool
	}{
		{"wrong password", fmt.Sprintf("nats://admin:not-the-password@127.0.0.1:%d", o.port), `refuses user "admin" or the password`, false},
		{"no password", fmt.Sprintf("nats://127.0.0.1:%d", o.port), "or the password", false},
		{"away", o.url(), "nobody answers at the NATS server's address", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.away {
				o.kill()
			}
			began := time.Now()
			s := start(t, t.TempDir(), "--nats", c.url)
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %s until commands find the server", took)
			}
			s.addPluralKit()
			out := s.out.String()
			if !strings.Contains(out, c.says) || strings.Contains(out, "ready") || strings.Contains(out, "outbound buffer") {
				t.Errorf("said: %s; want %q, and neither ready nor of buffers", out, c.says)
			}
			if strings.Contains(out, "not-the-password") || strings.Contains(out, outsidePassword) {
				t.Error("the password is in the output")
			}
			if got := s.postWith(sampleToken, sampleSystem); got != http.StatusOK {
				t.Errorf("a webhook meanwhile: got %d, want 200", got)
			}
			if stdout, _, code := s.try("", "status"); code == 2 || !strings.Contains(stdout, c.says) {
				t.Errorf("status: exit code %d, %s; want %q", code, stdout, c.says)
			}
			s.wantFinding("server", "problem", c.says, "--nats")
			if c.away {
				o.start()
				s.ready()
				await(t, "ready", func() bool { return strings.Contains(s.out.String(), "\nready. ") })
				Check(s)
			}
		})
	}
}
