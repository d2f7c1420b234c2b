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

	"switchlog/ingest"
	"switchlog/processor"
	"switchlog/projections/query"
	"switchlog/schemas"
)

// Limits of the listeners, of a start and of a stop.
const (
	maxConnections = 16384           // of the public listener; about 20 KiB each
	stopWithin     = 5 * time.Second // for requests that have begun, and again for NATS
	logWithin      = 15 * time.Second
	retryEvery     = 200 * time.Millisecond
)

// run runs the node until ctx ends or a part fails. announce is called once
// the listeners answer and the log was reached, or was found damaged or away.
//
// Webhooks are taken from the first moment on: they need nothing but the
// spool. Everything else starts behind it. A stop goes the other way round:
// first no more requests, then nothing moves, then the files are closed; what
// still waits in the spool goes on at the next start.
func (n *node) run(ctx context.Context, announce func(Endpoints) error) (err error) {
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
func (n *node) start(ctx, partsCtx context.Context, parts *errgroup.Group, servers *servers, announce func(Endpoints) error) (err error) {
	part := func(run func(context.Context) error) { parts.Go(func() error { return run(partsCtx) }) }
	moreThreads()
	part(n.spool.Run)
	n.registry, err = ingest.OpenRegistry(ctx, ingest.RegistryConfig{
		Path: n.path(fileSecrets), KeyPath: n.secretKeyPath(), PublicURL: n.publicURL(), Log: n.log,
	}, n.spool)
	if err != nil {
		return err
	}
	n.reconcilers = newReconcilers(n)
	n.alive = newHeartbeat(n.path(fileAlive), n.log, time.Now, n.reconcilers.away)
	part(n.alive.run)
	if n.runs(roleIngest) {
		edge := ingest.NewEdge(ingest.EdgeConfig{Watch: n.reconcilers, Log: n.log, Registerer: n.metrics}, n.registry, n.spool)
		limited := newConnections(n.public, maxConnections, n.cfg.ConnectionsPerAddress, n.cfg.trusted, n.log)
		public := publicServer(limited.proxied(edge))
		public.ConnState = limited.state
		servers.serve(limited, public)
	}

	if err := n.openLog(); err != nil {
		return err
	}
	if n.runs(roleProcess) {
		if err := n.openDatabase(); err != nil {
			return err
		}
	}
	part(func(ctx context.Context) error { return tendMemory(ctx, n.rest) })
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
		part(n.reconcilers.run)
	} else {
		part(n.standing("the registry", n.learnRegistry))
	}
	if n.runs(roleDeliver) {
		n.delivering.Add(1)
		part(n.standing("outgoing webhooks", n.deliver))
	}
	if n.runs(roleQuery) {
		part(n.standing("answers over NATS", func(ctx context.Context) error { return query.ServeNATS(ctx, n.queryConfig()) }))
	}

	if err := n.awaitLog(ctx); err != nil {
		return err
	}
	if err := n.writeEndpoints(); err != nil {
		return err
	}
	return announce(n.endpoints())
}

// standing makes of a part that ends for good (the log is damaged, say) one
// that stands still: the others go on, webhooks above all, and readiness and
// status say what is wrong.
func (n *node) standing(what string, run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		err := run(ctx)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		n.log.Error("part of the server has stopped", "part", what, "err", err)
		n.stoppedMu.Lock()
		n.stopped = append(n.stopped, what+" has stopped: "+err.Error())
		n.stoppedMu.Unlock()
		return nil
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
	n.learnOnce(ctx)
	return n.loop.Run(ctx)
}

// learnRegistry is what a node without a database wants of the log.
func (n *node) learnRegistry(ctx context.Context) error {
	if n.logReached(ctx) {
		n.learnOnce(ctx)
	}
	return nil
}

func (n *node) learnOnce(ctx context.Context) {
	if err := n.mergeRegistry(ctx); err != nil && ctx.Err() == nil {
		n.log.Error("registry", "err", err)
	}
}

// deliver sends outgoing webhooks once the database knows of every attempt
// that was noted before the start: one noted and not yet folded would be made
// again.
func (n *node) deliver(ctx context.Context) error {
	defer n.delivering.Done()
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
	close(n.sendable)
	return n.sender.Run(ctx)
}

// mergeRegistry takes over what the log knows of the registry and we do not.
// To read it means to look through the whole log, so first it is counted.
func (n *node) mergeRegistry(ctx context.Context) error {
	var events []schemas.Event
	nouns := ingest.RegistryNouns() // not deliveries, of which there are many
	var count uint64
	for _, noun := range nouns {
		n, err := n.events.Count(ctx, registrySubject(noun))
		if err != nil {
			return err
		}
		count += n
	}
	if count == n.registry.InLog() {
		return nil
	}
	var errs []error
	for _, noun := range nouns {
		errs = append(errs, n.events.Read(ctx, processor.ReadOptions{From: 1, Subject: registrySubject(noun)}, func(e schemas.Recorded, _ schemas.Message) error {
			events = append(events, e.Event)
			return nil
		}))
	}
	return errors.Join(append(errs, n.registry.Merge(ctx, events))...)
}

func registrySubject(noun string) string {
	return schemas.LogEvents + "." + schemas.SelfSource + "." + schemas.SelfTenant + "." + noun + ".*"
}

// awaitLog waits until the log was reached and the database, if there is one, has caught up. A
// log that is damaged or away for long does not keep the node from starting:
// webhooks are taken, and readiness and status say what is wrong.
func (n *node) awaitLog(ctx context.Context) error {
	deadline := time.Now().Add(logWithin)
	for time.Now().Before(deadline) {
		if n.current() {
			return nil
		}
		if s := n.spool.State(); s.LogDamaged {
			n.log.Error("the log is damaged: events are kept in the spool and not passed on", "err", s.ForwardError)
			return nil
		}
		if !pause(ctx, 10*time.Millisecond) {
			return nil
		}
	}
	n.log.Warn("the log was not reached, or the database has not caught up with it yet; events are taken meanwhile")
	return nil
}

// current reports whether the log was reached and, where there is a database,
// that has caught up.
func (n *node) current() bool {
	if n.loop == nil {
		return n.spool.State().Anchor.Epoch != ""
	}
	select {
	case <-n.loop.CaughtUp():
		return true
	default:
		return false
	}
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
