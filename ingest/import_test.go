package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"switchlog/schemas"
)

// importLog is a log to import into: what it has, and what was asked of it.
type importLog struct {
	stored []schemas.Event
	asked  []string
}

// Append stores events whose id is new, as the spool's index has it.
func (l *importLog) Append(_ context.Context, events ...schemas.Event) (fresh int, err error) {
	for _, e := range events {
		if !slices.ContainsFunc(l.stored, func(s schemas.Event) bool { return s.MsgID() == e.MsgID() }) {
			l.stored = append(l.stored, e)
			fresh++
		}
	}
	return fresh, nil
}

func (l *importLog) ids(_ context.Context, subject string, fn func(string)) error {
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
		Append: l, IDs: l.ids, CatchUp: func(context.Context, uint64) error { return nil }, Waits: func(err error) { t.Error(err) },
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
	_, err := Import{Append: &log, IDs: log.ids}.NDJSON(t.Context(), bytes.NewReader([]byte(lines)))
	if !errors.Is(err, schemas.ErrInvalid) || !strings.HasPrefix(err.Error(), "after 1 events: ") {
		t.Errorf("got %v", err)
	}
}
