package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"switchlog/schemas"
)

// problems says, for a person, why the node is not ready. None: it is.
func (n *node) problems() []string {
	problems := []string{}
	add := func(s string) { problems = append(problems, s) }
	s := n.spool.State()
	away := n.natsAway()
	switch {
	case away != "" && !s.Damaged:
		add(away)
	case s.LogDamaged:
		add("the log is not the one we know; events wait in the spool: " + s.ForwardError)
	case s.Damaged:
		add("an event that waits in the spool is damaged; those behind it wait, too: " + s.ForwardError)
	case s.ForwardError != "":
		add("the log does not take events; they wait in the spool: " + s.ForwardError)
	case s.Anchor.Epoch == "":
		add("the log has not been reached yet")
	}
	if s.Aside > 0 {
		add(fmt.Sprintf("%d accepted events are larger than the log's server takes, the largest has %d bytes of at most %d; they are kept in the spool, the others go on (hint: raise max_payload of the NATS server; they go on by themselves then)",
			s.Aside, s.AsideLargest, s.Limit))
	}
	if s.AsideDamaged > 0 {
		add(fmt.Sprintf("%d of them have changed on the disk and cannot go on (hint: dmesg tells what the disk says; restore a backup)", s.AsideDamaged))
	}
	problems = append(problems, n.registryProblems()...)
	if s.StoreError != nil {
		add("webhooks are being refused, the spool cannot be written: " + s.StoreError.Error())
	}
	if n.server != nil {
		if err := n.server.Health(); err != nil {
			add(err.Error())
		}
	}
	n.stoppedMu.Lock()
	for _, what := range slices.Sorted(maps.Keys(n.stopped)) {
		add(what + " has stopped: " + n.stopped[what])
	}
	n.stoppedMu.Unlock()
	if n.loop == nil {
		return problems
	}
	l := n.loop.Status()
	switch {
	case l.Err != nil:
		add("the database does not take events: " + l.Err.Error())
	case !l.CaughtUp:
		add("the database has not caught up with the log yet")
	}
	switch c := n.changes.Status(); {
	case c.Err != nil:
		add("changes and the bucket FRONTERS stand still since " + schemas.FormatTime(c.Since) + ": " + c.Err.Error())
	case c.Stuck(time.Now()):
		add("changes and the bucket FRONTERS stand still since " + schemas.FormatTime(c.Since) + " (hint: does the NATS server answer?)")
	}
	return problems
}

// natsAway says that the NATS server outside is not reached, and why; empty: it is.
func (n *node) natsAway() string {
	if n.server != nil || n.nc.IsConnected() {
		return ""
	}
	why := "NATS at " + n.natsURL + " is away (hint: is it running, and is --nats right?)"
	if known := n.unreached.Load(); known != nil {
		why = *known
	}
	return "events wait in the spool: " + why
}

// maxStatusFronts is of how many systems a status says who fronts.
const maxStatusFronts = 20

// status is how the node is, for people and scripts.
func (n *node) status(ctx context.Context) (status, error) {
	e := n.endpoints()
	s := status{
		Version: version, Problems: n.problems(), Notices: n.notices(),
		Public: e.Public, Private: e.Private, NATS: e.NATS,
		Roles: n.cfg.Roles, Started: schemas.FormatTime(n.started), Fronts: []front{}, Sources: []sourceInfo{}, Away: n.alive.away(),
		Deliveries: deliveryStatus{Problems: []string{}, Withheld: []string{}},
	}
	s.Ready = len(s.Problems) == 0
	for _, src := range n.registry.Sources() {
		info := newSourceInfo(src)
		if info.LastEvent == "" && src.Tenant != "" { // none since the start: the log knows
			subject := schemas.TenantSubjects(schemas.LogEvents, src.Kind, src.Tenant)
			if last, err := n.events.LastOf(ctx, subject); err == nil {
				info.LastEvent = schemas.FormatTime(last.Time)
			}
		}
		n.describeAsking(&info)
		s.Sources = append(s.Sources, info)
	}
	sp := n.spool.State()
	s.Spool.Depth = sp.Depth
	if !sp.Oldest.IsZero() {
		s.Spool.OldestSeconds = max(0, time.Since(sp.Oldest).Seconds())
	}
	// A log that is away is a state to show, not a reason to show nothing.
	if info, err := n.events.Info(ctx); err == nil {
		s.Log = logStatus{Reachable: true, Events: info.Messages, Bytes: info.Bytes, LastSeq: info.Last}
		if !info.LastTime.IsZero() {
			s.Log.LastTime = schemas.FormatTime(info.LastTime)
		}
	}
	if n.db == nil {
		return s, nil
	}
	var err error
	systems := n.pluralKitTenants()
	if s.Fronts, err = n.fronts(ctx, systems[:min(len(systems), maxStatusFronts)], nil); err != nil {
		// A database that is being rebuilt is a state to show too.
		n.log.Warn("status: who fronts", "err", err)
		s.Fronts = []front{}
	}
	if s.Projection, err = n.projection(ctx); err != nil {
		return s, err
	}
	s.Deliveries, err = n.deliveries(ctx)
	return s, err
}

// projection is how the database is.
func (n *node) projection(ctx context.Context) (*projectionStatus, error) {
	var s projectionStatus
	l := n.loop.Status()
	s.LagEvents = l.Lag()
	s.LagSeconds = l.LagTime(time.Now()).Seconds()
	pos, err := n.db.Position(ctx)
	if err != nil {
		return nil, err
	}
	s.Position = pos.Seq
	if s.Skipped, err = n.db.SkippedCount(ctx); err != nil {
		return nil, err
	}
	s.Bytes = n.db.Bytes()
	var since time.Time
	if s.WALBytes, since = n.wal.look(); !since.IsZero() {
		s.WALSince = schemas.FormatTime(since)
	}
	return &s, nil
}
