package main

import (
	"context"
	"slices"

	"switchlog/ingest"
	"switchlog/ingest/pluralkit"
	"switchlog/projections"
	"switchlog/projections/query/ui"
	"switchlog/schemas"
)

// Reconcilers hear at the public listener what may have been missed.
var _ ingest.Watcher = (*pluralkit.Reconcilers)(nil)

const (
	purposeAPIToken = "api_token" // the secret by which a source of PluralKit is asked
	purposeToken    = "token"     // the secret that PluralKit's webhooks have
)

func (n *node) newReconcilers() *pluralkit.Reconcilers {
	return pluralkit.NewReconcilers(pluralkit.ReconcilersConfig{
		BaseURL: n.cfg.PluralKitAPI, Wanted: n.asked, Log: n.log, Registerer: n.metrics,
	})
}

// asked are the systems that PluralKit can be asked about.
func (n *node) asked() map[string]pluralkit.Asking {
	want := map[string]pluralkit.Asking{}
	for _, s := range n.registry.Sources() {
		if s.Kind != schemas.PluralKit {
			continue
		}
		token, err := n.registry.Secret(s.Kind, s.Name, purposeAPIToken)
		if _, notUUID := pluralkit.ParseUUID(s.Tenant); err == nil && notUUID == nil {
			want[s.Tenant] = pluralkit.Asking{Token: token, NoWebhook: !slices.Contains(s.Secrets, purposeToken)}
		}
	}
	return want
}

// reconcile runs the reconcilers.
func (n *node) reconcile(ctx context.Context) error {
	changed, stop := n.registry.Watch()
	defer stop()
	return n.reconcilers.Run(ctx, pluralkit.ReconcilersRun{
		Ready: n.loop.CaughtUp(), Changed: changed, Known: n.db, Append: n.spool, Settled: n.settled, SetAside: n.setAside,
		CanStore: func() bool { return n.spool.State().StoreError == nil },
		Address: func() string {
			if !n.linkState().Told {
				return ""
			}
			return n.publicURL()
		},
		Every: n.cfg.ReconcileEvery,
	})
}

// setAside finds the events of reconciling a system that the fold has set aside.
func (n *node) setAside(ctx context.Context, system string, limit int) ([]schemas.Event, error) {
	skipped, err := n.db.Skipped(ctx, 10_000)
	if err != nil {
		return nil, err
	}
	var events []schemas.Event
	for _, s := range skipped {
		if s.Source != schemas.PluralKit || s.Tenant != system || len(events) == limit {
			continue
		}
		e, _, err := n.events.Get(ctx, s.Seq)
		if err != nil {
			return nil, err
		}
		if e.Origin == schemas.OriginAPI && e.Fault == nil {
			events = append(events, e.Event)
		}
	}
	return events, nil
}

// describeAsking adds to a source how it stands with PluralKit.
func (n *node) describeAsking(s *sourceInfo) {
	found := n.reconcilers.Find(s.Tenant)
	if s.Kind != schemas.PluralKit || found == nil {
		return
	}
	if old := n.reconcilers.UpToOld(s.Tenant); old > 0 {
		s.UpToOld = old.String()
	}
	state, since := found.State()
	if state == "" {
		return // not looked yet
	}
	coverage := found.Sum().Coverage()
	s.API, s.APISince, s.Coverage = string(state), schemas.FormatTime(since), &coverage
	if last := found.Last(); !last.Began.IsZero() {
		s.LastLook = schemas.FormatTime(last.Began)
	}
}

// settled returns when what was accepted before the call is in the database.
func (n *node) settled(ctx context.Context) error {
	if err := n.spool.Drained(ctx); err != nil {
		return err
	}
	return n.db.Wait(ctx, n.spool.Anchor().Seq)
}

// watchedSink is the database as the live loop sees it: reconcilers and open
// pages of the dashboard are told of each event that was folded. A rebuild does
// not go through it (Law 8).
type watchedSink struct {
	*projections.DB
	r     *pluralkit.Reconcilers
	pages *ui.Handler // nil: there is no dashboard
}

// Apply folds, and tells.
func (w watchedSink) Apply(ctx context.Context, epoch string, batch []schemas.Recorded) error {
	if err := w.DB.Apply(ctx, epoch, batch); err != nil {
		return err
	}
	for _, e := range batch {
		if e.Route.Source != schemas.PluralKit {
			continue
		}
		if w.pages != nil {
			w.pages.Changed(e.Route.Tenant)
		}
		if r := w.r.Find(e.Route.Tenant); r != nil {
			r.Seen(e)
		}
	}
	return nil
}
