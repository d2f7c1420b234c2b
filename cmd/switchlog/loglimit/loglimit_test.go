package loglimit

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// Whatever comes again and again, and for however long, writes few lines; what
// is new is written, and how many were left out is said.
func TestLogIsBoundedByTime(t *testing.T) {
	for name, line := range map[string]func(*slog.Logger, int){
		"failed logins": func(l *slog.Logger, n int) {
			l.Error(fmt.Sprintf(`nats server: 127.0.0.1:%d - cid:%d - "v1.55.%d:go:name %[3]d" - authentication error - User "guess%[3]d"`, 1024+n%60000, n, n))
		},
		"TLS": func(l *slog.Logger, n int) {
			l.Error(fmt.Sprintf(`nats server: [::1]:%d - cid:%d - TLS handshake error: remote error: tls: bad certificate`, n, n))
		},
		"a full disk": func(l *slog.Logger, n int) {
			l.Error("projections: apply; trying again", "seq", n, "events", n%7, "err", fmt.Errorf("seq %d: %w", n, errors.New("database or disk is full")))
		},
		"a server that is away": func(l *slog.Logger, n int) {
			l.With("part", "x").Warn("changes: not sent; trying again", "err", "nats: no servers available for connection")
		},
		"any text": func(l *slog.Logger, n int) {
			l.Warn(strings.Repeat(string(rune('a'+n%26)), 1+n/26%900))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			now := time.Unix(0, 0)
			log := slog.New(New(slog.NewTextHandler(&out, nil), Faults, func() time.Time { return now }))
			for n := range 20_000 {
				line(log, n)
				if n == 10_000 {
					log.Error("something else", "err", "and new")
				}
				now = now.Add(time.Second) // 5.5 hours
			}
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			most := 60
			if name == "any text" {
				most = 7 * (maxKinds + burst)
			}
			if len(lines) > most || len(lines) < burst {
				t.Errorf("got %d lines, want %d to %d", len(lines), burst, most)
			}
			if !strings.Contains(out.String(), "something else") {
				t.Error("what is new was left out")
			}
			if name != "any text" && !strings.Contains(out.String(), "lines_like_this_left_out=") {
				t.Error("it is not said how many lines were left out")
			}
			if name == "any text" {
				return
			}
			now = now.Add(3 * time.Hour) // it was well
			before := len(lines)
			line(log, 1)
			if got := strings.Count(out.String(), "\n"); got != before+1 {
				t.Errorf("after a quiet time: got %d lines, want 1", got-before)
			}
		})
	}
}

// TestAccessLogPace: each event that arrives is seen while a person could read
// it; of many at once some, and how many were left out.
func TestAccessLogPace(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	log := slog.New(New(slog.NewTextHandler(&out, nil), Faults, func() time.Time { return now }))
	access := Access(log)
	lines := func(n int, every time.Duration) int {
		out.Reset()
		for i := range n {
			now = now.Add(every)
			access.Info("accepted", "type", "me.pluralkit.switch.create", "event", i)
		}
		return strings.Count(out.String(), "\n")
	}
	if got := lines(1000, 2*time.Second); got != 1000 {
		t.Errorf("one every two seconds: got %d lines of 1000", got)
	}
	now = now.Add(time.Minute)
	if got := lines(10_000, time.Millisecond); got < 15 || got > 25 || !strings.Contains(out.String(), "lines_like_this_left_out=") {
		t.Errorf("1,000 in a second, for ten: got %d lines, want about 20 that say how many are left out", got)
	}
}
