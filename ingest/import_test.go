package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"switchlog/schemas"
)

// importLog is a log to import into: what it has, and what was asked of it.
type importLog struct {
	mu     sync.Mutex // guards what follows
	stored []schemas.Event
	ids    map[string]bool // of what is stored
	calls  []int           // events of each call
	asked  []string
}

// Append stores events whose id is new, as the spool's index has it.
func (l *importLog) Append(_ context.Context, events ...schemas.Event) (fresh int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, len(events))
	if l.ids == nil {
		l.ids = map[string]bool{}
	}
	for _, e := range events {
		if id := e.MsgID(); !l.ids[id] {
			l.ids[id] = true
			l.stored = append(l.stored, e)
			fresh++
		}
	}
	return fresh, nil
}

func (l *importLog) read(_ context.Context, subject string, fn func(string)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked = append(l.asked, subject)
	prefix := strings.TrimSuffix(subject, ">")
	for _, e := range l.stored {
		if strings.HasPrefix(e.Route.LogSubject(), prefix) {
			fn(e.MsgID())
		}
	}
	return nil
}

func (l *importLog) take(t *testing.T, lines string) Imported {
	t.Helper()
	l.asked = nil
	out, err := Import{
		Append: l, IDs: l.read, CatchUp: func(context.Context, uint64) error { return nil }, Waits: func(err error) { t.Error(err) },
	}.NDJSON(t.Context(), strings.NewReader(lines))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func importLine(t *testing.T, name, id string) string {
	t.Helper()
	e := schemas.Event{
		ID: id, Type: schemas.TokenReceive, Source: schemas.NamedSourceURI(schemas.SharedToken, name), Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), DataSchema: schemas.SchemaID(schemas.TokenReceive), Origin: schemas.OriginWebhook,
		Data: []byte(`{"type":"x"}`), Extensions: map[string]any{schemas.SourceExtension: schemas.GenericSource(schemas.SharedToken, name)},
	}
	line, err := e.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(line) + "\n"
}

// TestImportAsksForWhatTheFileNames: of the log, only the ids of the tenants that
// a file names are read, each once; of a file with very many, the whole log once.
// What the log has is not stored again.
func TestImportAsksForWhatTheFileNames(t *testing.T) {
	var log importLog
	many := ""
	for n := range importTenants + 20 {
		many += importLine(t, fmt.Sprint("s", n), "a") + importLine(t, fmt.Sprint("s", n), "b")
	}
	if out := log.take(t, many); out.New != 2*(importTenants+20) || out.Known != 0 {
		t.Errorf("a new file: got %+v", out)
	}
	if got := len(log.asked); got != importTenants+1 || log.asked[importTenants] != schemas.LogEvents+".>" {
		t.Errorf("many tenants: asked %d times, at last for %s, want the whole log after %d tenants", got, log.asked[got-1], importTenants)
	}
	if out := log.take(t, many); out.New != 0 || out.Known != 2*(importTenants+20) {
		t.Errorf("the same file again: got %+v", out)
	}
	out := log.take(t, importLine(t, "s1", "a")+importLine(t, "s1", "c")+"\n"+importLine(t, "s2", "b")+"no event\n")
	if out.New != 1 || out.Known != 2 || out.Refused != 1 || out.Read != 4 || len(out.Faults) != 1 {
		t.Errorf("a few lines: got %+v", out)
	}
	if want := []string{schemas.LogEvents + ".token.s1.>", schemas.LogEvents + ".token.s2.>"}; !slices.Equal(log.asked, want) {
		t.Errorf("a few lines: asked for %q, want %q", log.asked, want)
	}
}

// TestImportLineTooLong: a line larger than any event ends the import with
// schemas.ErrInvalid, and says how many events were read.
func TestImportLineTooLong(t *testing.T) {
	var log importLog
	lines := importLine(t, "s", "a") + strings.Repeat("x", maxImportLine+1)
	_, err := Import{Append: &log, IDs: log.read}.NDJSON(t.Context(), bytes.NewReader([]byte(lines)))
	if !errors.Is(err, schemas.ErrInvalid) || !strings.HasPrefix(err.Error(), "after 1 events: ") {
		t.Errorf("got %v", err)
	}
}

// TestImportBatches: a call to the spool has at most importBatch events, and not
// many bytes more than importBatchBytes however large they are: the spool refuses
// 16 MiB.
func TestImportBatches(t *testing.T) {
	var small, large strings.Builder
	for n := range 2*importBatch + 5 {
		small.WriteString(importLine(t, "s", fmt.Sprint(n)))
	}
	text := strings.Repeat("x", 60_000)
	for n := range 500 {
		large.WriteString(strings.Replace(importLine(t, "s", fmt.Sprint(n)), `"type":"x"`, `"type":"`+text+`"`, 1))
	}
	for _, c := range []struct {
		name, lines string
		most, least int // calls
		atMost      int // events of one
	}{
		{"small", small.String(), 3, 3, importBatch},
		{"large", large.String(), 40, 20, importBatchBytes/60_000 + 1},
	} {
		var log importLog
		log.take(t, c.lines)
		if n := len(log.calls); n < c.least || n > c.most || slices.Max(log.calls) > c.atMost {
			t.Errorf("%s: got calls of %v events, want %d to %d of at most %d", c.name, log.calls, c.least, c.most, c.atMost)
		}
	}
}

// slowLog stores when the next batch is being read.
type slowLog struct {
	importLog
	next chan struct{}
	t    *testing.T
}

func (l *slowLog) Append(ctx context.Context, events ...schemas.Event) (int, error) {
	select {
	case <-l.next:
	case <-time.After(30 * time.Second):
		l.t.Error("nothing is read while a batch is being stored")
	}
	return l.importLog.Append(ctx, events...)
}

// TestImportReadsAhead: events are read while those before are stored; an import
// that may not go on ahead of the database asks again only after as many as it may
// be ahead.
func TestImportReadsAhead(t *testing.T) {
	var lines strings.Builder
	const events = 2 * importAhead
	for n := range events {
		lines.WriteString(importLine(t, "s", fmt.Sprint(n)))
	}
	at := strings.Index(lines.String(), fmt.Sprintf(`"id":"%d"`, importBatch+10)) // in the second batch
	first, rest := strings.NewReader(lines.String()[:at]), strings.NewReader(lines.String()[at:])
	log := &slowLog{next: make(chan struct{}), t: t}
	var once sync.Once
	waits := 0
	out, err := Import{
		Append: log, IDs: log.read, CatchUp: func(context.Context, uint64) error { return errDiskFull }, Waits: func(error) { waits++ },
	}.NDJSON(t.Context(), io.MultiReader(first, readFunc(func(p []byte) (int, error) {
		once.Do(func() { close(log.next) })
		return rest.Read(p)
	})))
	if err != nil || out.New != events || waits != events/importAhead {
		t.Errorf("got %+v, %v, and %d waits that were too long, want %d", out, err, waits, events/importAhead)
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }
