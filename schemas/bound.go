package schemas

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Bound is one end of a part of the log: a time if Time is set, else a
// sequence; the zero Bound is before the first event.
type Bound struct {
	Seq  uint64
	Time time.Time
}

// ParseBound reads an end of a part of the log as a person gives it: a
// sequence number ("1200"), a time (RFC 3339, or a date alone, in UTC), or how
// long before now ("90m", "1h30m", "7d", "2w"). Any other is ErrInvalid.
func ParseBound(s string, now time.Time) (Bound, error) {
	if s != "" && strings.Trim(s, "0123456789") == "" {
		seq, err := strconv.ParseUint(s, 10, 63) // SQLite and JetStream agree on 63 bits
		if err != nil {
			return Bound{}, fmt.Errorf("%w: %s is no sequence number: too large", ErrInvalid, clip(s))
		}
		return Bound{Seq: seq}, nil
	}
	if ago, ok := parseAgo(s); ok {
		return Bound{Time: now.Add(-ago).UTC()}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return Bound{Time: t.UTC()}, nil
		}
	}
	return Bound{}, fmt.Errorf("%w: %q: want a sequence number, a time like 2026-01-31T23:59:59Z, or how long ago, like 90m or 7d", ErrInvalid, clip(s))
}

// maxDays is about a century: farther back there is nothing to ask for, and
// a time.Duration can hold it.
const maxDays = 36500

// parseAgo reads a duration; besides Go's units, whole days and weeks.
func parseAgo(s string) (time.Duration, bool) {
	for unit, days := range map[string]int{"d": 1, "w": 7} {
		if digits, ok := strings.CutSuffix(s, unit); ok {
			n, err := strconv.ParseUint(digits, 10, 16)
			if err != nil || int(n)*days > maxDays {
				return 0, false
			}
			return time.Duration(int(n)*days) * 24 * time.Hour, true
		}
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d >= 0
}

// MatchType reports whether an event type matches a glob, in which * stands
// for any text, dots included, and everything else for itself:
// me.pluralkit.switch.*, *.create. The empty glob matches every type.
func MatchType(glob, typ string) bool {
	if glob == "" {
		return true
	}
	parts := strings.Split(glob, "*")
	first, last := parts[0], parts[len(parts)-1]
	if len(parts) == 1 {
		return glob == typ
	}
	if len(typ) < len(first)+len(last) || !strings.HasPrefix(typ, first) || !strings.HasSuffix(typ, last) {
		return false
	}
	typ = typ[len(first) : len(typ)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		at := strings.Index(typ, part)
		if at < 0 {
			return false
		}
		typ = typ[at+len(part):]
	}
	return true
}

// clip cuts what a stranger sent to a length fit for an error.
func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}
