package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"switchlog/ingest/pluralkit"
	"switchlog/projections"
	"switchlog/projections/query/ui"
	"switchlog/schemas"
)

// lookForSources is how often reconcilers are held against the registry: a
// source that was added or got a new API token is noticed within it.
const lookForSources = 2 * time.Second

// purposeAPIToken is the secret by which a source of PluralKit is asked.
const purposeAPIToken = "api_token"

// purposeToken is the secret that PluralKit's webhooks bear.
const purposeToken = "token"

// reconcilers are one for each PluralKit source with an API token.
type reconcilers struct {
	n        *node
	limiters *pluralkit.Limiters
	asked    *pluralkit.ClientMetrics
	metrics  *pluralkit.ReconcilerMetrics

	mu     sync.Mutex
	of     map[string]*reconciler // by system
	missed map[string]bool        // systems of which a request could not be stored
	group  sync.WaitGroup

	// refreshes ask run to compare with the registry at once; it closes what it gets.
	refreshes chan chan struct{}
}

// reconciler is one that runs.
type reconciler struct {
	*pluralkit.Reconciler
	client *pluralkit.Client
	asking
	stop context.CancelFunc
}

func newReconcilers(n *node) *reconcilers {
	return &reconcilers{
		n: n, limiters: pluralkit.NewLimiters(), of: map[string]*reconciler{}, missed: map[string]bool{}, refreshes: make(chan chan struct{}),
		asked:   pluralkit.NewClientMetrics(n.metrics),
		metrics: pluralkit.NewReconcilerMetrics(n.metrics),
	}
}

// run keeps a reconciler going for each source that can be asked, once the
// database has caught up: before that it would look like much were missing.
func (r *reconcilers) run(ctx context.Context) error {
	select {
	case <-r.n.loop.CaughtUp():
	case <-ctx.Done():
		return nil
	}
	changed, stop := r.n.registry.Watch()
	defer stop()
	for {
		r.adjust(ctx)
		r.makeUp()
		next := time.NewTimer(lookForSources)
		select {
		case <-next.C:
		case <-changed:
			next.Stop()
		case done := <-r.refreshes:
			next.Stop()
			r.adjust(ctx)
			close(done)
		case <-ctx.Done():
			next.Stop()
			r.group.Wait()
			return nil
		}
	}
}

// refresh returns once the reconcilers are those of the registry as it is: what
// a command has answered is true for the next one.
func (r *reconcilers) refresh(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	done := make(chan struct{})
	select {
	case r.refreshes <- done:
	case <-ctx.Done():
		return fault{http.StatusServiceUnavailable, errors.New("PluralKit cannot be asked yet: the database has not caught up with the log (hint: wait until switchlog status says ready)")}
	}
	<-done // adjust waits for nothing
	return nil
}

// asking is how a system is asked about.
type asking struct {
	token string
	alone bool // no webhook comes from it: asking is all there is
}

// quickly is how often a system without a webhook is asked about while something
// changes there: a look is some seven requests, and PluralKit allows two a second.
const quickly = time.Minute

// wanted are the systems that can be asked about.
func (r *reconcilers) wanted() map[string]asking {
	want := map[string]asking{}
	for _, s := range r.n.registry.Sources() {
		if s.Kind != schemas.PluralKit {
			continue
		}
		token, err := r.n.registry.Secret(s.Kind, s.Name, purposeAPIToken)
		if _, notUUID := pluralkit.ParseUUID(s.Tenant); err == nil && notUUID == nil {
			want[s.Tenant] = asking{token, !slices.Contains(s.Secrets, purposeToken)}
		}
	}
	return want
}

// adjust starts and stops reconcilers as the registry says.
func (r *reconcilers) adjust(ctx context.Context) {
	want := r.wanted()
	r.mu.Lock()
	defer r.mu.Unlock()
	for system, running := range r.of {
		if want[system] != running.asking {
			running.stop()
			delete(r.of, system)
		}
	}
	for system, how := range want {
		if r.of[system] != nil {
			continue
		}
		started, err := r.start(ctx, system, how)
		if err != nil {
			r.n.log.Error("reconciliation cannot begin", "err", err)
			continue
		}
		r.of[system] = started
	}
}

func (r *reconcilers) start(ctx context.Context, system string, how asking) (*reconciler, error) {
	client, err := pluralkit.NewClient(pluralkit.Config{
		BaseURL: r.n.cfg.PluralKitAPI, Token: how.token, Limiters: r.limiters, Log: r.n.log, Metrics: r.asked,
	})
	if err != nil {
		return nil, err
	}
	c := pluralkit.ReconcilerConfig{
		System: system, Client: client, Known: r.n.db, Append: r.n.spool, Settled: r.n.settled, SetAside: r.setAside(system),
		Every: r.n.cfg.ReconcileEvery, Log: r.n.log, Metrics: r.metrics,
		Changed: func(s pluralkit.State) {
			level := slog.LevelWarn
			if s == schemas.SourceOK {
				level = slog.LevelInfo // good news, as at each start
			}
			r.n.log.Log(context.Background(), level, "what PluralKit's API says of the source has changed", "state", s)
		},
	}
	if how.alone {
		c.Quick = quickly
	}
	if ours := r.n.publicURL(); r.n.linkState().Told {
		c.Ours = func(hook string) bool { return strings.HasPrefix(hook, ours+"/") }
	}
	made, err := pluralkit.NewReconciler(c)
	if err != nil {
		client.Close()
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	r.group.Go(func() {
		defer client.Close()
		if err := made.Run(ctx); err != nil {
			r.n.log.Error("reconciliation has ended", "err", err)
		}
	})
	return &reconciler{Reconciler: made, client: client, asking: how, stop: stop}, nil
}

// setAside finds the events of reconciling a system that the fold has set aside.
func (r *reconcilers) setAside(system string) func(context.Context, int) ([]schemas.Event, error) {
	return func(ctx context.Context, limit int) ([]schemas.Event, error) {
		skipped, err := r.n.db.Skipped(ctx, 10_000)
		if err != nil {
			return nil, err
		}
		var events []schemas.Event
		for _, s := range skipped {
			if s.Source != schemas.PluralKit || s.Tenant != system || len(events) == limit {
				continue
			}
			e, _, err := r.n.events.Get(ctx, s.Seq)
			if err != nil {
				return nil, err
			}
			if e.Origin == schemas.OriginAPI && e.Fault == nil {
				events = append(events, e.Event)
			}
		}
		return events, nil
	}
}

// find is the reconciler of a system, or nil.
func (r *reconcilers) find(system string) *reconciler {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.of[system]
}

// describe adds to a source how it stands with PluralKit.
func (r *reconcilers) describe(s *sourceInfo) {
	found := r.find(s.Tenant)
	if s.Kind != schemas.PluralKit || found == nil {
		return
	}
	if found.alone {
		s.UpToOld = (quickly*pluralkit.SlowestTimes + quickly).String()
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
	r     *reconcilers
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
		if r := w.r.find(e.Route.Tenant); r != nil {
			r.Seen(e)
		}
	}
	return nil
}
