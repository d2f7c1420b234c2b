package test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"

	"switchlog/schemas"
)

// Check reads the log and the database and verifies every law that can be seen
// from outside. Each test of the whole system ends with it. It waits until all
// that was accepted has arrived, and gives the log.
func Check(s *server) []stored {
	s.t.Helper()
	s.settled()
	log := s.stream(schemas.StreamEvents)
	checkLog(s.t, log)
	checkChanges(s.t, log, s.stream(schemas.StreamChanges))
	if out, errOut, code := s.try("", "verify"); code != 0 {
		s.t.Errorf("Law 7: verify: exit code %d, want 0\n%s%s", code, out, errOut)
	}
	checkSecrets(s.t, s)
	if strings.Contains(s.out.String(), "a fold changed rows before it refused") {
		s.t.Error("Law 6: a fold refused an event after it had changed rows (the server's log says which)")
	}
	return log
}

// checkLog verifies laws 1 to 3 as far as the log alone shows them.
func checkLog(t *testing.T, log []stored) {
	t.Helper()
	seen := map[string]uint64{}
	var lastPos map[string]uint64 = map[string]uint64{}
	for i, m := range log {
		if m.Seq != uint64(i+1) {
			t.Fatalf("Law 2: message %d has sequence %d, want %d: the log has a gap", i, m.Seq, i+1)
		}
		if before, twice := seen[m.MsgID]; twice {
			t.Errorf("Law 1: %s is in the log twice, at %d and %d", m.MsgID, before, m.Seq)
		}
		seen[m.MsgID] = m.Seq
		spool, pos := spoolPosition(t, m)
		if pos <= lastPos[spool] {
			t.Errorf("Law 1: seq %d: spool position %d after %d: out of order", m.Seq, pos, lastPos[spool])
		}
		lastPos[spool] = pos
		var ce cloudevents.Event
		if err := json.Unmarshal(m.Body, &ce); err != nil {
			t.Errorf("seq %d: no CloudEvent: %v", m.Seq, err)
			continue
		}
		if err := ce.Validate(); err != nil {
			t.Errorf("seq %d: %v", m.Seq, err)
		}
		route, err := schemas.ParseSubject(m.Subject)
		if err != nil {
			t.Errorf("seq %d: %v", m.Seq, err)
			continue
		}
		want := route.Source + "/" + route.Tenant + "/" + ce.ID()
		if route.Source == schemas.CloudEvents { // only source and id together are unique
			want = route.Source + "/" + route.Tenant + "/" + ce.Source() + "/" + ce.ID()
		}
		if m.MsgID != want {
			t.Errorf("seq %d: Nats-Msg-Id: got %s, want %s", m.Seq, m.MsgID, want)
		}
	}
}

func spoolPosition(t *testing.T, m stored) (spool string, pos uint64) {
	t.Helper()
	spool, n, ok := strings.Cut(m.Header.Get("Switchlog-Spool"), "/")
	if !ok || json.Unmarshal([]byte(n), &pos) != nil {
		t.Fatalf("seq %d: header Switchlog-Spool: got %q, want spool/position", m.Seq, m.Header.Get("Switchlog-Spool"))
	}
	return spool, pos
}

// checkChanges verifies that every change has a cause in the log, comes in the
// order of causes, and is there once.
func checkChanges(t *testing.T, log, changes []stored) {
	t.Helper()
	seen := map[string]bool{}
	var last uint64
	for _, c := range changes {
		if seen[c.MsgID] {
			t.Errorf("change %s was sent twice", c.MsgID)
		}
		seen[c.MsgID] = true
		var e struct{ Data schemas.Change }
		if err := json.Unmarshal(c.Body, &e); err != nil {
			t.Errorf("change at %d: %v", c.Seq, err)
			continue
		}
		seq := e.Data.CauseSeq
		if seq < last {
			t.Errorf("change at %d: cause %d after %d: out of order", c.Seq, seq, last)
		}
		last = seq
		if seq == 0 || seq > uint64(len(log)) || !strings.HasSuffix(log[seq-1].MsgID, "/"+e.Data.Cause) {
			t.Errorf("change at %d: its cause %s is not at %d in the log", c.Seq, e.Data.Cause, seq)
		}
	}
}

// secrets of the sample bodies: none may be anywhere (Law 9). A test that
// makes others adds them with server.secret.
var secrets = []string{sampleToken, "https://hooks.example.org/pk/7f3c"}

// checkSecrets searches every file of the data directory and all output.
func checkSecrets(t *testing.T, s *server) {
	t.Helper()
	search := func(where string, content []byte) {
		for _, secret := range slices.Concat(secrets, s.secrets) {
			if bytes.Contains(content, []byte(secret)) {
				t.Errorf("Law 9: a secret is in %s", where)
			}
		}
	}
	search("the output", []byte(s.out.String()))
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil // a temporary file of the log or of SQLite
		}
		search(path, b)
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
}
