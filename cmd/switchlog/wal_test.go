package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"switchlog/schemas"
)

// A WAL that stays large is named in status and doctor, with its size and since
// when, and no more when it is small again.
func TestLargeWALIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "projections.db-wal")
	now := time.Now().Add(-time.Hour)
	w := newWALWatch(path, func() time.Time { return now }, prometheus.NewRegistry())
	shown := func() (string, string) {
		t.Helper()
		var p projectionStatus
		var since time.Time
		p.WALBytes, since = w.look()
		if !since.IsZero() {
			p.WALSince = schemas.FormatTime(since)
		}
		var says, doctor strings.Builder
		if err := (status{Projection: &p}).print(&says); err != nil {
			t.Fatal(err)
		}
		if err := printFindings(&doctor, examineDatabase(p), 0); err != nil {
			t.Fatal(err)
		}
		return says.String(), doctor.String()
	}
	for _, tc := range []struct {
		bytes int64
		after time.Duration
		says  string // empty: nothing
	}{{1 << 20, 0, ""}, {99 << 20, time.Minute, "99.0 MiB"}, {120 << 20, time.Minute, "120.0 MiB"}, {16 << 20, time.Minute, ""}} {
		now = now.Add(tc.after)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, tc.bytes); err != nil {
			t.Fatal(err)
		}
		says, doctor := shown()
		for name, text := range map[string]string{"status": says, "doctor": doctor} {
			if named := strings.Contains(text, "keeps a transaction open"); named != (tc.says != "") || !strings.Contains(text, tc.says) {
				t.Errorf("%s with %d bytes: %s", name, tc.bytes, text)
			}
		}
		if !strings.Contains(says, "WAL") {
			t.Errorf("status does not tell the size: %s", says)
		}
	}
	if _, since := w.look(); !since.IsZero() {
		t.Errorf("got since %v, want none", since)
	}
}
