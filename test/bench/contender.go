//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/nats-io/nats.go/jetstream"
)

// contender is a program that takes PluralKit's webhooks.
type contender struct {
	name  string
	start func(ctx context.Context, b *bench) (*entrant, error)
}

// entrant is a contender at work, on empty directories.
type entrant struct {
	addr  string     // takes POST /in/pluralkit
	parts []*process // itself, and the NATS server it stores in
	dirs  []string   // where it stores
	js    jetstream.JetStream
	node  *node // nil: not switchlog
	stop  func() error
}

// contenders in the order of the table. To store with fsync is what the
// first of a pair does.
var contenders = []contender{
	{nameBare, startBare},
	{nameIngest, func(ctx context.Context, b *bench) (*entrant, error) { return startIngest(ctx, b, true) }},
	{nameIngestLazy, func(ctx context.Context, b *bench) (*entrant, error) { return startIngest(ctx, b, false) }},
	{nameServe, startServe},
	{nameBento, func(ctx context.Context, b *bench) (*entrant, error) { return startPeer(ctx, b, true, bento) }},
	{nameBentoLazy, func(ctx context.Context, b *bench) (*entrant, error) { return startPeer(ctx, b, false, bento) }},
	{nameWatermill, func(ctx context.Context, b *bench) (*entrant, error) { return startPeer(ctx, b, true, watermill) }},
	{nameWatermillLazy, func(ctx context.Context, b *bench) (*entrant, error) { return startPeer(ctx, b, false, watermill) }},
}

// Names of contenders. "no fsync" is NATS as it comes: it acknowledges from
// memory. switchlog's own 200 is always fsynced.
const (
	nameBare          = "bare net/http, discards"
	nameIngest        = "switchlog --roles ingest"
	nameIngestLazy    = "switchlog --roles ingest, NATS no fsync"
	nameServe         = "switchlog serve, all in one"
	nameBento         = "Bento"
	nameBentoLazy     = "Bento, NATS no fsync"
	nameWatermill     = "Watermill"
	nameWatermillLazy = "Watermill, NATS no fsync"
)

// subject is where peers put events: as long as switchlog's.
var subject = "log.events.pluralkit." + system + ".switch.create"

func startBare(_ context.Context, b *bench) (*entrant, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p, err := startProcess(nil, b.binary("bare"), "-listen", addr)
	if err != nil {
		return nil, err
	}
	return &entrant{addr: addr, parts: []*process{p}, stop: func() error { return p.end(syscall.SIGTERM) }}, p.await("bare", patience, listens(addr))
}

func listens(addr string) func() bool {
	return func() bool {
		c, err := net.Dial("tcp", addr)
		return err == nil && c.Close() == nil
	}
}

// startPeer starts NATS, the stream, and a peer on them.
func startPeer(ctx context.Context, b *bench, always bool, run func(b *bench, addr, url string) (*process, error)) (*entrant, error) {
	s, err := b.startNATS(always)
	if err != nil {
		return nil, err
	}
	e := &entrant{parts: []*process{s.process}, dirs: []string{s.dir}, js: s.js, stop: s.stop}
	if err := s.makeStream(ctx); err != nil {
		return e, err
	}
	if e.addr, err = freeAddress(); err != nil {
		return e, err
	}
	p, err := run(b, e.addr, s.url)
	if err != nil {
		return e, err
	}
	e.parts = append(e.parts, p)
	e.stop = func() error { return errors.Join(p.end(syscall.SIGTERM), s.stop()) }
	return e, p.await("peer", patience, listens(e.addr))
}

func bento(b *bench, addr, url string) (*process, error) {
	return startProcess([]string{"BENCH_LISTEN=" + addr, "BENCH_NATS=" + url, "BENCH_SUBJECT=" + subject, "BENCH_TOKEN=" + token},
		b.binary("bento"), "-c", filepath.Join(peersDir, "bento", "bento.yaml"))
}

func watermill(b *bench, addr, url string) (*process, error) {
	return startProcess([]string{"BENCH_TOKEN=" + token}, b.binary("watermill"), "-listen", addr, "-nats", url, "-subject", subject)
}

// startIngest starts NATS and a switchlog that only takes in.
func startIngest(_ context.Context, b *bench, always bool) (*entrant, error) {
	s, err := b.startNATS(always)
	if err != nil {
		return nil, err
	}
	e := &entrant{parts: []*process{s.process}, dirs: []string{s.dir}, js: s.js, stop: s.stop}
	dir, err := os.MkdirTemp(b.dir, "ingest-")
	if err != nil {
		return e, err
	}
	n, err := b.startNode(dir, "--nats", s.url, "--roles", "ingest")
	if err != nil {
		return e, err
	}
	e.node, e.addr = n, strings.TrimPrefix(n.Public, "http://")
	e.parts, e.dirs = append(e.parts, n.process), append(e.dirs, dir)
	e.stop = func() error { return errors.Join(n.stop(), s.stop()) }
	return e, errors.Join(n.addSource(), n.ready(patience))
}

// startServe starts a whole switchlog, NATS inside.
func startServe(_ context.Context, b *bench) (*entrant, error) {
	dir, err := os.MkdirTemp(b.dir, "serve-")
	if err != nil {
		return nil, err
	}
	n, err := b.startNode(dir)
	if err != nil {
		return nil, err
	}
	e := &entrant{node: n, addr: strings.TrimPrefix(n.Public, "http://"), parts: []*process{n.process}, dirs: []string{dir}, stop: n.stop}
	if err := errors.Join(n.addSource(), n.ready(patience)); err != nil {
		return e, err
	}
	nc, err := n.connect()
	if err != nil {
		return e, err
	}
	e.stop = func() error { nc.Close(); return n.stop() }
	e.js, err = jetstream.New(nc)
	return e, err
}

// knock sends one good request and one with a wrong token, and wants 200 and
// 401: all contenders look at what they take.
func (e *entrant) knock(p *poster, n uint64, checks bool) error {
	good := string(p.request(nil, n))
	bad := strings.Replace(good, token[:8], "BENCH+TO", 1)
	for _, try := range []struct{ text, want string }{{good, "200"}, {bad, "401"}} {
		if try.want == "401" && !checks {
			continue
		}
		status, err := exchange(e.addr, try.text)
		if err != nil {
			return err
		}
		if status != try.want {
			return fmt.Errorf("a request got %s, want %s", status, try.want)
		}
	}
	return nil
}

// exchange sends a request on a connection of its own.
func exchange(addr, text string) (status string, err error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if _, err := c.Write([]byte(text)); err != nil {
		return "", err
	}
	b := make([]byte, 0, 4<<10)
	for whole := false; !whole; {
		n, err := c.Read(b[len(b):cap(b)])
		if err != nil {
			return "", err
		}
		b = b[:len(b)+n]
		status, whole = parse(b)
	}
	return status, nil
}
