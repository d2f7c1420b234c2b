//go:build linux

package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	_ "github.com/mattn/go-sqlite3" // the database is read as any program reads it
	"github.com/nats-io/nats.go"

	"switchlog/schemas"
)

// sightings are when an event was first seen at each place, in nanoseconds
// since 1970; 0: not yet.
type sightings struct {
	first                           uint64 // number of the first
	answered, live, stored, changed []atomic.Int64
	seq                             []atomic.Uint64 // in the log
	none                            atomic.Int64    // seen, and not one of ours
}

func newSightings(first uint64, n int) *sightings {
	return &sightings{first: first, answered: make([]atomic.Int64, n), live: make([]atomic.Int64, n), stored: make([]atomic.Int64, n),
		changed: make([]atomic.Int64, n), seq: make([]atomic.Uint64, n)}
}

// index finds an event by an id that ends in the switch's.
func (s *sightings) index(id string) (int, bool) {
	if len(id) >= 36 {
		if n, ok := switchNumber(id[len(id)-36:]); ok && n >= s.first && n-s.first < uint64(len(s.live)) {
			return int(n - s.first), true
		}
	}
	s.none.Add(1)
	return 0, false
}

// measureSeeing is N4: how long after the 200 an event is in the database
// and among the changes, at 1,000 events a second.
func measureSeeing(ctx context.Context, b *bench) (err error) {
	e, err := startServe(ctx, b)
	if e != nil {
		defer func() { err = errors.Join(err, e.stop(), os.RemoveAll(e.dirs[0])) }()
	}
	if err != nil {
		return err
	}
	p := newPoster(e.addr)
	const rate = 1000
	l := &load{addr: e.addr, connections: 64, rate: rate, request: p.request, first: 1}
	warm, err := l.run(b.warm)
	if err != nil {
		return err
	}
	if err := e.node.settled(ctx, patience); err != nil {
		return err
	}
	l.first += warm.sent
	s := newSightings(l.first, int(2*rate*b.long.Seconds()))
	l.answered = func(n uint64, at time.Time) { s.answered[n-s.first].Store(at.UnixNano()) }
	unwatch, err := s.watch(ctx, e.node)
	if err != nil {
		return err
	}
	res, err := l.run(b.long)
	if err == nil {
		err = e.node.settled(ctx, patience)
	}
	if err = errors.Join(err, unwatch()); err != nil {
		return err
	}
	return b.seen(s, int(res.sent))
}

// watch looks everywhere at once, until the returned function is called.
func (s *sightings) watch(ctx context.Context, n *node) (unwatch func() error, err error) {
	nc, err := n.connect()
	if err != nil {
		return nil, err
	}
	if _, err = nc.Subscribe(schemas.Events+".pluralkit.>", s.sawEvent); err != nil {
		return nil, err
	}
	if _, err = nc.Subscribe(schemas.Changes+".pluralkit.*.front", s.sawChange); err != nil {
		return nil, err
	}
	if err := nc.Flush(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	var failed error
	watching.Go(func() { failed = s.watchDatabase(ctx, filepath.Join(n.dir, "projections.db")) })
	return func() error {
		err := nc.Flush()
		nc.Close()
		cancel()
		watching.Wait()
		return errors.Join(err, failed)
	}, nil
}

func (s *sightings) sawEvent(m *nats.Msg) {
	now := time.Now().UnixNano()
	i, ok := s.index(m.Header.Get(nats.MsgIdHdr))
	if !ok {
		return
	}
	seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	if err == nil {
		s.live[i].Store(now)
		s.seq[i].Store(seq)
	}
}

func (s *sightings) sawChange(m *nats.Msg) {
	now := time.Now().UnixNano()
	var in struct{ Data schemas.Change }
	if err := json.Unmarshal(m.Data, &in); err != nil {
		s.none.Add(1)
		return
	}
	if i, ok := s.index(strings.TrimSpace(in.Data.Cause)); ok {
		s.changed[i].Store(now)
	}
}

// watchDatabase asks the file itself, each millisecond, how far it is.
func (s *sightings) watchDatabase(ctx context.Context, path string) (err error) {
	db, err := sql.Open("sqlite3", "file:"+path+"?mode=ro&_query_only=1&_busy_timeout=5000")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close()) }()
	ask, err := db.Prepare(`SELECT max(seq) FROM positions`)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ask.Close()) }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for next := 0; ctx.Err() == nil; <-tick.C {
		var position uint64
		if err := ask.QueryRow().Scan(&position); err != nil {
			return err
		}
		now := time.Now().UnixNano()
		// Numbers are accepted nearly in order: look a little ahead.
		for i := next; i < min(next+4096, len(s.seq)); i++ {
			if seq := s.seq[i].Load(); seq != 0 && seq <= position {
				s.stored[i].CompareAndSwap(0, now)
			}
		}
		for next < len(s.seq) && s.stored[next].Load() != 0 {
			next++
		}
	}
	return nil
}

// seen makes the table of N4.
func (b *bench) seen(s *sightings, sent int) error {
	var out [][]string
	for _, place := range []struct {
		name   string
		at     []atomic.Int64
		must   bool // all are seen there
		number string
	}{
		{"on `events.…`", s.live, true, ""},
		{"in `projections.db`", s.stored, true, "visible in the database, p99 at 1,000/s"},
		{"on `changes.…`", s.changed, false, "visible on changes.…, p99 at 1,000/s"},
	} {
		var h histogram
		for i := range sent {
			if place.at[i].Load() == 0 && place.must || s.answered[i].Load() == 0 {
				return fmt.Errorf("event %d of %d was not seen %s", i, sent, place.name)
			}
			if place.at[i].Load() == 0 {
				continue
			}
			h.add(time.Duration(place.at[i].Load() - s.answered[i].Load()))
		}
		if h.n < uint64(sent)/2 {
			return fmt.Errorf("%d of %d events were seen %s", h.n, sent, place.name)
		}
		out = append(out, []string{place.name, fmt.Sprint(h.n), ms(h.quantile(0.5)), ms(h.quantile(0.99)), ms(h.quantile(0.999)), ms(h.max)})
		if place.number != "" {
			p99 := h.quantile(0.99)
			b.table.number("N4", place.number, "≤ 50 ms", ms(p99)+" ms", p99 <= 50*time.Millisecond)
		}
	}
	b.table.table("From the 200 to the eye (N4)",
		"`switchlog serve`, 1,000 events a second (open loop, each a change of who fronts): time from its 200 until it was seen. The database is asked each\n"+
			"millisecond. A switch that was overtaken by a later one changes nothing, and is not among the changes.",
		[]string{"", "events", "p50 ms", "p99 ms", "p99.9 ms", "max ms"}, out)
	return nil
}
