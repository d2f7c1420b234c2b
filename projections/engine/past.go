package engine

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/mattn/go-sqlite3"

	"switchlog/schemas"
)

// A question about the past is answered from a fold of the tenant's events up to
// there, in memory (D12). Folds are kept for a while: the next question about the
// same moment, or a later one, goes on from there.

// Limits of what is folded for questions about the past (Law 10).
const (
	maxPastFolds     = 2        // at once; each takes a processor
	maxPastKept      = 8        // folds that wait for the next question
	maxPastKeptBytes = 64 << 20 // that they take together
	maxPastPages     = 65_536   // of 4 KiB, that one fold may have while it is used
	pastIdle         = 5 * time.Minute
	pastBatch        = 500 // events that are folded in one transaction
)

// AsOf is the parameter that asks any query about the past: a sequence or a time.
const AsOf = "as_of"

// Events gives the events of one tenant that the log has, in order, from one
// sequence up to and including another (0: the last there is).
type Events func(ctx context.Context, source, tenant string, from, to uint64) iter.Seq2[schemas.Recorded, error]

// moment is where a question about the past stands: after the event of a
// sequence, or before the first event that was accepted after a time.
type moment struct {
	seq uint64 // 0: it is a time
	us  int64
}

func (m moment) excludes(e schemas.Recorded) bool {
	if m.seq > 0 {
		return e.Seq > m.seq
	}
	return e.Time.UnixMicro() > m.us
}

// parseMoment reads the parameter as_of.
func (d *DB) parseMoment(text string) (moment, error) {
	if seq, err := strconv.ParseUint(text, 10, 63); err == nil {
		if end := d.position().Seq; seq == 0 || seq > end {
			return moment{}, fmt.Errorf("parameter %s: %w: there is no event %d; the last that is known is %d", AsOf, schemas.ErrInvalid, seq, end)
		}
		return moment{seq: seq}, nil
	}
	us, err := schemas.ParseTime(text)
	if err != nil {
		return moment{}, fmt.Errorf("parameter %s: %w: want a sequence, or a time like 2026-01-31T23:59:59Z", AsOf, schemas.ErrInvalid)
	}
	return moment{us: us}, nil
}

// askPast answers a query as of a moment.
func (d *DB) askPast(ctx context.Context, source, tenant string, q Query, args []driver.NamedValue, at moment) (a Answer, err error) {
	if d.cfg.Events == nil {
		return a, fmt.Errorf("parameter %s: %w: there is no log here to fold", AsOf, schemas.ErrInvalid)
	}
	if err := d.past.enter(ctx); err != nil {
		return a, err
	}
	defer d.past.leave()
	f := d.past.take(source, tenant, at)
	if f == nil {
		memory, err := d.FoldTenant(source)
		if err != nil {
			return a, err
		}
		f = &pastFold{memory: memory, source: source, tenant: tenant}
		if err := memory.db.tx.exec(`PRAGMA max_page_count = ` + strconv.Itoa(maxPastPages)); err != nil {
			return a, errors.Join(err, memory.Close())
		}
	}
	if err := f.advance(ctx, d.cfg.Events, at); err != nil {
		return a, errors.Join(tooMuch(err), f.memory.Close())
	}
	a.Position = schemas.Position{Seq: max(f.seq, at.seq)}
	now := time.UnixMicro(f.lastUS)
	if at.seq == 0 {
		now = time.UnixMicro(at.us)
	}
	if q.History != nil {
		err = d.history(ctx, q, args, now, source, tenant, a.Position.Seq, &a)
	} else {
		err = a.read(ctx, f.memory.db.tx, q, args, now)
	}
	return a, errors.Join(err, d.past.keep(f))
}

// history has a query answer from the tenant's events up to a sequence.
func (d *DB) history(ctx context.Context, q Query, args []driver.NamedValue, now time.Time, source, tenant string, to uint64, a *Answer) error {
	asked := askedOf(args, now)
	asked.Tenant = tenant
	answer, err := q.History(ctx, d, asked, source, to)
	if err != nil {
		return err
	}
	return a.encode(answer)
}

// EventsOf gives the events of one tenant that the log has, in order, from the first
// up to and including that sequence. A database that was opened without a log refuses
// (schemas.ErrInvalid).
func (d *DB) EventsOf(ctx context.Context, source, tenant string, to uint64) (iter.Seq2[schemas.Recorded, error], error) {
	if d.cfg.Events == nil {
		return nil, fmt.Errorf("%w: there is no log here to fold", schemas.ErrInvalid)
	}
	return d.cfg.Events(ctx, source, tenant, 1, to), nil
}

