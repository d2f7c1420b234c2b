package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"switchlog/cmd/switchlog/loglimit"
	"switchlog/cmd/switchlog/memory"
	"switchlog/ingest"
	"switchlog/projections/query"
)

// Limits of the listeners, of a start and of a stop.
const (
	maxConnections = 16384           // of the public listener; about 20 KiB each
	stopWithin     = 5 * time.Second // for requests that have begun, and again for NATS
	readyWithin    = time.Second     // then a node that is not ready says why
	partAgain      = time.Second     // after a part has stopped; doubled each time
	partAgainMax   = 5 * time.Second
	retryEvery     = 200 * time.Millisecond
)

// run runs the node until ctx ends or a part fails.
//
// Webhooks are taken from the first moment on: they need nothing but the
// spool. Everything else starts behind it. A stop goes the other way round:
// first no more requests, then nothing moves, then the files are closed; what
// still waits in the spool goes on at the next start.
func (n *node) run(ctx context.Context, announce announcer) (err error) {
	defer func() { err = errors.Join(err, n.close()) }()
	// Parts end when they are told to, not with ctx: requests that have begun
	// still need them.
	parts, partsCtx := errgroup.WithContext(context.WithoutCancel(ctx))
	partsCtx, stopParts := context.WithCancel(partsCtx)
	defer stopParts()
	servers := &servers{log: n.log, group: parts}

	err = n.start(ctx, partsCtx, parts, servers, announce)
	if err == nil {
		select {
		case <-ctx.Done():
			n.log.Info("stopping")
		case <-partsCtx.Done(): // a part failed
		}
	}
	close(n.stopping)
	err = errors.Join(err, os.RemoveAll(n.path(fileEndpoints)), servers.stop())
	n.delivering.Wait() // what was sent is noted while the spool still runs
	stopParts()
	return errors.Join(err, parts.Wait())
}

// start starts the parts, in the order they need one another.
func (n *node) start(ctx, partsCtx context.Context, parts *errgroup.Group, servers *servers, announce announcer) (err error) {
	part := func(run func(context.Context) error) { parts.Go(func() error { return run(partsCtx) }) }
	moreThreads()
	part(n.spool.Run)
	if err := n.openRegistry(ctx); err != nil {
		return err
	}
	part(n.registry.Run)
	n.reconcilers = n.newReconcilers()
	n.alive = newHeartbeat(n.path(fileAlive), n.log, time.Now, n.reconcilers.Away)
	part(n.alive.run)
	if n.runs(roleIngest) {
		edge := ingest.NewEdge(ingest.EdgeConfig{Watch: n.reconcilers, Pings: n.pings, Log: n.log, Access: loglimit.Access(n.log), Registerer: n.metrics}, n.registry, n.spool)
		limited := newConnections(n.public, maxConnections, n.cfg.ConnectionsPerAddress, n.cfg.trusted, n.log)
		public := n.publicErrors(publicServer(limited.proxied(edge)))
		public.ConnState = limited.state
		servers.serve(n.publicListener(limited), public)
		if n.certs != nil {
			part(n.certs.Run)
		}
	}

	if err := n.openLog(); err != nil {
		return err
	}
	if n.runs(roleProcess) {
		if err := n.openDatabase(); err != nil {
			return err
		}
	}
	part(func(ctx context.Context) error { return memory.Tend(ctx, n.rest) })
	if n.wal != nil {
		part(n.wal.run)
	}
	servers.serve(n.priv, privateServer(partsCtx, n.privateHandler()))
	if n.server != nil {
		part(n.server.Run)
	}
	part(func(ctx context.Context) error { return n.spool.Forward(ctx, n.events) })
	if n.runs(roleProcess) {
		part(n.standing("the database", n.fold))
		part(n.standing("the sending of changes", n.changes.Run))
		part(n.reconcile)
	}
	part(n.standing("the registry", n.learnRegistry))
	part(n.readers.run)
	if n.runs(roleDeliver) {
		n.delivering.Add(1)
		part(func(ctx context.Context) error {
			defer n.delivering.Done()
			return n.standing("outgoing webhooks", n.deliver)(ctx)
		})
	}
	if n.runs(roleQuery) {
		part(n.standing("answers over NATS", func(ctx context.Context) error { return query.ServeNATS(ctx, n.queryConfig()) }))
	}
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(partsCtx, cancel)() // a part failed: run says which
	return n.announceWhenReady(waiting, announce)
}

