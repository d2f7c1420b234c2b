//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// taking is one run of one contender: how it took requests.
type taking struct {
	contender   string
	connections int
	rate        float64 // 0: closed loop
	loaded
	settled time.Duration // after the last answer, until the log had all; 0: it had
	used    usage         // of contender and NATS, until then
	natsCPU time.Duration // of that, of a NATS server of its own; 0: there is none
	rss     int64         // at most
	fsyncs  int64         // -1: not known
	kept    int64         // bytes on disk in the end
}

// perEvent is a part of the whole for each event.
func (t *taking) perEvent(whole float64) float64 { return whole / float64(t.ok) }

// take runs a contender under load for d, after a moment to warm up, and
// holds that the log has what was answered.
func (b *bench) take(ctx context.Context, c contender, connections int, rate float64, d time.Duration) (t taking, err error) {
	t = taking{contender: c.name, connections: connections, rate: rate}
	e, err := c.start(ctx, b)
	if e != nil {
		defer func() {
			err = errors.Join(err, e.stop())
			for _, dir := range e.dirs {
				err = errors.Join(err, os.RemoveAll(dir))
			}
		}()
	}
	if err != nil {
		return t, err
	}
	p := newPoster(e.addr)
	before, err := e.count(ctx)
	if err != nil {
		return t, err
	}
	if err := e.knock(p, 0, e.js != nil); err != nil {
		return t, err
	}
	l := &load{addr: e.addr, connections: connections, rate: rate, request: p.request, first: 1}
	warm, err := l.run(b.warm)
	if err != nil {
		return t, fmt.Errorf("warming up: %w", err)
	}
	if _, err := e.holds(ctx, before+1+warm.ok); err != nil {
		return t, err
	}
	l.first += warm.sent
	beganNATS, began, counting := used(e.parts[0]), used(e.parts...), countSyncs(e.parts...)
	if t.loaded, err = l.run(d); err != nil {
		return t, err
	}
	if t.settled, err = e.holds(ctx, before+1+warm.ok+t.ok); err != nil {
		return t, err
	}
	t.used = used(e.parts...).minus(began)
	if len(e.parts) > 1 {
		t.natsCPU = used(e.parts[0]).minus(beganNATS).cpu
	}
	t.fsyncs = counting.end()
	_, t.rss = rss(e.parts...)
	t.kept = sizeOf(e.dirs...) / int64(1+warm.ok+t.ok)
	if t.refused > 0 {
		return t, fmt.Errorf("%d requests of %d were refused", t.refused, t.sent)
	}
	return t, nil
}

// count is how many events the log has.
func (e *entrant) count(ctx context.Context) (uint64, error) {
	if e.js == nil {
		return 0, nil
	}
	if e.node != nil {
		if err := e.node.settled(ctx, patience); err != nil {
			return 0, err
		}
	}
	return messages(ctx, e.js)
}

// holds waits until the log has want events, and tells for how long. More
// than that, or not all within a minute, is an error.
func (e *entrant) holds(ctx context.Context, want uint64) (time.Duration, error) {
	if e.js == nil {
		return 0, nil
	}
	began := time.Now()
	for {
		got, err := messages(ctx, e.js)
		switch {
		case err != nil:
			return 0, err
		case got == want:
			return time.Since(began), nil
		case got > want || time.Since(began) > 2*time.Minute:
			return 0, fmt.Errorf("the log has %d events, %d were answered 200", got, want)
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}
