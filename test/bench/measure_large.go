//go:build linux

package main

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"switchlog/schemas"
)

// tenants of the large log; each has its share of all switches.
const tenants = 1000

func tenant(n int) string { return fmt.Sprintf("00000000-0000-4000-9000-%012x", n) }

// measureLarge is N5, N6 and N7: a log of 1,000 systems and a million
// switches, and beside it one that is a hundred times shorter.
func measureLarge(ctx context.Context, b *bench) error {
	idle, err := b.idleMemory()
	if err != nil {
		return err
	}
	small, err := b.fill(ctx, "small", b.events/100/tenants+1)
	if err != nil {
		return err
	}
	short, small, err := b.ask(small)
	if err = errors.Join(err, small.stop(), os.RemoveAll(small.dir)); err != nil {
		return err
	}
	large, err := b.fill(ctx, "large", b.events/tenants)
	if err != nil {
		return err
	}
	defer os.RemoveAll(large.dir)
	rest()
	after, peak := rss(large.process)
	rows := [][]string{{"after the start, nothing in it", mb(idle[0]), mb(idle[1])},
		{fmt.Sprintf("after importing and folding %d events", b.events), mb(after), mb(peak)}}
	full, large, err := b.ask(large)
	if err != nil {
		return errors.Join(err, large.stop())
	}
	bare, err := b.askBare(ctx)
	if err != nil {
		return errors.Join(err, large.stop())
	}
	b.asked(bare, short, full)
	rest()
	now, most := rss(large.process)
	rows = append(rows, []string{fmt.Sprintf("started anew, after %d questions", full.ok), mb(now), mb(most)})
	b.table.number("N7", "memory, idle after a start", "≤ 60 MB", mb(idle[0])+" MB", idle[0] <= 60e6)
	b.table.number("N7", fmt.Sprintf("memory after %d events", b.events), "≤ 200 MB", mb(after)+" MB", after <= 200e6)
	starts, again, err := b.starts(large)
	if err != nil {
		return err
	}
	b.table.table("Memory (N7)", "`switchlog serve`, resident, after 40 s of rest.", []string{"", "RSS MB", "peak MB"}, append(rows, again...))
	b.table.table("A start with much behind it (N6)", fmt.Sprintf("`switchlog serve` on %d events: time from exec until `/readyz` says 200.", b.events),
		[]string{"", "s"}, starts)
	return nil
}

// rest lets a server come to rest before its memory is looked at.
func rest() { <-time.After(40 * time.Second) }

// idleMemory is the memory of a server in which there is nothing.
func (b *bench) idleMemory() (m [2]int64, err error) {
	n, err := b.startNode(filepath.Join(b.dir, "idle"))
	if err != nil {
		return m, err
	}
	if err := n.ready(patience); err != nil {
		return m, err
	}
	rest()
	m[0], m[1] = rss(n.process)
	return m, errors.Join(n.stop(), os.RemoveAll(n.dir))
}

// fill starts a node and imports a log with so many switches for each tenant.
func (b *bench) fill(ctx context.Context, name string, each int) (*node, error) {
	n, err := b.startNode(filepath.Join(b.dir, name))
	if err != nil {
		return nil, err
	}
	file := filepath.Join(b.dir, name+".ndjson")
	if err := writeLog(file, each); err != nil {
		return n, err
	}
	if _, err := n.cli("", "import", file); err != nil {
		return n, err
	}
	return n, errors.Join(n.settled(ctx, 15*time.Minute), n.told(), os.Remove(file))
}

// told waits until all changes were published: the outbox is empty.
func (n *node) told() (err error) {
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(n.dir, "projections.db")+"?mode=ro&_query_only=1&_busy_timeout=5000")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return n.await("the publishing of changes", 15*time.Minute, func() bool {
		var left int
		return db.QueryRow(`SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT 1)`).Scan(&left) == nil && left == 0
	})
}

// writeLog writes events of all tenants as a file for import: each has a name,
// two members and so many switches, and all take turns.
func writeLog(path string, each int) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	defer func() { err = errors.Join(err, w.Flush(), f.Close()) }()
	at := epoch
	put := func(t int, typ, id, subject, data string) error {
		at = at.Add(time.Millisecond)
		e := schemas.Event{
			ID: id, Source: schemas.PluralKitSystemURL + tenant(t), Type: typ, Subject: subject, Time: at, DataSchema: schemas.SchemaID(typ),
			Origin: schemas.OriginWebhook, Data: []byte(data), Route: schemas.PluralKitRoute(typ, tenant(t)),
		}
		line, err := e.MarshalJSON()
		if err != nil {
			return err
		}
		_, err = w.Write(append(line, '\n'))
		return err
	}
	member := func(t, i int) string { return fmt.Sprintf("00000000-0000-4000-a%03x-%012x", i, t) }
	for t := range tenants {
		err = put(t, schemas.PKSystemUpdate, fmt.Sprintf("name-%d", t), "", fmt.Sprintf(`{"name":"System %d"}`, t))
		for i := range 2 {
			err = errors.Join(err, put(t, schemas.PKMemberCreate, "create_member."+member(t, i), member(t, i), fmt.Sprintf(`{"name":"Member %d"}`, i)))
		}
		if err != nil {
			return err
		}
	}
	for i := range each {
		for t := range tenants {
			id := fmt.Sprintf("00000000-0000-4000-b000-%06x%06x", t, i)
			data := fmt.Sprintf(`{"id":%q,"timestamp":%q,"members":[%q]}`, id, at.Format(time.RFC3339Nano), member(t, i%2))
			if err := put(t, schemas.PKSwitchCreate, "create_switch."+id, id, data); err != nil {
				return err
			}
		}
	}
	return nil
}