// standing makes of a part that ends (the log is damaged, say) one that stands still: the others go on,
// webhooks above all, and readiness and status say what is wrong. It is tried again once the log is
// the one we know, so that it goes on when a person has put that right.
func (n *node) standing(what string, run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for again := partAgain; ; again = min(2*again, partAgainMax) {
			began := time.Now()
			well := time.AfterFunc(again, func() { n.partStopped(what, nil) }) // it runs again
			err := run(ctx)
			well.Stop()
			if err == nil || ctx.Err() != nil {
				return nil
			}
			n.partStopped(what, err)
			if time.Since(began) > partAgainMax {
				again = partAgain
			}
			if !pause(ctx, again) || !n.logReached(ctx) {
				return nil
			}
		}
	}
}

// partStopped notes why a part stands still; nil: it runs.
func (n *node) partStopped(what string, err error) {
	n.stoppedMu.Lock()
	defer n.stoppedMu.Unlock()
	was, stood := n.stopped[what]
	switch {
	case err != nil && (!stood || was != err.Error()):
		n.stopped[what] = err.Error()
		n.log.Error("part of the server has stopped; it is tried again", "part", what, "err", err)
	case err == nil && stood:
		delete(n.stopped, what)
		n.log.Info("part of the server runs again", "part", what)
	}
}

// logReached waits until the log was reached, or ctx has ended and it says
// false. Only the spool knows whether it is the right log.
func (n *node) logReached(ctx context.Context) bool {
	for n.spool.State().Anchor.Epoch == "" || n.spool.State().LogDamaged {
		if !pause(ctx, retryEvery) {
			return false
		}
	}
	return true
}

// fold keeps the database going.
func (n *node) fold(ctx context.Context) error {
	if !n.logReached(ctx) {
		return nil
	}
	for {
		err := n.refresh(ctx)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil
		}
		n.log.Error("rebuild", "err", err)
		if !pause(ctx, 5*time.Second) {
			return nil
		}
	}
	return n.loop.Run(ctx)
}

// deliver sends outgoing webhooks once the database knows of every attempt
// that was noted before the start: one noted and not yet folded would be made
// again.
func (n *node) deliver(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // before the other parts: it needs them to finish
		select {
		case <-n.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	for accepted := n.spool.State().Last; ; {
		s := n.spool.State()
		if s.Anchor.Epoch != "" && s.Last-s.Depth >= accepted {
			break
		}
		if !pause(ctx, retryEvery) {
			return nil
		}
	}
	for {
		info, err := n.events.Info(ctx)
		if err == nil {
			err = n.db.Wait(ctx, info.Last)
		}
		if err == nil {
			break
		}
		if !pause(ctx, retryEvery) {
			return nil
		}
	}
	select {
	case <-n.loop.CaughtUp():
	case <-ctx.Done():
		return nil
	}
	n.sendableOnce.Do(func() { close(n.sendable) })
	return n.sender.Run(ctx)
}

// announcer is told once the listeners answer, with what keeps the node from being ready, and again
// once it is ready: then there are no problems.
type announcer func(e Endpoints, problems []string) error

// announceWhenReady writes endpoints.json and announces the node. A node that is not ready within
// readyWithin, or that knows why it cannot be, says so and goes on: webhooks are taken meanwhile.
func (n *node) announceWhenReady(ctx context.Context, announce announcer) error {
	began, written := time.Now(), false
	for {
		problems := n.problems()
		if len(problems) > 0 && !written && (time.Since(began) > readyWithin || n.stuck()) {
			written = true
			if err := errors.Join(n.writeEndpoints(), announce(n.endpoints(), problems)); err != nil {
				return err
			}
		}
		if len(problems) == 0 {
			if !written {
				if err := n.writeEndpoints(); err != nil {
					return err
				}
			}
			if n.alive.killed { // only now the log was compared with what the spool knows of it
				n.log.Info("the server was not stopped cleanly; nothing is lost")
			}
			return announce(n.endpoints(), nil)
		}
		wait := 10 * time.Millisecond
		if written {
			wait = retryEvery
		}
		if !pause(ctx, wait) {
			return nil
		}
	}
}

// stuck reports whether it is known that the node is not about to be ready.
func (n *node) stuck() bool {
	s := n.spool.State()
	return s.LogDamaged || s.Damaged || n.server == nil && n.unreached.Load() != nil
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (n *node) secretKeyPath() string {
	if n.cfg.SecretKeyFile != "" {
		return n.cfg.SecretKeyFile
	}
	return n.path(fileSecretKey)
}

func (n *node) writeEndpoints() error {
	b, err := json.Marshal(n.endpoints())
	if err != nil {
		return err
	}
	if err := writeFile(n.path(fileEndpoints), append(b, '\n')); err != nil {
		return fmt.Errorf("%s: %w", fileEndpoints, err)
	}
	return nil
}

// publicServer bounds what a stranger can make us wait for. The edge bounds
// bodies.
func publicServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    16 << 10,
	}
}

// privateServer has no write timeout: a replay or a stream of changes lasts.
// Those end with ctx.
func privateServer(ctx context.Context, h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		BaseContext:       baseContext(ctx),
	}
}
