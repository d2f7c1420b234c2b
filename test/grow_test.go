package test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchlog/schemas"
)

// TestLaw2LogOnlyGrows does what could tempt a program to touch history, and
// wants every message that was there to be there still, byte for byte.
func TestLaw2LogOnlyGrows(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	s.addPluralKit()
	s.ready()
	var before []stored
	unchanged := func(after string) {
		t.Helper()
		s.settled()
		now := s.stream(schemas.StreamEvents)
		if len(now) < len(before) {
			t.Fatalf("after %s: got %d messages, had %d", after, len(now), len(before))
		}
		for i, m := range before {
			if now[i].Seq != m.Seq || now[i].MsgID != m.MsgID || !bytes.Equal(now[i].Body, m.Body) {
				t.Errorf("after %s: message %d is another one", after, m.Seq)
			}
		}
		before = now
	}
	id := uuid.NewString()
	send := func(body []byte) {
		t.Helper()
		if got := s.post(body); got != 200 {
			t.Fatalf("got %d, want 200", got)
		}
	}
	send(switchBody(id, time.Now()))
	unchanged("a switch")
	send(bytes.Replace(samples(t)["18-delete_switch"], []byte("c4f1e2d3-1a2b-4c3d-9e4f-5a6b7c8d9e01"), []byte(id), 1))
	unchanged("its deletion")
	send(samples(t)["19-delete_all_switches"])
	unchanged("the deletion of all")
	file := filepath.Join(t.TempDir(), "log.ndjson")
	s.cli("", "replay", "--out", file)
	unchanged("a replay")
	s.cli("", "import", file)
	unchanged("an import of itself")
	s.cli("", "rebuild")
	unchanged("a rebuild")
	s.cli("", "source", "remove", "pluralkit", sampleSystem, "--yes")
	unchanged("the removal of the source")
	s.stop()
	if err := os.Remove(filepath.Join(s.dir, "projections.db")); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.ready()
	unchanged("a restart without the database")
	Check(s)
}
