package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"switchlog/schemas"
)

// thingsV2 has other tables and another fold: names are shouted.
func thingsV2() Projection {
	p := things
	p.Version = 2
	p.Schema = strings.ReplaceAll(p.Schema, "name        TEXT,", "name        TEXT,\n\t\t\tloud        TEXT,")
	p.Handlers = Any(func(tx *Tx, e schemas.Recorded) error {
		if err := foldThing(tx, e); err != nil {
			return err
		}
		return tx.Exec(`UPDATE things SET loud = upper(name) WHERE uuid = ?`, e.Subject)
	})
	p.Queries = []Query{{
		Name: "things", SQL: `SELECT uuid, loud FROM things WHERE system_uuid = :tenant ORDER BY uuid LIMIT 1000`,
	}}
	return p
}

func scratch(t testing.TB, d *DB) *DB { return scratchAfter(t, d, 0) }

func scratchAfter(t testing.TB, d *DB, sent uint64) *DB {
	t.Helper()
	s, err := d.Scratch(sent)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Discard(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestLaw7ScratchEqualsLive(t *testing.T) {
	events := history(1000)
	live := openTemp(t)
	apply(t, live, 7, events)
	s := scratch(t, live)
	apply(t, s, 300, events)

	c, err := live.Compare(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if c.Total != 0 || c.First != nil || c.Rows < 300 {
		t.Errorf("got %+v, want no difference in over 300 rows", c)
	}
	if got, want := dumpAll(t, s, "outbox"), dumpAll(t, live, "outbox"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestCompareFindsEveryDifference(t *testing.T) {
	events := history(300)
	live := openTemp(t)
	apply(t, live, 100, events)
	s := scratch(t, live)
	apply(t, s, 100, events)
	for _, sql := range []string{
		`UPDATE things SET name = NULL WHERE uuid = 'thing-0001-b'`,
		`DELETE FROM tallies WHERE kind = 'delete' AND system_uuid = '` + tenantA + `'`,
		`INSERT INTO tallies VALUES ('x', 'y', 1)`,
		`UPDATE skipped SET reason = 'in other words'`, // no difference
	} {
		if err := s.tx.Exec(sql); err != nil {
			t.Fatal(err)
		}
	}
	c, err := live.Compare(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(c.First)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"Table":"tallies","Key":"` + tenantA + `/delete","Live":{"system_uuid":"` + tenantA + `","kind":"delete","n":12},"Rebuilt":null},` +
		`{"Table":"tallies","Key":"x/y","Live":null,"Rebuilt":{"system_uuid":"x","kind":"y","n":1}},` +
		`{"Table":"things","Key":"thing-0001-b",` +
		`"Live":{"uuid":"thing-0001-b","system_uuid":"` + tenantB + `","id":"thing","name":"name 1","seen":2,"deleted_us":null},` +
		`"Rebuilt":{"uuid":"thing-0001-b","system_uuid":"` + tenantB + `","id":"thing","name":null,"seen":2,"deleted_us":null}}]`
	if c.Total != 3 || string(got) != want {
		t.Errorf("got %d: %s\nwant 3: %s", c.Total, got, want)
	}

	if err := s.tx.Exec(`DELETE FROM things`); err != nil {
		t.Fatal(err)
	}
	c, err = live.Compare(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if c.Total <= maxDifferences || len(c.First) != maxDifferences {
		t.Errorf("got %d, %d told; want over 200, %d told", c.Total, len(c.First), maxDifferences)
	}
}

func TestCompareWantsOnePositionAndVersion(t *testing.T) {
	live := openTemp(t)
	apply(t, live, 100, history(100))
	s := scratch(t, live)
	apply(t, s, 100, history(99))
	if _, err := live.Compare(t.Context(), s); !errors.Is(err, ErrApart) {
		t.Errorf("got %v, want %v", err, ErrApart)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := live.Compare(ctx, s); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if err := live.Close(); err != nil {
		t.Fatal(err)
	}
	stale := open(t, live.cfg.Path, thingsV2())
	if _, err := stale.Compare(t.Context(), s); !errors.Is(err, ErrStale) {
		t.Errorf("got %v, want %v", err, ErrStale)
	}
}

// TestCompareWhileFolding: the writer is not held up, and what it does
// meanwhile is not seen.
func TestCompareWhileFolding(t *testing.T) {
	events := history(500)
	live := openTemp(t)
	apply(t, live, 100, events[:400])
	s := scratch(t, live)
	apply(t, s, 100, events[:400])
	p, err := live.pair(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, live, 1, events[400:])
	if c, err := p.compare(t.Context()); err != nil || c.Total != 0 || c.Rows < 150 {
		t.Errorf("got %+v, %v, want no difference", c, err)
	}
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
}

// testLog is a log in memory, whose live database is folded on between any two
// steps of a replay.
type testLog struct {
	t      *testing.T
	live   *DB
	events []schemas.Recorded
	held   bool
	holds  int
}

func (l *testLog) End(context.Context) (string, uint64, error) {
	return "epoch", l.events[len(l.events)-1].Seq, nil
}
func (l *testLog) Sent(context.Context) (uint64, error) { return 0, nil }

func (l *testLog) Hold(ctx context.Context, fn func(context.Context) error) error {
	l.held = true
	l.holds++
	defer func() { l.held = false }()
	return fn(ctx)
}

func (l *testLog) Batches(_ context.Context, from, to uint64, fn func([]schemas.Recorded) error) error {
	return fn(l.events[from-1 : to])
}

// foldOn folds some events more into the live database, unless it is held.
func (l *testLog) foldOn(Progress) error {
	if next := l.live.position().Seq; !l.held && next < uint64(len(l.events)) {
		apply(l.t, l.live, 10, l.events[next:min(next+10, uint64(len(l.events)))])
	}
	return nil
}

// TestReplayWhileFolding: a replay finds the live rows the same though they go on
// changing, and the swap loses nothing of that.
func TestReplayWhileFolding(t *testing.T) {
	for _, swap := range []bool{false, true} {
		live := openTemp(t)
		log := &testLog{t: t, live: live, events: history(500)}
		apply(t, live, 100, log.events[:400])
		out, err := live.Replay(t.Context(), log, swap, log.foldOn)
		if err != nil {
			t.Fatal(err)
		}
		if out.Total != 0 || out.Rows < 150 || out.Events < 410 || out.Skipped < 15 || out.Swapped != swap {
			t.Errorf("got %+v, want no difference", out)
		}
		if got := live.position().Seq; got <= out.Events {
			t.Errorf("got position %d, want one after %d: it was folded on while rows were compared", got, out.Events)
		}
		apply(t, live, 10, log.events)
		whole := openTemp(t)
		apply(t, whole, 10, log.events)
		if got, want := dumpAll(t, live, "outbox"), dumpAll(t, whole, "outbox"); got != want {
			t.Error("rows differ from those of one fold")
		}
	}
}

func TestScratchStartsEmptyAndLeavesNothing(t *testing.T) {
	live := openTemp(t)
	path := live.cfg.Path + ".rebuild"
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.WriteFile(path+suffix, []byte("left over, no database"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := live.Scratch(0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := live.Scratch(0); !errors.Is(err, ErrBusy) {
		t.Errorf("a second one: got %v, want %v", err, ErrBusy)
	}
	apply(t, s, 10, history(100))
	if err := s.Discard(); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(path + "*")
	if err != nil || left != nil {
		t.Errorf("got %q, %v, want no file left", left, err)
	}
	s = scratch(t, live)
	if p := s.position(); p.Seq != 0 {
		t.Errorf("got position %d, want 0", p.Seq)
	}
}

// TestReplace: a database of another version answers with its old rows until
// it is replaced, and then with new ones, at the same path and inode, without
// being opened again.
func TestReplace(t *testing.T) {
	events := history(600)
	path := filepath.Join(t.TempDir(), "projections.db")
	old := open(t, path)
	apply(t, old, 100, events[:500])
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}

	d := open(t, path, thingsV2())
	if stale, err := d.Stale(); !stale || err != nil {
		t.Fatalf("got stale %v, %v, want true", stale, err)
	}
	if err := d.Apply(t.Context(), "epoch", events[500:]); !errors.Is(err, ErrStale) {
		t.Errorf("Apply: got %v, want %v", err, ErrStale)
	}
	params := map[string]string{"tenant": tenantA}
	if _, err := d.Ask(t.Context(), "test", "things", params); !errors.Is(err, ErrStale) {
		t.Errorf("Ask for a new column: got %v, want %v", err, ErrStale)
	}
	if _, rows, _, err := d.SQL(t.Context(), `SELECT name FROM things LIMIT 1`, 10); err != nil || len(rows) != 1 {
		t.Errorf("SQL: got %v, %v, want an old row", rows, err)
	}

	s := scratch(t, d)
	apply(t, s, 250, events)
	if err := d.Replace(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if stale, err := d.Stale(); stale || err != nil {
		t.Errorf("got stale %v, %v, want false", stale, err)
	}
	if got, want := d.position(), s.position(); got != want {
		t.Errorf("got position %+v, want %+v", got, want)
	}
	if got, want := dumpAll(t, d, "outbox"), dumpAll(t, s, "outbox"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	a, err := d.Ask(t.Context(), "test", "things", params)
	if err != nil || a.Position.Seq != 600 || !strings.Contains(string(a.Body), `"loud":"NAME 3"`) {
		t.Errorf("got %d %.100s, %v, want new rows at 600", a.Position.Seq, a.Body, err)
	}
	after, err := os.Stat(path)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("it is another file now, or %v", err)
	}
	if mode, err := d.tx.Get(`PRAGMA journal_mode`); err != nil || mode.Text(0) != "wal" {
		t.Errorf("got journal mode %v, %v, want wal", mode, err)
	}

	// It goes on from there, also after a restart.
	apply(t, d, 1, []schemas.Recorded{thing(601, tenantA, "update", "thing-new", "n")})
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, path, thingsV2())
	if got := again.position().Seq; got != 601 {
		t.Errorf("got position %d, want 601", got)
	}
}

// TestReplaceOutbox: each change is in the outbox once, whenever the scratch
// was made and however far each had come (D13).
func TestReplaceOutbox(t *testing.T) {
	events := history(60)
	for _, c := range []struct {
		live, sent, known, liveLater, rebuilt int    // known: what the log says was sent
		want                                  string // sequences that are due
		err                                   error
	}{
		{live: 10, sent: 4, known: 4, rebuilt: 10, liveLater: 10, want: "5-10"},
		{live: 10, sent: 4, known: 4, rebuilt: 20, liveLater: 10, want: "5-20"},    // a stale one that waited
		{live: 10, sent: 10, known: 10, rebuilt: 20, liveLater: 15, want: "11-20"}, // it went on meanwhile
		{live: 10, sent: 10, known: 10, rebuilt: 12, liveLater: 15, err: ErrApart},
		{live: 0, known: 20, rebuilt: 20, liveLater: 0, want: ""},      // the file was lost
		{live: 0, known: 12, rebuilt: 20, liveLater: 0, want: "13-20"}, // before all was sent
		{live: 0, rebuilt: 20, liveLater: 0, want: "1-20"},             // it is new
		{live: 0, rebuilt: 20, liveLater: 10, want: "1-20"},
	} {
		name := fmt.Sprintf("%+v", c)
		d := openTemp(t)
		apply(t, d, 3, events[:c.live])
		if err := d.Sent(t.Context(), uint64(c.sent), 9); err != nil {
			t.Fatal(err)
		}
		s := scratchAfter(t, d, uint64(c.known))
		apply(t, d, 3, events[c.live:c.liveLater])
		apply(t, s, 7, events[:c.rebuilt])
		err := d.Replace(t.Context(), s)
		if !errors.Is(err, c.err) {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		if err == nil {
			err = d.Replace(t.Context(), s) // as if the first had failed and did happen
		}
		if c.err == nil && err != nil {
			t.Errorf("%s: again: %v", name, err)
		}
		if got, want := dueOf(t, d), dueOf(t, expected(t, events, c.want)); c.err == nil && got != want {
			t.Errorf("%s: due\ngot  %s\nwant %s", name, got, want)
		}
	}
}

// expected is a database whose outbox has what the events from-to cause.
func expected(t *testing.T, events []schemas.Recorded, span string) *DB {
	var from, to int
	if _, err := fmt.Sscanf(span, "%d-%d", &from, &to); err != nil && span != "" {
		t.Fatal(err)
	}
	d := openTemp(t)
	apply(t, d, 1, events[:to])
	if err := d.Sent(t.Context(), uint64(max(from-1, 0)), 9); err != nil {
		t.Fatal(err)
	}
	return d
}

func dueOf(t *testing.T, d *DB) string {
	t.Helper()
	due, err := d.Due(t.Context(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, o := range due {
		fmt.Fprintf(&b, "%d/%d ", o.Seq, o.N)
		if o.Change != nil {
			fmt.Fprintf(&b, "%s ", o.Change.ID)
		}
	}
	return b.String()
}

// TestReplaceFails: when it cannot be done, nothing has changed, and it can be
// done later.
func TestReplaceFails(t *testing.T) {
	d := openTemp(t)
	apply(t, d, 100, history(100))
	before := dumpAll(t, d)
	s := scratch(t, d)
	apply(t, s, 1000, history(3000))

	fails := func(what string, ctx context.Context) {
		t.Helper()
		if err := d.Replace(ctx, s); err == nil {
			t.Errorf("%s: got no error", what)
		}
		if got := dumpAll(t, d); got != before {
			t.Errorf("%s: rows have changed", what)
		}
		if got := d.position().Seq; got != 100 {
			t.Errorf("%s: got position %d, want 100", what, got)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	fails("cancelled", ctx)

	limit := func(pages int) {
		if err := d.tx.exec(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages)); err != nil {
			t.Fatal(err)
		}
	}
	limit(60) // SQLite's own "disk full"
	fails("disk full", t.Context())
	limit(1 << 30)

	other, err := openConn(d.cfg.Path, "_busy_timeout=0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.close()
	if err := d.tx.exec(`PRAGMA busy_timeout = 10`); err != nil {
		t.Fatal(err)
	}
	if err := other.exec(`BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	fails("locked", t.Context())
	if err := other.exec(`ROLLBACK`); err != nil {
		t.Fatal(err)
	}

	if err := d.Replace(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if got, want := dumpAll(t, d, "outbox"), dumpAll(t, s, "outbox"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
