package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"syscall"

	"github.com/mattn/go-sqlite3"

	"switchlog/processor"
	"switchlog/projections/engine"
	"switchlog/schemas"
)

// rebuildBatch is how many events are folded in one transaction when nobody
// waits for a single one.
const rebuildBatch = 5000

func (a admin) rebuild(w http.ResponseWriter, r *http.Request) error { return a.long(w, r, true) }
func (a admin) verify(w http.ResponseWriter, r *http.Request) error  { return a.long(w, r, false) }

// long runs a rebuild or a verification, answering with lines of progress.
func (a admin) long(w http.ResponseWriter, r *http.Request, swap bool) error {
	if !a.n.rebuilding.TryLock() {
		return fault{http.StatusConflict, errors.New("a rebuild or verification is running already (hint: wait for it)")}
	}
	defer a.n.rebuilding.Unlock()
	w.Header().Set("Content-Type", "application/x-ndjson")
	e := json.NewEncoder(w)
	flush := http.NewResponseController(w)
	report := func(p progress) error {
		return errors.Join(e.Encode(p), flush.Flush())
	}
	replayed, err := a.n.db.Replay(r.Context(), foldedLog(a), swap, func(p engine.Progress) error {
		return report(progress{Step: p.Step, Done: p.Done, Total: p.Total})
	})
	if err != nil {
		a.n.log.Error("rebuild", "err", err)
		return report(progress{Error: a.n.replayTrouble(err).Error()})
	}
	o := &outcome{Events: replayed.Events, Position: replayed.Events, Seconds: replayed.Seconds, Rows: replayed.Rows,
		Differences: replayed.Total, Skipped: replayed.Skipped, Swapped: replayed.Swapped}
	for _, d := range replayed.First {
		o.First = append(o.First, difference(d))
	}
	a.n.log.Info("rebuilt beside and compared", logAttrs(o)...)
	return report(progress{Step: "done", Done: o.Events, Total: o.Events, Outcome: o})
}

// replayTrouble says what kept a database from being worked out beside the one in
// use: first what a person can mend, then what SQLite calls it.
func (n *node) replayTrouble(err error) error {
	const unharmed = "the database in use is as it was"
	var fault sqlite3.Error
	path := n.path(fileDatabase) + ".rebuild"
	switch {
	case isFull(err), isFull(n.loop.Status().Err), isFull(n.spool.State().StoreError): // a log on a full disk fails in other words
		return fmt.Errorf("there is no room on the disk of %s: beside the database in use, which has %s, another must fit, and for a rebuild its WAL as well; %s (hint: make room there, and run this again): %w",
			n.cfg.Data, size(uint64(n.db.Bytes())), unharmed, err)
	case errors.As(err, &fault) && fault.SystemErrno != 0:
		return fmt.Errorf("%s; %s: %w", fileTrouble(path, fault.SystemErrno), unharmed, err)
	}
	return err
}

// isFull reports whether a disk, or what somebody may use of it, is full.
func isFull(err error) bool {
	var fault sqlite3.Error
	if errors.As(err, &fault) && (fault.Code == sqlite3.ErrFull || fault.SystemErrno == syscall.ENOSPC || fault.SystemErrno == syscall.EDQUOT) {
		return true
	}
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// foldedLog is the log, and the loop that folds it, as a replay needs them.
type foldedLog struct{ n *node }

var _ engine.Log = foldedLog{}

func (l foldedLog) End(ctx context.Context) (string, uint64, error) {
	last, err := l.n.events.Last(ctx)
	return last.Epoch, last.Seq, err
}

func (l foldedLog) Sent(ctx context.Context) (uint64, error) { return l.n.changes.Sent(ctx) }

func (l foldedLog) Hold(ctx context.Context, fn func(context.Context) error) error {
	return l.n.loop.Hold(ctx, fn)
}

func (l foldedLog) Batches(ctx context.Context, from, to uint64, fn func([]schemas.Recorded) error) error {
	var batch []schemas.Recorded
	err := l.n.events.Read(ctx, processor.ReadOptions{From: from, To: to}, func(e schemas.Recorded, _ schemas.Message) error {
		batch = append(batch, e)
		if len(batch) < rebuildBatch {
			return nil
		}
		full := batch
		batch = nil
		return fn(full)
	})
	if err != nil || len(batch) == 0 {
		return err
	}
	return fn(batch)
}

// refresh replaces a database that other tables or folds have made (the old
// rows answer until then), and one that was lost while the log was not: folding
// would bring it back, too, but would tell of old fronts on the way.
func (n *node) refresh(ctx context.Context) error {
	sent, err := n.changes.Sent(ctx)
	if err != nil {
		return err
	}
	stale, err := n.db.Stale()
	if err != nil {
		return err
	}
	pos, err := n.db.Position(ctx)
	if err != nil {
		return err
	}
	if !stale && (pos.Seq > 0 || sent == 0) {
		return nil
	}
	n.log.Info("building the database from the log")
	return n.db.Refill(ctx, foldedLog{n}, sent)
}
