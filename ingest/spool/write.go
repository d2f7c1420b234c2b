package spool

import (
	"context"
	"crypto/rand"
	"errors"
	"time"
)

const (
	maxBatch      = 1000    // events the writer takes into one transaction, a larger call excepted
	maxBatchBytes = 8 << 20 // of their data

	settleAfter = 100 * time.Millisecond // delivered rows wait this long for a transaction to be deleted in, then get their own
	retryAfter  = time.Second            // before a disk that refused is tried again
	idleAfter   = time.Second            // without work, before the WAL is emptied
)

// Run is the one writer. It returns nil when ctx has ended and the batch it
// had begun is finished; calls that still wait then get ErrStopped. Run it once.
func (s *Spool) Run(ctx context.Context) error {
	if s.started.Swap(true) {
		return errors.New("spool: Run again, or after Close")
	}
	defer close(s.stopped)
	timer := time.NewTimer(idleAfter)
	defer timer.Stop()
	settling := false // the timer is set for deleting, else for emptying the WAL
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case r := <-s.queue:
			s.write(s.gather(r))
			if !settling {
				timer.Reset(idleAfter)
			}
		case <-s.delivered:
			if !settling {
				settling = true
				timer.Reset(settleAfter)
			}
		case <-timer.C:
			if !s.unsettled() && !s.refusing() {
				settling = false
				s.tidy()
				continue
			}
			err := s.write(nil)
			settling = s.unsettled() || s.refusing()
			switch {
			case !settling:
				timer.Reset(idleAfter)
			case err != nil || s.refusing():
				timer.Reset(retryAfter)
			default:
				timer.Reset(0) // more than one step to delete
			}
		}
	}
	return nil
}

// gather takes first and all that already wait, up to the limit of a batch.
func (s *Spool) gather(first *request) []*request {
	s.batch = s.batch[:0]
	events, bytes := 0, int64(0)
	for r := first; ; {
		s.queuedBytes.Add(-r.bytes)
		if r.claimed.CompareAndSwap(false, true) { // else its caller has gone
			s.batch = append(s.batch, r)
			events += len(r.events)
			bytes += r.bytes
		}
		if events >= maxBatch || bytes >= maxBatchBytes {
			return s.batch
		}
		select {
		case r = <-s.queue:
		default:
			return s.batch
		}
	}
}

// write stores a batch in one transaction, which also takes over what the
// forwarder has delivered since the last, and answers everyone. With an empty
// batch it does the second only; and if requests were refused, it finds out
// whether the next would be, so that State says so before somebody tries.
func (s *Spool) write(batch []*request) error {
	probing := len(batch) == 0 && s.refusing()
	if len(batch) == 0 && !probing && !s.unsettled() {
		return nil
	}
	began := time.Now()
	err := s.file.again()
	if err == nil && (len(batch) > 0 || probing) {
		err = s.roomLeft()
	}
	if err == nil {
		err = s.store(batch)
	}
	fresh, repeats, refused := 0, 0, err
	for _, r := range batch {
		if r.err == nil {
			r.err = err
		}
		if r.err == nil {
			fresh += r.fresh
			repeats += r.given - r.fresh
		} else if errors.Is(r.err, ErrFull) {
			refused = r.err
		}
	}
	if probing && err == nil && s.file.at.bytes+maxMessageBytes > s.cfg.MaxWaiting {
		probing = false // there is no saying whether the next has room: it will tell
	}
	s.publish(refused, len(batch) > 0 || probing)
	if len(batch) > 0 {
		s.metrics.committed(fresh, repeats, time.Since(began), err)
	}
	for _, r := range batch {
		close(r.done)
	}
	if fresh > 0 {
		poke(s.more)
	}
	return err
}

// store writes the batch and everything the forwarder knows. A request that
// is at fault itself gets its own error; what store returns is for the others.
func (s *Spool) store(batch []*request) error {
	f, now := s.file, s.cfg.Now().UnixMicro()
	before, next := f.at, f.at
	s.mu.Lock()
	next.delivered, next.anchor = s.known.delivered, s.known.anchor
	most := maxMessageBytes
	if s.known.limit > 0 && before.aside.bytes >= maxAsideBytes {
		most = min(most, s.known.limit)
	}
	s.mu.Unlock()
	for _, r := range batch {
		if r.renew != nil {
			next.id, next.delivered, next.anchor = rand.Text(), s.openedAt, *r.renew
		}
		r.given = len(r.events)
		next.lastUS, r.err = r.encode(now, next.lastUS, most)
	}
	err := f.transact(func() error {
		if err := f.settle(&next); err != nil {
			return err
		}
		if err := f.ids.forget(f, now); err != nil {
			return err
		}
		f.body = f.body[:0]
		for _, r := range batch {
			f.add(r, &next, now, s.cfg.MaxWaiting)
			if err := f.move(r, &next, now); err != nil {
				return err
			}
		}
		if err := f.put(before, &next, now); err != nil {
			return err
		}
		return f.save(next)
	})
	if err == nil {
		f.at = next
		return nil
	}
	return s.doubt(err, before, next)
}

// doubt looks at what a transaction that failed has done. Nothing may be
// answered on the word of a disk that just failed: if the events are there
// after all, they are written and fsynced once more before we say so.
func (s *Spool) doubt(failed error, before, next state) error {
	f := s.file
	if err := f.again(); err != nil {
		return errors.Join(failed, err)
	}
	if f.at.last == before.last || f.at != next {
		return failed
	}
	if err := f.checkpoint(); err != nil {
		return errors.Join(failed, err)
	}
	s.logger.Warn("spool: a commit failed, but was done", "err", failed)
	return nil
}

// publish tells the world how the last transaction went. One that only
// deleted says nothing about whether requests can be stored.
func (s *Spool) publish(err error, asked bool) {
	at, now := s.file.at, s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	k := &s.known
	if k.id != at.id {
		k.id, k.delivered, k.anchor = at.id, at.delivered, at.anchor
	}
	if k.last == k.delivered && at.last > k.last {
		k.oldest = now
	}
	k.last, k.bytes, k.aside = at.last, at.bytes, at.aside
	if err == nil && !asked {
		return
	}
	switch {
	case err != nil && k.storeErr == nil:
		s.logger.Error("spool: events are refused", "err", err)
	case err == nil && k.storeErr != nil:
		s.logger.Info("spool: events are accepted again")
	}
	k.storeErr = err
}

// refusing reports whether the last requests could not be stored.
func (s *Spool) refusing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known.storeErr != nil
}

// unsettled reports whether there is something to delete or note.
func (s *Spool) unsettled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.file.at.unsettled(s.known.delivered, s.known.anchor)
}

// tidy empties the WAL when there is nothing to do: a start is then quick, and
// nothing that was forwarded stays behind in it.
func (s *Spool) tidy() {
	if s.file.conn == nil {
		return // the next write opens it
	}
	if err := s.file.checkpoint(); err != nil {
		s.logger.Warn("spool: the WAL could not be emptied; it will be tried again", "err", err)
	}
}
