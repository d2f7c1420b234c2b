package engine

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"switchlog/schemas"
)

// A Log is what a rebuild needs of the log and of the loop that folds it.
type Log interface {
	// End is the epoch of the log and its last sequence.
	End(ctx context.Context) (epoch string, last uint64, err error)
	// Batches hands fn the events from one sequence to another, in order, in
	// batches of some thousands.
	Batches(ctx context.Context, from, to uint64, fn func([]schemas.Recorded) error) error
	// Sent is the sequence up to which changes are known to be out.
	Sent(ctx context.Context) (uint64, error)
	// Hold runs fn while nothing is folded into the live database.
	Hold(ctx context.Context, fn func(context.Context) error) error
}

// Progress is how far a replay is.
type Progress struct {
	Step        string // fold or compare
	Done, Total uint64 // events
}

// Replayed is what came of a replay.
type Replayed struct {
	Events  uint64 // of the log, and the position at which the two were compared
	Seconds float64
	Skipped int64 // events that are set aside in the new database
	Swapped bool
	Comparison
}

// Replay folds the log into a scratch database and compares it with this one at
// one position; with swap it then takes its place. The live one goes on folding:
// it is held only to bring both to one position and open a snapshot of each, and
// for the swap. Progress is reported from this goroutine; an error of report ends
// it. Errors wrap ErrBusy, ErrStale, ErrDamaged, or are those of the log or ctx's.
func (d *DB) Replay(ctx context.Context, log Log, swap bool, report func(Progress) error) (out Replayed, err error) {
	begun := time.Now()
	sent, err := log.Sent(ctx)
	if err != nil {
		return out, err
	}
	scratch, err := d.filled(ctx, log, sent, d.position().Seq, report)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, scratch.Discard()) }()
	var p *pair
	err = log.Hold(ctx, func(ctx context.Context) error {
		if err := scratch.fill(ctx, log, d.position().Seq, report); err != nil {
			return err
		}
		var err error
		p, err = d.pair(ctx, scratch)
		return err
	})
	if err != nil {
		return out, err
	}
	out.Events = p.position.Seq
	if err = report(Progress{Step: "compare", Done: out.Events, Total: out.Events}); err == nil {
		out.Comparison, err = p.compare(ctx)
	}
	if err = errors.Join(err, p.close()); err != nil {
		return out, err
	}
	if swap {
		err = log.Hold(ctx, func(ctx context.Context) error {
			if err := scratch.fill(ctx, log, d.position().Seq, report); err != nil {
				return err
			}
			return d.Replace(ctx, scratch)
		})
		out.Swapped = err == nil
	}
	if err == nil {
		out.Skipped, err = scratch.SkippedCount(ctx)
	}
	out.Seconds = time.Since(begun).Seconds()
	return out, err
}

// Refill folds the whole log into a scratch database, which takes this one's
// place. Nothing is compared: this one was lost, or is of another version.
func (d *DB) Refill(ctx context.Context, log Log, sent uint64) (err error) {
	_, last, err := log.End(ctx)
	if err != nil {
		return err
	}
	scratch, err := d.filled(ctx, log, sent, last, func(Progress) error { return nil })
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, scratch.Discard()) }()
	return d.Replace(ctx, scratch)
}

// filled is a scratch into which the log is folded up to a sequence. A fold that
// refuses an event after it changed rows is a bug, but no reason never to have a new
// database: then it is begun again with one that can undo a batch.
func (d *DB) filled(ctx context.Context, log Log, sent, to uint64, report func(Progress) error) (*DB, error) {
	for careful := false; ; careful = true {
		scratch, err := d.scratchOf(sent, careful)
		if err != nil {
			return nil, err
		}
		if err = scratch.fill(ctx, log, to, report); err == nil {
			return scratch, nil
		}
		err = errors.Join(err, scratch.Discard())
		if half := (halfFolded{}); careful || !errors.As(err, &half) {
			return nil, err
		}
		d.cfg.Log.Warn("the rebuild begins again, slower: a fold changed rows before it refused an event")
	}
}

// fill folds the log up to a sequence into a scratch: one batch is read while the
// one before it is folded.
func (d *DB) fill(ctx context.Context, log Log, to uint64, report func(Progress) error) error {
	pos := d.position()
	if pos.Seq >= to {
		return nil
	}
	epoch, _, err := log.End(ctx)
	if err != nil {
		return err
	}
	batches := make(chan []schemas.Recorded)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(batches)
		return log.Batches(ctx, pos.Seq+1, to, func(batch []schemas.Recorded) error {
			select {
			case batches <- batch:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	g.Go(func() error {
		for batch := range batches {
			if err := d.Apply(ctx, epoch, batch); err != nil {
				return err
			}
			if err := report(Progress{Step: "fold", Done: batch[len(batch)-1].Seq, Total: to}); err != nil {
				return err
			}
		}
		return nil
	})
	return g.Wait()
}
