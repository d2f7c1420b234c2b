package test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchlog/schemas"
)

// TestRoles runs the parts as two processes on one NATS server: one takes
// webhooks, the other keeps the database and answers.
func TestRoles(t *testing.T) {
	t.Parallel()
	o := startOutside(t)
	in := start(t, t.TempDir(), "--nats", o.url(), "--roles", "ingest")
	in.addPluralKit()
	know := start(t, t.TempDir(), "--nats", o.url(), "--roles", "query,process")
	know.ready()
	in.ready()

	const switches = 40
	var last string
	for i := range switches {
		last = uuid.NewString()
		if got := in.post(switchBody(last, time.Date(2026, 1, 1, 0, 0, i, 0, time.UTC))); got != 200 {
			t.Fatalf("POST to the node that ingests: got %d, want 200", got)
		}
	}
	query := []string{"sql", "--json", "SELECT count(*) AS n, max(uuid = '" + last + "') AS newest FROM switches"}
	await(t, "the switches in the database of the other node", func() bool {
		out := know.cli("", query...)
		return strings.Contains(out, "40") && strings.Contains(out, "1")
	})
	in.isIngest()
	know.isDatabase(in)

	// A command that adds events works on any node: each has its own spool.
	know.cli(event(t, "imported", time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC))+"\n", "import", "-")
	log := Check(know)
	spools := map[string]bool{}
	for _, m := range log {
		spool, _ := spoolPosition(t, m)
		spools[spool] = true
	}
	if len(spools) != 2 {
		t.Errorf("spools in the log: got %d, want 2", len(spools))
	}

	// Both come back, and the log of the two is no surprise to either.
	in.stop()
	know.stop()
	in.start()
	know.start()
	if got := in.post(switchBody(uuid.NewString(), time.Date(2026, 1, 3, 0, 0, 0, 0, time.UTC))); got != 200 {
		t.Fatalf("POST after a restart: got %d, want 200", got)
	}
	await(t, "the event after the restart", func() bool { return know.settled() == uint64(len(log)+1) })
	Check(know)
}

// isIngest holds what a node with the role ingest alone shows and hides.
func (s *server) isIngest() {
	s.t.Helper()
	if status, _, _ := s.get("/api/v1/" + schemas.PluralKit + "/" + sampleSystem + "/fronters"); status != http.StatusNotFound {
		s.t.Errorf("a question to a node without query: got %d, want 404", status)
	}
	if _, errOut, code := s.try("", "sql", "SELECT 1"); code != 1 || !strings.Contains(errOut, "--roles") {
		s.t.Errorf("sql on a node without process: got exit code %d, %q, want 1 and the roles", code, errOut)
	}
	var st struct {
		Ready      bool
		Roles      []string
		Public     string
		Projection *json.RawMessage
		Sources    []struct{ Name string }
	}
	if err := json.Unmarshal([]byte(s.cli("", "status", "--json")), &st); err != nil {
		s.t.Fatal(err)
	}
	if !st.Ready || strings.Join(st.Roles, ",") != "ingest" || st.Projection != nil || len(st.Sources) != 1 || st.Public != s.Public {
		s.t.Errorf("status: got %+v, want ready, ingest alone, one source, no database", st)
	}
	s.cli("", "status")
	if _, err := os.Stat(filepath.Join(s.dir, "projections.db")); !os.IsNotExist(err) {
		s.t.Errorf("projections.db on a node without process: got %v, want none", err)
	}
}

// isDatabase holds what a node without the role ingest shows, and that it
// learned from the log of the source that in has.
func (s *server) isDatabase(in *server) {
	s.t.Helper()
	if s.Public != "" {
		s.t.Errorf("public address of a node without ingest: got %q, want none", s.Public)
	}
	if status, _, body := s.get("/api/v1/" + schemas.PluralKit + "/" + sampleSystem + "/switches"); status != http.StatusOK {
		s.t.Errorf("a question to the node with query: got %d %s, want 200", status, body)
	}
	if got, want := s.cli("", "source", "list", "--json"), in.cli("", "source", "list", "--json"); !strings.Contains(got, sampleSystem) || !strings.Contains(want, sampleSystem) {
		s.t.Errorf("sources: got %s, want those of %s", got, want)
	}
	if out := s.cli("", "status"); !strings.Contains(out, "query,process") || strings.Contains(out, "public") {
		s.t.Errorf("status: got %s, want the roles and no public address", out)
	}
}
