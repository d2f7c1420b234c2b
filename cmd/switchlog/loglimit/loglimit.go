// Package loglimit bounds how much is logged (Law 10): of lines that say the
// same, only some are written, and the next one says how many were left out.
package loglimit

import (
	"context"
	"log/slog"
	"regexp"
	"sync"
	"time"
)

// Limits of what is logged (Law 10).
const (
	burst     = 10  // lines of a kind that are written at once
	maxKinds  = 100 // kinds told apart in an hour; what comes beyond is one kind
	kindBytes = 200 // of a line that make its kind
)

// Pace is how often lines of a kind are written after the burst.
type Pace struct {
	lo, hi time.Duration // one line in this time, which doubles up to hi while they keep coming
	forget time.Duration // after a time of a kind without a line it begins anew; twice its interval if that is longer
}

var (
	// Faults is the pace of what goes wrong. A disk that stays full, or somebody who tries passwords, would fill the log
	// of the machine, and maybe the same disk.
	Faults = Pace{lo: time.Minute, hi: time.Hour, forget: 2 * time.Minute}

	// Of events that arrive a person wants to see each; a thousand in a second
	// nobody reads.
	events = Pace{lo: time.Second, hi: time.Second, forget: time.Second}
)

// Limit passes lines on, of each kind only some. The kind of a line is its
// level, its message and its error, without what differs from one line to the
// next: numbers, addresses, ids and what stands in quotes. The line that comes
// after others were left out says how many. Debug lines are passed on: whoever
// wants them wants all.
type Limit struct {
	slog.Handler
	kinds *kindsSeen
}

type kindsSeen struct {
	now  func() time.Time
	pace Pace

	mu   sync.Mutex // guards seen
	seen map[string]*kindSeen
}

// kindSeen is what was seen of a kind.
type kindSeen struct {
	left     int           // lines of the burst that may still be written
	interval time.Duration // from one line to the next after that
	written  time.Time     // the last line
	last     time.Time     // the last line that was written or left out
	omitted  int           // since the last line that was written
}

// New makes a limit before h, of a pace; now is the clock.
func New(h slog.Handler, pace Pace, now func() time.Time) *Limit {
	return &Limit{Handler: h, kinds: &kindsSeen{now: now, pace: pace, seen: map[string]*kindSeen{}}}
}

// Access is a logger for a line with each event that arrives, into the same
// output as log.
func Access(log *slog.Logger) *slog.Logger {
	h := log.Handler()
	if limited, is := h.(*Limit); is {
		h = New(limited.Handler, events, limited.kinds.now)
	}
	return slog.New(h)
}

// variable is what differs between lines of a kind: what stands in quotes, and
// words with a digit in them.
var variable = regexp.MustCompile("\"[^\"]*\"?|'[^']*'?|`[^`]*`?|\\S*[0-9]\\S*")

func kindOf(r slog.Record) string {
	kind := r.Level.String() + " " + r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "err" {
			kind += " " + a.Value.String()
		}
		return true
	})
	if len(kind) > 10*kindBytes {
		kind = kind[:10*kindBytes]
	}
	if kind = variable.ReplaceAllString(kind, ""); len(kind) > kindBytes {
		kind = kind[:kindBytes]
	}
	return kind
}

// Handle writes the line, or counts it.
func (l *Limit) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelInfo {
		return l.Handler.Handle(ctx, r)
	}
	write, omitted := l.kinds.take(kindOf(r))
	if !write {
		return nil
	}
	if omitted > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("lines_like_this_left_out", omitted))
	}
	return l.Handler.Handle(ctx, r)
}

func (s *kindsSeen) take(kind string) (write bool, omitted int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	k := s.seen[kind]
	if k == nil && len(s.seen) >= maxKinds {
		s.forget(now)
		if len(s.seen) >= maxKinds {
			kind = ""
			k = s.seen[kind]
		}
	}
	if k != nil && k.over(now, s.pace) {
		omitted, k = k.omitted, nil
	}
	if k == nil {
		k = &kindSeen{left: burst, interval: s.pace.lo}
		s.seen[kind] = k
	}
	k.last = now
	switch {
	case k.left > 0:
		k.left--
	case now.Sub(k.written) >= k.interval:
		omitted = k.omitted
		k.interval = min(2*k.interval, s.pace.hi)
	default:
		k.omitted++
		return false, 0
	}
	k.written, k.omitted = now, 0
	return true, omitted
}

// over reports whether there was none of the kind for so long that the next is news.
func (k *kindSeen) over(now time.Time, pace Pace) bool {
	return now.Sub(k.last) >= max(pace.forget, 2*k.interval)
}

// forget drops kinds of which nothing came for an hour.
func (s *kindsSeen) forget(now time.Time) {
	for kind, k := range s.seen {
		if now.Sub(k.last) >= s.pace.hi {
			delete(s.seen, kind)
		}
	}
}

// WithAttrs is for lines with attributes; they count with the same kinds.
func (l *Limit) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Limit{Handler: l.Handler.WithAttrs(attrs), kinds: l.kinds}
}

// WithGroup is for lines in a group; they count with the same kinds.
func (l *Limit) WithGroup(name string) slog.Handler {
	return &Limit{Handler: l.Handler.WithGroup(name), kinds: l.kinds}
}
