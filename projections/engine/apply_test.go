package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"switchlog/schemas"
)

func TestLaw6AnyBatchSize(t *testing.T) {
	events := history(1000)
	singles := openTemp(t)
	apply(t, singles, 1, events)
	want := dumpAll(t, singles)
	for _, size := range []int{2, 7, 100, 1000} {
		d := openTemp(t)
		apply(t, d, size, events)
		if got := dumpAll(t, d); got != want {
			t.Errorf("batches of %d give other rows than singles", size)
		}
		apply(t, d, size, events) // all of it is known already
		if err := d.Apply(t.Context(), "epoch", append(events[900:1000:1000], thing(1001, tenantA, "update", "x-uuid", ""))); err != nil {
			t.Error(err)
		}
		if got := d.position(); got.Seq != 1001 {
			t.Errorf("got position %+v, want 1001", got)
		}
	}
}

// TestApplyFails: an error that is not the event's fault undoes the batch,
// whatever came before it in there, and the same batch can be tried again.
func TestApplyFails(t *testing.T) {
	away := errors.New("away")
	failing := true
	p := things
	p.Handlers = Any(func(tx *Tx, e schemas.Recorded) error {
		if err := foldThing(tx, e); err != nil || e.Seq != 60 || !failing {
			return err
		}
		return away
	})
	d := openTemp(t, p)
	events := history(100)
	apply(t, d, 10, events[:20])
	before := dumpAll(t, d)
	if err := d.Apply(t.Context(), "epoch", events[20:]); !errors.Is(err, away) || !strings.Contains(err.Error(), "seq 60") {
		t.Errorf("got %v, want %v at seq 60", err, away)
	}
	if got := dumpAll(t, d); got != before {
		t.Error("rows have changed")
	}
	failing = false
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // what is begun is finished
	if err := d.Apply(ctx, "epoch", events[20:]); err != nil {
		t.Error(err)
	}
	whole := openTemp(t)
	apply(t, whole, 100, events)
	if got, want := dumpAll(t, d), dumpAll(t, whole); got != strings.ReplaceAll(want, whole.version, d.version) {
		t.Error("rows differ from those of one batch")
	}
}

// TestRefusedAfterAChange: nothing stays of an event that a fold refuses too late,
// and the events around it are folded; in a rebuild, too.
func TestRefusedAfterAChange(t *testing.T) {
	p := things
	p.Handlers = Any(func(tx *Tx, e schemas.Recorded) error {
		if err := foldThing(tx, e); err != nil || e.Seq%3 > 0 {
			return err
		}
		return fmt.Errorf("%w: too late", schemas.ErrInvalid)
	})
	d := openTemp(t, p)
	events := []schemas.Recorded{
		thing(1, tenantA, "update", "a-uuid", "one"), thing(2, tenantA, "update", "b-uuid", "two"), thing(3, tenantA, "update", "a-uuid", "three"),
		thing(4, tenantA, "update", "c-uuid", "four"), thing(5, tenantA, "update", "d-uuid", "five"), thing(6, tenantA, "update", "c-uuid", "six"),
	}
	apply(t, d, 4, events)
	row, err := d.tx.Get(`SELECT (SELECT group_concat(name) FROM things), (SELECT group_concat(seq) FROM skipped)`)
	if err != nil || row.Text(0) != "one,two,four,five" || row.Text(1) != "3,6" {
		t.Errorf("got %q, %v, want things one,two,four,five and events 3,6 set aside", row, err)
	}
	log := &testLog{t: t, live: d, events: events}
	out, err := d.Replay(t.Context(), log, true, log.foldOn)
	if err != nil || out.Total != 0 || out.Skipped != 2 || !out.Swapped {
		t.Errorf("rebuilt: got %+v, %v, want no difference", out, err)
	}
	before := dumpAll(t, d)
	if err := d.Refill(t.Context(), log, 6); err != nil {
		t.Fatal(err)
	}
	if got := dumpAll(t, d); got != before {
		t.Errorf("filled anew: got\n%s\nwant\n%s", got, before)
	}
}

