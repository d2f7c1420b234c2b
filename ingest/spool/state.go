package spool

import (
	"errors"
	"time"

	"switchlog/schemas"
)

// State is how a spool is doing.
type State struct {
	ID     string    // of this spool; in the log, each message names it
	Last   uint64    // position of the last event accepted
	Depth  uint64    // events accepted and not yet known to be in the log: the last so many
	Bytes  int64     // that events take in the file, delivered ones not yet deleted included
	Oldest time.Time // when the first of Depth was accepted; zero if there is none
	Anchor schemas.Anchor

	// StoreError says why the last write failed; nil if it did not. While
	// it is set, requests are being answered 503. It is tried once a second
	// whether they would still be.
	StoreError error

	// ForwardError says why nothing moves into the log; empty if it does.
	ForwardError string

	// Aside is how many events are larger than the log's server takes and
	// stand aside until it takes more; of AsideBytes together, the largest of
	// AsideLargest. AsideDamaged of them have changed on the disk.
	Aside, AsideBytes, AsideLargest, AsideDamaged int64
	Limit                                         int // bytes that the log's server takes; 0: not known

	// LogDamaged says that the log is not the one the anchor remembers.
	// Events are still accepted; nothing is sent until a person has decided.
	LogDamaged bool

	// Damaged says that the next event is not as it was accepted: its bytes
	// have changed on the disk. Events are still accepted; nothing is sent
	// until a person has decided.
	Damaged bool
}

// State reports how the spool is doing. It does not touch the disk.
func (s *Spool) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.known
	state := State{
		ID:           k.id,
		Last:         k.last,
		Depth:        k.last - k.delivered,
		Bytes:        k.bytes,
		Anchor:       k.anchor,
		StoreError:   k.storeErr,
		ForwardError: text(k.forwarder),
		Aside:        k.aside.events, AsideBytes: k.aside.bytes, AsideLargest: k.aside.largest, AsideDamaged: k.aside.damaged,
		Limit:      k.limit,
		LogDamaged: errors.Is(k.forwarder, schemas.ErrLogDamaged),
		Damaged:    errors.Is(k.forwarder, ErrDamaged),
	}
	if state.Depth > 0 {
		state.Oldest = k.oldest
	}
	return state
}

// Anchor is what is known of the log: the latest, which may be on its way to
// the file.
func (s *Spool) Anchor() schemas.Anchor {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known.anchor
}

// text is an error as State shows it, never longer than a few lines.
func text(err error) string {
	const maxText = 500 // bytes
	if err == nil {
		return ""
	}
	t := err.Error()
	if len(t) > maxText {
		t = t[:maxText] + "…"
	}
	return t
}
