package engine

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestRest holds that the pages which a connection keeps are given back to the
// machine, and that the database goes on after it.
func TestRest(t *testing.T) {
	d := openTemp(t, trivial)
	apply(t, d, 1000, trivialEvents(1, 10_000, 10_000))
	err := d.atomically(func() error {
		return d.tx.Exec(`INSERT INTO things SELECT 'x' || value, 's', hex(randomblob(1500)), 0 FROM (WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n LIMIT 10000) SELECT value FROM n)`)
	})
	if err != nil {
		t.Fatal(err)
	}
	before := anonymousKB(t)
	if err := d.Rest(); err != nil {
		t.Fatal(err)
	}
	if after := anonymousKB(t); after > before-16_000 {
		t.Errorf("%d kB before, %d kB after: 32 MB of pages were kept", before, after)
	}
	apply(t, d, 1000, trivialEvents(10_001, 1000, 10_000))
	if a, err := d.Ask(t.Context(), "test", "thing", map[string]string{"tenant": tenantA, "ref": trivialEvents(77, 1, 10_000)[0].Subject}); err != nil || !a.Found {
		t.Error(a, err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.Rest(); err != nil {
		t.Errorf("of a closed one: %v", err)
	}
}

// anonymousKB is the memory of this process that is no file's.
func anonymousKB(t *testing.T) (kb int) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			if _, err := fmt.Sscan(rest, &kb); err != nil {
				t.Fatal(err)
			}
		}
	}
	return kb
}