// ask asks who fronts, of one system after the other, over 64 connections. The
// server is started anew for it: what counts is what there is to know, and not
// what the server has just done.
func (b *bench) ask(n *node) (loaded, *node, error) {
	if err := n.end(syscall.SIGTERM); err != nil {
		return loaded{}, n, err
	}
	again, err := b.startNode(n.dir)
	if err != nil {
		return loaded{}, n, err
	}
	n = again
	if err := n.ready(patience); err != nil {
		return loaded{}, n, err
	}
	token, err := n.token()
	if err != nil {
		return loaded{}, n, err
	}
	addr := strings.TrimPrefix(n.Private, "http://")
	l := &load{addr: addr, connections: 64, request: func(b []byte, i uint64) []byte {
		return fmt.Appendf(b, "GET /v2/systems/%s/fronters HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nAuthorization: %s\r\n\r\n", tenant(int(i%tenants)), addr, token)
	}}
	if _, err := l.run(b.warm); err != nil {
		return loaded{}, n, err
	}
	res, err := l.run(b.long)
	if err == nil && res.refused > 0 {
		err = fmt.Errorf("%d of %d questions were not answered 200", res.refused, res.sent)
	}
	return res, n, err
}

func (b *bench) askBare(ctx context.Context) (res loaded, err error) {
	e, err := startBare(ctx, b)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, e.stop()) }()
	l := &load{addr: e.addr, connections: 64, request: func(b []byte, i uint64) []byte {
		return fmt.Appendf(b, "GET /v2/systems/%s/fronters HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\n\r\n", tenant(int(i%tenants)), e.addr)
	}}
	if _, err := l.run(b.warm); err != nil {
		return res, err
	}
	return l.run(b.long)
}

func (b *bench) asked(bare, short, full loaded) {
	row := func(name string, l loaded) []string {
		return []string{name, fmt.Sprintf("%.0f", l.perSecond()), ms(l.latency.quantile(0.5)), ms(l.latency.quantile(0.99)), ms(l.latency.quantile(0.999))}
	}
	b.table.table("Who fronts (N5)", fmt.Sprintf("`GET /v2/systems/{ref}/fronters` over 64 connections, %d systems in turn, closed loop, of a server started on that log.", tenants),
		[]string{"", "answers/s", "p50 ms", "p99 ms", "p99.9 ms"},
		[][]string{row("bare net/http", bare), row(fmt.Sprintf("%d events", b.events/100), short), row(fmt.Sprintf("%d events", b.events), full)})
	ratio, p99, growth := full.perSecond()/bare.perSecond(), full.latency.quantile(0.99), full.perSecond()/short.perSecond()
	b.table.number("N5", "fronters ÷ bare handler", "≥ 0.30", fmt.Sprintf("%.2f (%.0f/s ÷ %.0f/s)", ratio, full.perSecond(), bare.perSecond()), ratio >= 0.3)
	b.table.number("N5", "fronters, p99", "≤ 10 ms", ms(p99)+" ms", p99 <= 10*time.Millisecond)
	b.table.number("N5", "with 100 × the history, rate", "≥ 0.95 ×", fmt.Sprintf("%.2f ×", growth), growth >= 0.95)
}

// starts is N6: how long a start takes, after a clean stop and after a kill.
func (b *bench) starts(n *node) (times, memory [][]string, err error) {
	for _, after := range []struct {
		what string
		sig  syscall.Signal
	}{{"after a clean stop", syscall.SIGTERM}, {"after kill -9", syscall.SIGKILL}} {
		if err := n.end(after.sig); err != nil {
			return nil, nil, err
		}
		began := time.Now()
		if n, err = b.startNode(n.dir); err != nil {
			return nil, nil, err
		}
		if err := n.ready(2 * time.Minute); err != nil {
			return nil, nil, err
		}
		took := time.Since(began)
		times = append(times, []string{after.what, fmt.Sprintf("%.2f", took.Seconds())})
		b.table.number("N6", fmt.Sprintf("ready with %d events, %s", b.events, after.what), "≤ 3 s", fmt.Sprintf("%.2f s", took.Seconds()), took <= 3*time.Second)
		rest()
		now, peak := rss(n.process)
		memory = append(memory, []string{"started " + after.what, mb(now), mb(peak)})
	}
	return times, memory, n.stop()
}