// TestApplyRefuses: another log, and a file that another process writes to.
func TestApplyRefuses(t *testing.T) {
	d := openTemp(t)
	events := history(30)
	apply(t, d, 10, events[:10])
	if err := d.Apply(t.Context(), "another", events[10:]); err == nil || !strings.Contains(err.Error(), "switchlog rebuild") {
		t.Errorf("got %v, want a hint to rebuild", err)
	}
	other := open(t, d.cfg.Path)
	apply(t, other, 10, events[10:20])
	if err := d.Apply(t.Context(), "epoch", events[10:]); !errors.Is(err, errMoved) {
		t.Errorf("got %v, want %v", err, errMoved)
	}
	apply(t, d, 10, events) // it knows better now
	whole := openTemp(t)
	apply(t, whole, 10, events)
	if got, want := dumpAll(t, d), dumpAll(t, whole); got != want {
		t.Error("rows differ from those of one writer")
	}
	defer func() {
		if recover() == nil {
			t.Error("a batch out of order: got no panic")
		}
	}()
	_ = d.Apply(t.Context(), "epoch", []schemas.Recorded{thing(40, tenantA, "update", "a-uuid", ""), thing(39, tenantA, "update", "a-uuid", "")})
}

func TestDamagedFiles(t *testing.T) {
	whole := openTemp(t)
	apply(t, whole, 1000, history(3000))
	if err := whole.Close(); err != nil {
		t.Fatal(err)
	}
	sound, err := os.ReadFile(whole.cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "projections.db")
	write := func(content []byte) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	write(bytes.Repeat([]byte("this is no database. "), 1000))
	d, err := Open(Config{Path: path, Projections: []Projection{things}})
	if err != nil {
		t.Fatalf("no database: got %v, want a new one", err)
	}
	if pos := d.position(); pos.Seq != 0 {
		t.Errorf("no database: got position %d, want 0", pos.Seq)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if aside, err := os.ReadFile(path + asideSuffix); err != nil || !bytes.HasPrefix(aside, []byte("this is no database.")) {
		t.Errorf("no database: got %.20q aside, %v, want what was there", aside, err)
	}

	// Some pages in the middle are not whole: it opens, and then fails.
	torn := bytes.Clone(sound)
	for i := 8 * 4096; i < 60*4096; i++ {
		torn[i] = 0xA5
	}
	write(torn)
	d, err = Open(Config{Path: path, Projections: []Projection{things}})
	if err == nil {
		_, err = d.Ask(t.Context(), "test", "things", map[string]string{"tenant": tenantA})
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("Ask: got %v, want %v", err, ErrDamaged)
		}
		err = d.Apply(t.Context(), "epoch", []schemas.Recorded{thing(3001, tenantA, "update", "thing-0001-a", "")})
		if closing := d.Close(); closing != nil {
			t.Error(closing)
		}
	}
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("torn: got %v, want %v", err, ErrDamaged)
	}

	// Deleted, it comes back.
	if err := removeFiles(path); err != nil {
		t.Fatal(err)
	}
	d = open(t, path)
	apply(t, d, 1000, history(3000))
}

func TestForeignFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "projections.db")
	tx, err := openConn(path, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(tx.exec(`CREATE TABLE mine (x)`), tx.close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Path: path}); !errors.Is(err, errNoPosition) {
		t.Errorf("got %v, want %v", err, errNoPosition)
	}
}

func TestFileIsPrivate(t *testing.T) {
	d := openTemp(t)
	apply(t, d, 10, history(10))
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(d.cfg.Path + suffix)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got %v, %v, want mode 0600", suffix, info.Mode(), err)
		}
	}
	if got := d.Bytes(); got < 4096 {
		t.Errorf("got %d bytes, want a page at least", got)
	}
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	cfg := Config{Path: filepath.Join(t.TempDir(), "projections.db"), Projections: []Projection{things}, Metrics: reg}
	d, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, d, 40, history(100))
	s := scratch(t, d)
	apply(t, s, 100, history(100))
	if err := d.Replace(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range families {
		m := f.GetMetric()[0]
		got = append(got, fmt.Sprintf("%s %v", f.GetName(), m.GetCounter().GetValue()+m.GetGauge().GetValue()+float64(m.GetHistogram().GetSampleCount())))
	}
	want := "switchlog_projection_apply_seconds 3, switchlog_projection_batch_events 3, switchlog_projection_events_total 100, " +
		"switchlog_projection_position 100, switchlog_projection_skipped 4"
	if strings.Join(got, ", ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), want)
	}
	again, err := Open(Config{Path: cfg.Path, Projections: cfg.Projections, Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}