// tooMuch names what is wrong if a fold does not fit its limit of memory.
func tooMuch(err error) error {
	var e sqlite3.Error
	if errors.As(err, &e) && e.Code == sqlite3.ErrFull {
		return fmt.Errorf("%w: the tenant's rows take over %d MiB, which is too much to fold for a question", ErrTooLarge, maxPastPages*4>>10)
	}
	return err
}

// past is the folds there are. A fold that is used is not among them.
type past struct {
	slots chan struct{} // as many as may fold at once

	mu     sync.Mutex // guards what follows
	kept   []*pastFold
	closed bool
}

func newPast() *past { return &past{slots: make(chan struct{}, maxPastFolds)} }

// pastFold is one tenant's rows as they were after an event.
type pastFold struct {
	memory         *Memory
	source, tenant string
	seq            uint64 // of the last event that is folded
	lastUS         int64  // the latest time of those that are
	through        uint64 // no event of the tenant lies between seq and this
	nextUS         int64  // when the event after was accepted; 0: not known
	used           time.Time
	bytes          int64
}

func (p *past) enter(ctx context.Context) error {
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *past) leave() { <-p.slots }

// take gives the fold that is nearest to the moment and not behind it; nil: none.
func (p *past) take(source, tenant string, at moment) *pastFold {
	p.mu.Lock()
	defer p.mu.Unlock()
	best := -1
	for i, f := range p.kept {
		before := f.seq <= at.seq
		if at.seq == 0 {
			before = f.lastUS <= at.us
		}
		if f.source == source && f.tenant == tenant && before && (best < 0 || f.seq > p.kept[best].seq) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	f := p.kept[best]
	p.kept = slices.Delete(p.kept, best, best+1)
	return f
}

// keep keeps a fold for the next question, the latest used first, and gives up
// those that are too many, too large together, or were not asked for a while.
func (p *past) keep(f *pastFold) error {
	size, err := f.memory.db.tx.Get(`SELECT page_count * page_size FROM pragma_page_count, pragma_page_size`)
	if err != nil {
		return errors.Join(err, f.memory.Close())
	}
	f.bytes, f.used = size.Int(0), time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return f.memory.Close()
	}
	p.kept = slices.Insert(p.kept, 0, f)
	return p.trim(time.Now())
}

func (p *past) trim(now time.Time) error {
	var err error
	var bytes int64
	n := 0
	p.kept = slices.DeleteFunc(p.kept, func(f *pastFold) bool {
		n, bytes = n+1, bytes+f.bytes
		if n <= maxPastKept && bytes <= maxPastKeptBytes && now.Sub(f.used) < pastIdle {
			return false
		}
		err = errors.Join(err, f.memory.Close())
		return true
	})
	return err
}

// rest gives up what was not asked for a while.
func (p *past) rest() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.trim(time.Now())
}

// forget gives up everything: the log may be another one.
func (p *past) forget(forGood bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = p.closed || forGood
	var err error
	for _, f := range p.kept {
		err = errors.Join(err, f.memory.Close())
	}
	p.kept = nil
	return err
}

// advance folds on to the moment.
func (f *pastFold) advance(ctx context.Context, events Events, at moment) error {
	if at.seq > 0 && at.seq <= max(f.through, f.seq) || at.seq == 0 && f.nextUS > at.us {
		return nil
	}
	var batch []schemas.Recorded
	fold := func() error {
		if err := ctx.Err(); err != nil || len(batch) == 0 {
			return err
		}
		if err := f.memory.db.Apply(ctx, "memory", batch); err != nil {
			return err
		}
		for _, e := range batch {
			f.lastUS = max(f.lastUS, e.Time.UnixMicro())
		}
		f.seq = batch[len(batch)-1].Seq
		batch = batch[:0]
		return nil
	}
	f.through, f.nextUS = at.seq, 0
	for e, err := range events(ctx, f.source, f.tenant, f.seq+1, at.seq) {
		if err != nil {
			return err
		}
		if at.excludes(e) {
			f.through, f.nextUS = e.Seq-1, e.Time.UnixMicro()
			break
		}
		if batch = append(batch, e); len(batch) == pastBatch {
			if err := fold(); err != nil {
				return err
			}
		}
	}
	return fold()
}
