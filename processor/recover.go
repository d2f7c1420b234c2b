package processor

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"switchlog/schemas"
)

// spoolHeader says which spool a message came from and where it was in it:
// {spoolID}/{pos}.
const spoolHeader = "Switchlog-Spool"

// errAway is said in place of what the client says of a buffer while it has no connection.
var errAway = errors.New("the NATS server is not reached")

// Recover holds the log against the anchor, before anything is appended and
// after every error of Append.
//
// An anchor without epoch means that this spool never saw a log: what is
// missing of it is created, what exists is adopted. With an epoch nothing is
// ever created: a log that is missing, shorter, another one, another one at
// the anchor, or has gaps that no erasure explains is schemas.ErrLogDamaged.
//
// It returns the anchor at the log's end, and the highest position of this
// spool stored after the given anchor (0: none). All after the anchor is
// read for that, headers only (Law 1: the duplicate window is minutes, an
// outage may be days).
func (l *Log) Recover(ctx context.Context, spoolID string, a schemas.Anchor) (now schemas.Anchor, delivered uint64, err error) {
	if !l.nc.IsConnected() {
		return a, 0, errAway
	}
	for {
		before := l.nc.Stats().Reconnects
		if now, delivered, err = l.recover(ctx, spoolID, a); err != nil {
			return a, 0, err
		}
		if l.nc.Stats().Reconnects != before {
			continue // what we looked at may have been two servers
		}
		l.mu.Lock()
		l.epoch, l.reconnects = now.Epoch, before
		l.mu.Unlock()
		return now, delivered, nil
	}
}

func (l *Log) recover(ctx context.Context, spoolID string, a schemas.Anchor) (now schemas.Anchor, delivered uint64, err error) {
	if err := l.payload(); err != nil {
		return a, 0, err
	}
	if a.Epoch == "" {
		if err := l.create(ctx); err != nil {
			return a, 0, err
		}
	}
	if _, err := l.require(ctx); err != nil {
		return a, 0, err
	}
	// Whatever we sent before on this connection is stored or refused now.
	if err := l.barrier(ctx, schemas.LogEvents); err != nil {
		return a, 0, err
	}
	info, err := l.Info(ctx)
	if err != nil {
		return a, 0, err
	}
	if err := l.hold(ctx, info, a); err != nil {
		return a, 0, err
	}
	delivered, after, err := l.scan(ctx, spoolID, a.Seq, info.Last)
	if err != nil {
		return a, 0, err
	}
	// Gaps at the anchor or below are fine only as far as they are erasures.
	if there := info.Messages - after; a.Epoch != "" && there < a.Count && a.Seq-there > info.Erased {
		return a, 0, fmt.Errorf("log: %w: up to the anchor at %d there should be %d messages, there are %d %s",
			schemas.ErrLogDamaged, a.Seq, a.Count, there, hintRestore)
	}
	now = schemas.Anchor{Epoch: info.Epoch, Seq: info.Last, Count: info.Messages}
	now.ID, err = l.msgID(ctx, info.Last)
	return now, delivered, err
}

// hold compares the log with the anchor, but for the count below it.
func (l *Log) hold(ctx context.Context, info Info, a schemas.Anchor) error {
	if info.Missing > info.Erased {
		l.metrics.gaps.Inc()
		return fmt.Errorf("log: %w", damaged(info))
	}
	if a.Epoch == "" {
		return nil
	}
	if info.Epoch != a.Epoch {
		return fmt.Errorf("log: %w: it is another log than before: epoch %s, the spool knows %s %s",
			schemas.ErrLogDamaged, info.Epoch, a.Epoch, hintGone)
	}
	if info.Last < a.Seq {
		return fmt.Errorf("log: %w: it ends at %d, but %d was stored already %s", schemas.ErrLogDamaged, info.Last, a.Seq, hintGone)
	}
	if a.Seq == 0 {
		return nil
	}
	id, err := l.msgID(ctx, a.Seq)
	if err != nil {
		return err
	}
	if id != a.ID && id != "" { // empty: erased, or the gap check above would have failed
		return fmt.Errorf("log: %w: at %d it holds %s, not %s as before %s", schemas.ErrLogDamaged, a.Seq, id, a.ID, hintGone)
	}
	return nil
}

// msgID is the Nats-Msg-Id at seq; empty if there is no message.
func (l *Log) msgID(ctx context.Context, seq uint64) (string, error) {
	if seq == 0 {
		return "", nil
	}
	m, err := l.raw(ctx, schemas.StreamEvents, seq)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return m.Header.Get(nats.MsgIdHdr), nil
}

// scan reads the headers of all messages after from, up to last: how many
// there are, and the highest position of the spool among them.
func (l *Log) scan(ctx context.Context, spoolID string, from, last uint64) (delivered, count uint64, err error) {
	err = l.read(ctx, feed{stream: schemas.StreamEvents, from: from + 1, headersOnly: true}, last, func(m jetstream.Msg, _ meta) error {
		count++
		id, text, found := strings.Cut(m.Headers().Get(spoolHeader), "/")
		if !found || id != spoolID {
			return nil
		}
		pos, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return fmt.Errorf("%w: header %s: %w", schemas.ErrLogDamaged, spoolHeader, err)
		}
		delivered = max(delivered, pos)
		return nil
	})
	if err != nil {
		return 0, 0, fmt.Errorf("log: recover: %w", err)
	}
	return delivered, count, nil
}
