package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"switchlog/ingest/pluralkit"
	"switchlog/processor"
	"switchlog/schemas"
)

// Limits of an import.
const (
	importBatch  = 500
	importFaults = 20 // lines told about one by one

	// importAhead is how many events an import may be ahead of the database.
	// At its own speed it fills the memory of the NATS server (which keeps what
	// it wrote for ten seconds), and is done no sooner.
	importAhead = 4000

	// importWait is how long it waits for that, before it goes on: they may be
	// held up by something else.
	importWait = 10 * time.Second

	// importedRepeats is how long the spool remembers the ids of imported
	// events: longer than an import runs. What was imported before is in the
	// log, and found there.
	importedRepeats = 24 * time.Hour
)

// importFile takes a file into the log: events, or what pk;export made.
func (a admin) importFile(w http.ResponseWriter, r *http.Request) error {
	kind, body, err := pluralkit.OpenFile(r.Body)
	switch {
	case err != nil:
		return unusable("%w", err)
	case kind == pluralkit.ExportFile:
		err = a.importExport(w, r, body)
	default:
		err = a.importEvents(w, r, body)
	}
	if f := (fault{}); errors.Is(err, schemas.ErrInvalid) && !errors.As(err, &f) {
		return unusable("%w", err)
	}
	return err
}

// unusable is the error of a file that cannot be taken: not the fault of how
// the command was called, so it exits 1 where badRequest has it exit 2.
func unusable(format string, args ...any) error {
	return fault{http.StatusUnprocessableEntity, fmt.Errorf(format, args...)}
}

// importEvents takes NDJSON into the log. Events the log has are left out:
// those stored already are found by reading it, those on their way (and those
// of an import that runs at the same time) by the spool's index.
func (a admin) importEvents(w http.ResponseWriter, r *http.Request, body io.Reader) error {
	known, err := a.n.knownIDs(r.Context())
	if err != nil {
		return err
	}
	var out importAnswer
	var batch []schemas.Event
	ahead := 0
	flush := func() error {
		fresh, err := a.n.spool.Append(r.Context(), batch...)
		if err != nil {
			return fault{http.StatusServiceUnavailable, err}
		}
		out.New += fresh
		out.Known += len(batch) - fresh
		batch = batch[:0]
		if ahead += fresh; ahead < importAhead {
			return nil
		}
		ahead = 0
		return a.n.catchUp(r.Context())
	}
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 64<<10), maxLineBytes)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		out.Read++
		e, err := importable(lines.Bytes())
		switch {
		case err != nil:
			out.Refused++
			if len(out.Faults) < importFaults {
				out.Faults = append(out.Faults, fmt.Sprintf("line %d: %v", n, err))
			}
		case e.Route.Source == schemas.SelfSource:
			out.Registry++
		case known[idHash(e.MsgID())]:
			out.Known++
		default:
			batch = append(batch, e)
		}
		if len(batch) == importBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return unusable("after %d events: %w", out.Read, err)
	}
	if len(batch) > 0 {
		if err := flush(); err != nil {
			return err
		}
	}
	a.n.log.Info("imported", "read", out.Read, "new", out.New, "known", out.Known, "refused", out.Refused)
	answerJSON(w, http.StatusOK, out)
	return nil
}

// catchUp waits until the database is not more than importAhead events behind
// what was accepted, or for importWait.
func (n *node) catchUp(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, importWait)
	defer cancel()
	err := n.spool.Drained(waiting)
	if err == nil && n.db != nil {
		var info processor.Info
		if info, err = n.events.Info(waiting); err == nil && info.Last > importAhead {
			err = n.db.Wait(waiting, info.Last-importAhead)
		}
	}
	if err != nil && ctx.Err() == nil {
		n.log.Info("import: goes on without waiting for the events before", "err", err)
	}
	return ctx.Err()
}

// importable reads one line. The event keeps its id, time and origin: a
// replayed file gives the same log again, wherever it is read.
func importable(line []byte) (schemas.Event, error) {
	var e schemas.Event
	if err := e.UnmarshalJSON(line); err != nil {
		return e, err
	}
	route, err := schemas.RouteOf(e)
	if err != nil {
		return e, err
	}
	if route.Verb == "changed" {
		return e, fmt.Errorf("%w: %s is a conclusion from events, not an event", schemas.ErrInvalid, e.Type)
	}
	if len(e.ID) > maxIDBytes {
		return e, fmt.Errorf("%w: an id of %d bytes", schemas.ErrInvalid, len(e.ID))
	}
	e.Route = route
	if e.Origin == "" {
		e.Origin = schemas.OriginImport
	}
	if err := e.Validate(); err != nil {
		return e, err
	}
	e.Repeats = importedRepeats
	e.Data = append([]byte(nil), e.Data...) // the line's memory is used again
	return e, nil
}

// maxIDBytes bounds an event's id; ours are at most 60, a sender's at most 1 KiB.
const maxIDBytes = 1 << 10

func idHash(msgID string) [16]byte {
	h := sha256.Sum256([]byte(msgID))
	return [16]byte(h[:16])
}

// knownIDs are the ids of all events in the log, once all that was accepted
// before has got there.
func (n *node) knownIDs(ctx context.Context) (map[[16]byte]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	if err := n.spool.Drained(ctx); err != nil {
		return nil, fault{http.StatusServiceUnavailable,
			fmt.Errorf("the log does not take what is waiting: %w (hint: switchlog status)", err)}
	}
	known := map[[16]byte]bool{}
	err := n.events.Read(ctx, processor.ReadOptions{From: 1, Subject: schemas.LogEvents + ".>"},
		func(_ schemas.Recorded, m schemas.Message) error {
			known[idHash(m.ID)] = true
			return nil
		})
	return known, err
}
