package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	// walLarge is a WAL of the database that SQLite could not move into the file:
	// it begins at 8 MiB, and cuts the WAL back to 16 MiB afterwards.
	walLarge = 32 << 20

	walEvery = 5 * time.Second
)

// walWatch looks how large the database's WAL is. A program that reads in a
// transaction which it leaves open keeps SQLite from moving the WAL into the file,
// and it grows with every event; nothing else suffers, until the disk is full.
type walWatch struct {
	path string
	now  func() time.Time

	mu    sync.Mutex // guards since
	since time.Time  // when it was first seen to be large; zero: it is not
}

func newWALWatch(path string, now func() time.Time, r prometheus.Registerer) *walWatch {
	w := &walWatch{path: path, now: now}
	r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "switchlog_projection_wal_bytes", Help: "Size of projections.db-wal. Above 32 MiB for long: a program left a read transaction open.",
	}, func() float64 { bytes, _ := w.look(); return float64(bytes) }))
	return w
}

// look is how large the WAL is, and since when it is large.
func (w *walWatch) look() (bytes int64, since time.Time) {
	if info, err := os.Stat(w.path); err == nil { // none: it is empty
		bytes = info.Size()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case bytes < walLarge:
		w.since = time.Time{}
	case w.since.IsZero():
		w.since = w.now()
	}
	return bytes, w.since
}

// run looks until ctx ends, so that it is known since when.
func (w *walWatch) run(ctx context.Context) error {
	for pause(ctx, walEvery) {
		w.look()
	}
	return nil
}

// walHeld says for a person what a large WAL means; empty if it is not large.
func walHeld(bytes int64, since string) string {
	if since == "" {
		return ""
	}
	return fmt.Sprintf("projections.db-wal has %s, and is as large for %s: a program that reads projections.db keeps a transaction open "+
		"(hint: look for one, e.g. with `fuser -v projections.db`, and end its transaction; nothing else suffers, and the file becomes small by itself)", size(uint64(bytes)), strings.TrimSuffix(ago(since), " ago"))
}
