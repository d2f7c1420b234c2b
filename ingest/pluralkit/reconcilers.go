package pluralkit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"switchlog/schemas"
)

const (
	// compareSources is how often reconcilers are held against the sources there
	// are, should a change not have been noticed.
	compareSources = 2 * time.Second

	// quickly is how often a system without a webhook is asked about while
	// something changes there: a look is some seven requests, and PluralKit allows
	// two a second.
	quickly = time.Minute
)

// ErrNotReady is the error of who asks for a reconcile run before the database
// has caught up with the log.
var ErrNotReady = errors.New("PluralKit cannot be asked yet: the database has not caught up with the log (hint: wait until switchlog status says ready)")

// ReconcilersConfig is what all reconcilers share from the start on.
type ReconcilersConfig struct {
	BaseURL string // of PluralKit's API; empty: the real one
	// Wanted are the systems that can be asked about, by uuid.
	Wanted func() map[string]Asking
	Log    *slog.Logger
	// Registerer gets the metrics of clients and reconcilers. nil: nobody does.
	Registerer prometheus.Registerer
}

// Asking is how a system is asked about.
type Asking struct {
	Token     string // the owner's API token
	NoWebhook bool   // to ask is all there is
}

// ReconcilersRun is what reconcilers need once they run. All must be given.
type ReconcilersRun struct {
	Ready   <-chan struct{} // closed when the database has caught up: before that it would look like much were missing
	Changed <-chan struct{} // the sources there are may have changed
	Known   Known
	Append  Appender
	Settled func(ctx context.Context) error // as of ReconcilerConfig
	// SetAside gives the events of a system that the fold has set aside, as of
	// ReconcilerConfig.
	SetAside func(ctx context.Context, system string, limit int) ([]schemas.Event, error)
	// CanStore reports whether events are accepted.
	CanStore func() bool
	// Address is what our own address is known to be; empty: it is not known.
	Address func() string
	Every   time.Duration // as of ReconcilerConfig
}

// Reconcilers are one Reconciler for each system that can be asked about. They
// run while Run does. What the public listener notices comes in by Suspect,
// Tried and Missed (ingest.Watcher).
type Reconcilers struct {
	c        ReconcilersConfig
	limiters *Limiters
	clients  *ClientMetrics
	metrics  *ReconcilerMetrics

	mu     sync.Mutex
	of     map[string]*runningReconciler // by system
	missed map[string]bool               // systems of which a request could not be stored
	group  sync.WaitGroup

	// refreshes ask Run to compare with the sources at once; it closes what it gets.
	refreshes chan chan struct{}
}

// runningReconciler is one that runs.
type runningReconciler struct {
	*Reconciler
	asking Asking
	stop   context.CancelFunc
}

// NewReconcilers makes reconcilers of no system yet.
func NewReconcilers(c ReconcilersConfig) *Reconcilers {
	return &Reconcilers{
		c: c, limiters: NewLimiters(), of: map[string]*runningReconciler{}, missed: map[string]bool{}, refreshes: make(chan chan struct{}),
		clients: NewClientMetrics(c.Registerer), metrics: NewReconcilerMetrics(c.Registerer),
	}
}

// Run runs a reconciler for each system that can be asked about, until ctx ends.
func (r *Reconcilers) Run(ctx context.Context, c ReconcilersRun) error {
	select {
	case <-c.Ready:
	case <-ctx.Done():
		return nil
	}
	for {
		r.adjust(ctx, c)
		r.makeUp(c)
		next := time.NewTimer(compareSources)
		select {
		case <-next.C:
		case <-c.Changed:
			next.Stop()
		case done := <-r.refreshes:
			next.Stop()
			r.adjust(ctx, c)
			close(done)
		case <-ctx.Done():
			next.Stop()
			r.group.Wait()
			return nil
		}
	}
}

// Refresh returns once the reconcilers are those of the sources as they are: what
// a command has answered is true for the next one. The error is ErrNotReady if
// they do not run before ctx ends.
func (r *Reconcilers) Refresh(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case r.refreshes <- done:
	case <-ctx.Done():
		return ErrNotReady
	}
	<-done // adjust waits for nothing
	return nil
}

// adjust starts and stops reconcilers as the sources say.
func (r *Reconcilers) adjust(ctx context.Context, c ReconcilersRun) {
	want := r.c.Wanted()
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
		started, err := r.start(ctx, c, system, how)
		if err != nil {
			r.c.Log.Error("reconciliation cannot begin", "err", err)
			continue
		}
		r.of[system] = started
	}
}

