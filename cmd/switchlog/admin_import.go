package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"switchlog/ingest"
	"switchlog/ingest/pluralkit"
	"switchlog/processor"
	"switchlog/schemas"
)

// importSettles is how long a log that works takes for all that waits.
const importSettles = 5 * time.Minute

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

// importEvents takes NDJSON into the log.
func (a admin) importEvents(w http.ResponseWriter, r *http.Request, body io.Reader) error {
	ctx, cancel := context.WithTimeout(r.Context(), importSettles)
	err := a.n.spool.Drained(ctx)
	cancel()
	if err != nil {
		return fault{http.StatusServiceUnavailable,
			fmt.Errorf("the log does not take what is waiting: %w (hint: switchlog status)", err)}
	}
	out, err := ingest.Import{
		Append: storing{a.n.spool, http.NewResponseController(w)}, IDs: a.n.idsOf, CatchUp: a.n.catchUp,
		Waits: func(err error) { a.n.log.Info("import: goes on without waiting for the events before", "err", err) },
	}.NDJSON(r.Context(), body)
	if err != nil {
		return err
	}
	a.n.log.Info("imported", "read", out.Read, "new", out.New, "known", out.Known, "refused", out.Refused)
	answerJSON(w, http.StatusOK, importAnswer{Imported: out})
	return nil
}

// storing is the spool, whose errors are a 503 and end the reading of a body that
// may have nothing to say for a while.
type storing struct {
	ingest.Appender
	conn *http.ResponseController
}

// Append stores events.
func (s storing) Append(ctx context.Context, events ...schemas.Event) (int, error) {
	fresh, err := s.Appender.Append(ctx, events...)
	if err != nil {
		err = fault{http.StatusServiceUnavailable, errors.Join(err, s.conn.SetReadDeadline(time.Now()))}
	}
	return fresh, err
}

// catchUp returns when the database is at most so many events behind what was
// accepted.
func (n *node) catchUp(ctx context.Context, behind uint64) error {
	if n.db == nil {
		return n.spool.Drained(ctx)
	}
	waiting := n.spool.State().Depth // asked first: what moves meanwhile is counted twice, and not left out
	info, err := n.events.Info(ctx)
	if err != nil || info.Last+waiting <= behind {
		return err
	}
	return n.db.Wait(ctx, info.Last+waiting-behind)
}

// idsOf calls fn with the message id of each event of the log whose subject matches.
func (n *node) idsOf(ctx context.Context, subject string, fn func(id string)) error {
	return n.events.Read(ctx, processor.ReadOptions{From: 1, Subject: subject}, func(_ schemas.Recorded, m schemas.Message) error {
		fn(m.ID)
		return nil
	})
}
