package spool

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"switchlog/schemas"
)

// Log is where the forwarder puts what the spool holds. Texts of its errors
// are shown to operators: they name positions, not people.
type Log interface {
	// Recover holds the log against the anchor. Empty anchor: first initialisation (streams are created, or an
	// existing log is adopted). It returns the anchor as it is now and the highest position of this spool that is in
	// the log after the given anchor (0: none). Missing/shorter/different log: error wrapping schemas.ErrLogDamaged.
	Recover(ctx context.Context, spoolID string, a schemas.Anchor) (now schemas.Anchor, delivered uint64, err error)
	// Append stores the batch in order. On error some, all or none may be stored: call Recover to learn which.
	Append(ctx context.Context, spoolID string, batch []schemas.Spooled) (now schemas.Anchor, err error)
	// Limit is how many bytes subject, ID and body of an event may have together, as the log's server says now; 0: not
	// known. What is larger is not given to Append.
	Limit() int
}

const (
	// batchEvery is how far apart batches begin at least, a full one
	// excepted. A batch costs the log's server as much as tens of events and
	// some fsyncs, which the writer's requests wait behind, and all that
	// follows the log works by its batches. What comes alone goes at once.
	batchEvery = 20 * time.Millisecond

	firstRetry    = 50 * time.Millisecond
	lastRetry     = 5 * time.Second
	lookEvery     = 10 * time.Second // without work, at the log: another may stand in its place
	finishForward = 4 * time.Second  // for a batch that is on its way when the end comes
)

// Forward moves what waits into log, in order, each event once, until ctx
// ends; a batch on its way is then given a few seconds. It returns nil. While
// the log is away it tries again, for as long as that takes; what waits stays
// in the file. When the log is damaged it sends nothing until log.Recover says
// otherwise. Run must be running. Call it once.
func (s *Spool) Forward(ctx context.Context, log Log) error {
	sure := false // that everything up to known.delivered is in the log, and nothing more
	for fails := 0; ctx.Err() == nil; {
		var err error
		if !sure {
			if err = s.recover(ctx, log); err == nil {
				sure = true
				if s.State().Depth == 0 {
					fails = 0 // there is nothing to send that could prove more
				}
			}
		} else if sure, err = s.forward(ctx, log); err == nil {
			fails = 0
		}
		s.report(ctx, err, sure && fails == 0)
		if err == nil {
			continue
		}
		sure = false
		fails++
		select {
		case <-ctx.Done():
		case <-time.After(pause(fails)):
		}
	}
	return nil
}

// pause is how long to wait after so many failures in a row: doubled each
// time, and at random between half and all of it.
func pause(fails int) time.Duration {
	d := min(lastRetry, firstRetry<<min(fails-1, 10))
	return d/2 + rand.N(d/2) // #nosec G404 -- when to try again is no secret
}

// isDamage reports whether only a person can help.
func isDamage(err error) bool {
	return errors.Is(err, schemas.ErrLogDamaged) || errors.Is(err, ErrDamaged)
}

// recover asks the log what it has, and goes on behind that.
func (s *Spool) recover(ctx context.Context, log Log) error {
	s.mu.Lock()
	k := s.known
	s.mu.Unlock()
	now, delivered, err := log.Recover(ctx, k.id, k.anchor)
	if err != nil {
		return fmt.Errorf("asking the log: %w", err)
	}
	if !k.recovered && delivered > s.openedAt {
		if err := s.renew(ctx, now, delivered); err != nil {
			return err
		}
	} else if delivered > k.last {
		return fmt.Errorf("the log holds position %d, this spool handed out only %d (hint: a copy of the spool file is in use elsewhere; stop one of them)", delivered, k.last)
	} else {
		s.settle(max(k.delivered, delivered), now)
	}
	s.mu.Lock()
	s.known.recovered = true
	s.mu.Unlock()
	return nil
}