func (r *Reconcilers) client(token string) (*Client, error) {
	return NewClient(Config{BaseURL: r.c.BaseURL, Token: token, Limiters: r.limiters, Log: r.c.Log, Metrics: r.clients})
}

func (r *Reconcilers) start(ctx context.Context, run ReconcilersRun, system string, how Asking) (*runningReconciler, error) {
	client, err := r.client(how.Token)
	if err != nil {
		return nil, err
	}
	c := ReconcilerConfig{
		System: system, Client: client, Known: run.Known, Append: run.Append, Settled: run.Settled,
		SetAside: func(ctx context.Context, limit int) ([]schemas.Event, error) { return run.SetAside(ctx, system, limit) },
		Every:    run.Every, Log: r.c.Log, Metrics: r.metrics,
		Changed: func(s State) {
			level := slog.LevelWarn
			if s == schemas.SourceOK {
				level = slog.LevelInfo // good news, as at each start
			}
			r.c.Log.Log(context.Background(), level, "what PluralKit's API says of the source has changed", "state", s)
		},
	}
	if how.NoWebhook {
		c.Quick = quickly
	}
	if ours := run.Address(); ours != "" {
		c.Ours = func(hook string) bool { return strings.HasPrefix(hook, ours+"/") }
	}
	made, err := NewReconciler(c)
	if err != nil {
		client.Close()
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	r.group.Go(func() {
		defer client.Close()
		if err := made.Run(ctx); err != nil {
			r.c.Log.Error("reconciliation has ended", "err", err)
		}
	})
	return &runningReconciler{Reconciler: made, asking: how, stop: stop}, nil
}

// Find is the reconciler of a system, or nil.
func (r *Reconcilers) Find(system string) *Reconciler {
	if found := r.find(system); found != nil {
		return found.Reconciler
	}
	return nil
}

func (r *Reconcilers) find(system string) *runningReconciler {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.of[system]
}

// UpToOld is how old what is known of a system may be, since it is only asked
// for; 0: its webhooks come here, or it is not asked about.
func (r *Reconcilers) UpToOld(system string) time.Duration {
	if found := r.find(system); found == nil || !found.asking.NoWebhook {
		return 0
	}
	return quickly*SlowestTimes + quickly
}

// Whose asks PluralKit whose an API token is. The error is schemas.ErrInvalid
// if it is nobody's.
func (r *Reconcilers) Whose(ctx context.Context, token string) (system string, err error) {
	client, err := r.client(token)
	if err != nil {
		return "", fmt.Errorf("%w: %w", schemas.ErrInvalid, err)
	}
	defer client.Close()
	found, err := client.System(ctx)
	switch {
	case errors.Is(err, ErrUnauthorized), errors.Is(err, ErrAnonymous):
		return "", fmt.Errorf("%w: %w", schemas.ErrInvalid, err)
	case err != nil:
		return "", fmt.Errorf("PluralKit does not say whose the API token is: %w", err)
	}
	return string(found.UUID), nil
}

// trigger has a system looked at soon, if it can be.
func (r *Reconcilers) trigger(kind, tenant string, why Reason) {
	if kind != schemas.PluralKit {
		return
	}
	if found := r.Find(tenant); found != nil {
		found.Trigger(why)
	}
}

// Suspect notes that a request of a system was refused that may have been real.
func (r *Reconcilers) Suspect(kind, tenant string) { r.trigger(kind, tenant, ReasonRefused) }

// Tried notes that PluralKit has tried the address: it does that before it
// takes it over, so one that did not send to us may do so now.
func (r *Reconcilers) Tried(kind, tenant string) {
	found := r.Find(tenant)
	if kind != schemas.PluralKit || found == nil {
		return
	}
	if state, _ := found.State(); state == StateElsewhere {
		found.Trigger(ReasonLinked)
	}
}

// Missed notes that a request could not be stored. What was missed is looked for
// once it can be.
func (r *Reconcilers) Missed(kind, tenant string) {
	if kind != schemas.PluralKit {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.missed[tenant] = true
}

// makeUp looks for what could not be stored, once it can be.
func (r *Reconcilers) makeUp(c ReconcilersRun) {
	if !c.CanStore() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for tenant := range r.missed {
		if found := r.of[tenant]; found != nil {
			found.Trigger(ReasonFull)
		}
	}
	clear(r.missed)
}

// Away has all systems looked at: we were not there to be told.
func (r *Reconcilers) Away() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, running := range r.of {
		running.Trigger(ReasonGap)
	}
}
