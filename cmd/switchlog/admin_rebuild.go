package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"switchlog/processor"
	"switchlog/projections"
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
	o, err := a.n.compareWithReplay(r.Context(), swap, report)
	if err != nil {
		a.n.log.Error("rebuild", "err", err)
		return report(progress{Error: err.Error()})
	}
	a.n.log.Info("rebuilt beside and compared", logAttrs(o)...)
	return report(progress{Step: "done", Done: o.Events, Total: o.Events, Outcome: o})
}

// compareWithReplay folds the log into a scratch database and compares it with
// the live one at the same position; with swap it then takes its place. The
// live one goes on folding until the last moment.
func (n *node) compareWithReplay(ctx context.Context, swap bool, report func(progress) error) (_ *outcome, err error) {
	begun := time.Now()
	sent, err := n.changes.Sent(ctx)
	if err != nil {
		return nil, err
	}
	scratch, err := n.db.Scratch(sent)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, scratch.Discard()) }()
	pos, err := n.db.Position(ctx)
	if err != nil {
		return nil, err
	}
	if err := n.fill(ctx, scratch, pos.Seq, report); err != nil {
		return nil, err
	}
	o := &outcome{}
	err = n.loop.Hold(ctx, func(ctx context.Context) error {
		pos, err := n.db.Position(ctx)
		if err != nil {
			return err
		}
		if err := n.fill(ctx, scratch, pos.Seq, report); err != nil {
			return err
		}
		o.Events, o.Position = pos.Seq, pos.Seq
		if err := report(progress{Step: "compare", Done: pos.Seq, Total: pos.Seq}); err != nil {
			return err
		}
		if err := n.compare(ctx, scratch, o); err != nil || !swap {
			return err
		}
		o.Swapped = true
		return n.db.Replace(ctx, scratch)
	})
	o.Seconds = time.Since(begun).Seconds()
	return o, err
}

func (n *node) compare(ctx context.Context, scratch *projections.DB, o *outcome) error {
	c, err := n.db.Compare(ctx, scratch)
	if err != nil {
		return err
	}
	o.Rows, o.Differences = c.Rows, c.Total
	for _, d := range c.First {
		o.First = append(o.First, difference(d))
	}
	o.Skipped, err = scratch.SkippedCount(ctx)
	return err
}

// fill folds the log up to seq into db, which nobody else writes.
func (n *node) fill(ctx context.Context, db *projections.DB, to uint64, report func(progress) error) error {
	pos, err := db.Position(ctx)
	if err != nil || pos.Seq >= to {
		return err
	}
	last, err := n.events.Last(ctx)
	if err != nil {
		return err
	}
	batches := make(chan []schemas.Recorded)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(batches)
		return n.batches(ctx, processor.ReadOptions{From: pos.Seq + 1, To: to}, batches)
	})
	g.Go(func() error {
		for batch := range batches {
			if err := db.Apply(ctx, last.Epoch, batch); err != nil {
				return err
			}
			if err := report(progress{Step: "fold", Done: batch[len(batch)-1].Seq, Total: to}); err != nil {
				return err
			}
		}
		return nil
	})
	return g.Wait()
}

// batches reads a part of the log, the next batch while the last is folded.
func (n *node) batches(ctx context.Context, o processor.ReadOptions, to chan<- []schemas.Recorded) error {
	var batch []schemas.Recorded
	hand := func() error {
		if len(batch) == 0 {
			return nil
		}
		select {
		case to <- batch:
			batch = nil
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := n.events.Read(ctx, o, func(e schemas.Recorded, _ schemas.Message) error {
		batch = append(batch, e)
		if len(batch) < rebuildBatch {
			return nil
		}
		return hand()
	})
	return errors.Join(err, hand())
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
	return n.rebuildWhole(ctx, sent)
}

func (n *node) rebuildWhole(ctx context.Context, sent uint64) (err error) {
	last, err := n.events.Last(ctx)
	if err != nil {
		return err
	}
	n.log.Info("building the database from the log", "events", last.Seq)
	scratch, err := n.db.Scratch(sent)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, scratch.Discard()) }()
	quiet := func(progress) error { return nil }
	if err := n.fill(ctx, scratch, last.Seq, quiet); err != nil {
		return err
	}
	return n.db.Replace(ctx, scratch)
}