// renew gives the spool a new identity, because the log holds positions under
// the present one that this file never handed out: it is an older copy. What
// was in the copy has been delivered. What was accepted since Open has not,
// but its positions say otherwise, so that they must never be compared again.
// The identity is durable before anything is sent under it.
func (s *Spool) renew(ctx context.Context, now schemas.Anchor, delivered uint64) error {
	s.logger.Warn("spool: the file is an older copy; it gets a new identity",
		"handed_out", s.openedAt, "in_log", delivered)
	if err := s.submit(ctx, &request{renew: &now, done: make(chan struct{})}); err != nil {
		return fmt.Errorf("new identity: %w", err)
	}
	return nil
}

// forward sends the next batch, or waits until there is one; sure is false when
// it has waited so long that the log should be asked again.
func (s *Spool) forward(ctx context.Context, log Log) (sure bool, err error) {
	s.mu.Lock()
	limit := log.Limit()
	s.known.limit = limit
	k := s.known
	s.mu.Unlock()
	if k.aside.smallest > 0 && k.aside.smallest <= int64(limit) {
		if err := s.takeBack(ctx, limit); err != nil {
			return false, err
		}
		return true, nil
	}
	if k.last == k.delivered {
		look := time.NewTimer(lookEvery)
		defer look.Stop()
		select {
		case <-ctx.Done():
		case <-s.more:
		case <-look.C:
			return false, nil
		}
		return true, nil
	}
	if rest := time.Until(s.batchAt.Add(batchEvery)); rest > 0 && k.last-k.delivered < maxForward {
		select {
		case <-ctx.Done():
			return true, nil
		case <-time.After(rest):
		}
		s.mu.Lock()
		k = s.known
		s.mu.Unlock()
	}
	s.batchAt = time.Now()
	batch, oldest, err := s.reader.after(k.delivered, k.last)
	if err != nil {
		return false, fmt.Errorf("reading what waits: %w", err)
	}
	s.mu.Lock()
	s.known.oldest = oldest
	s.mu.Unlock()
	ctx, cancel := withTimeoutAfter(ctx, finishForward)
	defer cancel()
	first := batch[0]
	if batch = fit(batch, limit); len(batch) == 0 {
		if err := s.setAside(ctx, first, limit, k.anchor); err != nil {
			return false, err
		}
		return true, nil
	}
	now, err := log.Append(ctx, k.id, batch)
	if err != nil {
		return false, fmt.Errorf("into the log: %w", err)
	}
	s.metrics.forwarded.Add(float64(len(batch)))
	s.settle(batch[len(batch)-1].Pos, now)
	return true, nil
}

// settle remembers that everything up to pos is in the log. Run deletes it
// with its next transaction, or soon; if the disk refuses, later. Until then
// memory says what is never to be sent again, and after a crash the log does.
func (s *Spool) settle(pos uint64, a schemas.Anchor) {
	s.mu.Lock()
	s.known.delivered, s.known.anchor = pos, a
	close(s.moved)
	s.moved = make(chan struct{})
	s.mu.Unlock()
	poke(s.delivered)
}

// Drained returns when all that was durable at the call is in the log, or
// with ctx's error. What is accepted meanwhile is not waited for.
func (s *Spool) Drained(ctx context.Context) error {
	s.mu.Lock()
	last := s.known.last
	s.mu.Unlock()
	for {
		s.mu.Lock()
		done, moved := s.known.delivered >= last, s.moved
		s.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// report keeps why forwarding stands still, and logs when that begins, becomes
// another thing, and ends.
func (s *Spool) report(ctx context.Context, err error, moving bool) {
	if err == nil && !moving || ctx.Err() != nil {
		return // asking went well, sending is still to be tried; or we are stopping
	}
	s.mu.Lock()
	before := s.known.forwarder
	s.known.forwarder = err
	s.mu.Unlock()
	if err != nil {
		s.metrics.forwardErrors.Inc()
	}
	switch {
	case isDamage(err) && !isDamage(before):
		s.logger.Error("spool: damage; events are accepted, but nothing is forwarded", "err", err)
	case err != nil && before == nil:
		s.logger.Warn("spool: nothing moves into the log; it is tried again", "err", err)
	case err == nil && before != nil:
		s.logger.Info("spool: forwarding again")
	}
}
