package pluralkit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"sync"
	"time"

	"switchlog/schemas"
)

// Known is what we hold of a system.
type Known interface {
	// Held is everything but switches, from one state of the tables.
	Held(ctx context.Context, system string) (schemas.Held, error)
	// HeldSwitches is a page of the timeline: at most limit (up to 1,000) of
	// the switches before that time (µs since 1970) and, at it, that uuid;
	// newest first, equal times by uuid.
	HeldSwitches(ctx context.Context, system string, beforeUS int64, beforeID string, limit int) ([]schemas.HeldSwitch, error)
	// HeldSwitchesByID is the switches of these uuids (at most 1,000), those
	// included that are gone or not fully known.
	HeldSwitchesByID(ctx context.Context, system string, ids []string) ([]schemas.HeldSwitch, error)
	// UnlistedSwitches is the switches that are in no timeline, since not all
	// of them is known, and are not gone: after that uuid, in the order of
	// their uuids, at most limit (up to 1,000). Stand-ins are left out.
	UnlistedSwitches(ctx context.Context, system, afterID string, limit int) ([]schemas.HeldSwitch, error)
}

// Appender takes events in. When Append returns nil they are durable; on any
// error none of them is stored.
type Appender interface {
	Append(ctx context.Context, events ...schemas.Event) (fresh int, err error)
}

// Depth is how far a look goes.
type Depth int

// The depths there are.
const (
	// Lists: the system, its settings, members, groups, who fronts, and
	// history back to the first page on which nothing is different. That is
	// six requests when nothing is.
	Lists Depth = iota
	// Full: all of history, and what PluralKit lists nowhere is asked for one
	// by one: settings in each Discord server we know of, and accounts.
	Full
)

func (d Depth) String() string {
	if d == Full {
		return "full"
	}
	return "lists"
}

// ReconcilerConfig is a Reconciler's. What has no default must be given.
type ReconcilerConfig struct {
	System string // uuid
	Client *Client
	Known  Known
	Append Appender

	// Settled returns when what was accepted before it was called is in what
	// Known gives. nil: it always is.
	Settled func(ctx context.Context) error
	// SetAside gives the events of Append that the fold has set aside, the
	// latest first, at most limit. nil: there are none.
	SetAside func(ctx context.Context, limit int) ([]schemas.Event, error)
	// Ours reports whether an address that PluralKit sends to is ours. nil:
	// any is. (A func, since the address is a secret.)
	Ours func(url string) bool
	// Changed is told of each new state, from the goroutine that found out. It
	// must not block. nil: nobody is.
	Changed func(State)

	// Margin is how long PluralKit may show what was before an event that we
	// have accepted already: it sends some events before it writes. 0: 2 s.
	Margin time.Duration
	// Tries is how often one reconciliation looks at what does not hold
	// still. 0: 3.
	Tries int
	Every time.Duration // between looks at the lists, give or take a fifth; 0: 15 min
	// Quick is Every for a system whose webhooks do not come here: that while
	// something changes, and growing to five times as much while nothing does, as at
	// night. 0: Every counts.
	Quick time.Duration
	Daily time.Duration // between full ones, the same; 0: 24 h

	Log     *slog.Logger // nil: discard
	Metrics *ReconcilerMetrics
}

// A Reconciler compares what PluralKit says of one system with what we hold,
// and says what is different as events. It keeps nothing that matters: stop
// it anywhere, and the next look begins where the rows are.
type Reconciler struct {
	c       ReconcilerConfig
	turn    chan struct{}        // holds one: looks are made one at a time
	sayings map[fingerprint]said // by thing: what was said last; nil: not looked yet. Of whoever has the turn

	mu     sync.Mutex // guards the fields below
	state  State
	since  time.Time
	told   State                // what the newest event says of the source; empty: not looked yet
	heard  int                  // webhook events since the last look at the lists
	ids    map[string]bool      // uuids of members and groups the last look saw; nil: none was made
	recent map[string]time.Time // when a thing was last updated, by event type and id
	counts map[string]tally     // of messages, by member
	plan   plan
	sum    Report        // of all looks since the start
	last   Report        // the last one at the lists that had all its answers
	wake   chan struct{} // holds one: plan has changed
}

const (
	defaultMargin = 2 * time.Second
	defaultTries  = 3
	defaultEvery  = 15 * time.Minute
	defaultDaily  = 24 * time.Hour
	// settle is waited beyond the margin before something is looked at again,
	// so that its last event lies before the margin then.
	settle = time.Second
)

// NewReconciler checks c; it asks nothing yet.
func NewReconciler(c ReconcilerConfig) (*Reconciler, error) {
	id, err := ParseUUID(c.System)
	if err != nil {
		return nil, fmt.Errorf("pluralkit: reconciler: system: %w", err)
	}
	c.System = string(id)
	if c.Client == nil || c.Known == nil || c.Append == nil {
		return nil, errors.New("pluralkit: reconciler: Client, Known and Append must be given")
	}
	if c.Settled == nil {
		c.Settled = func(context.Context) error { return nil }
	}
	if c.SetAside == nil {
		c.SetAside = func(context.Context, int) ([]schemas.Event, error) { return nil, nil }
	}
	if c.Ours == nil {
		c.Ours = func(string) bool { return true }
	}
	if c.Changed == nil {
		c.Changed = func(State) {}
	}
	for d, preset := range map[*time.Duration]time.Duration{&c.Margin: defaultMargin, &c.Every: defaultEvery, &c.Daily: defaultDaily} {
		if *d <= 0 {
			*d = preset
		}
	}
	if c.Tries <= 0 {
		c.Tries = defaultTries
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = NewReconcilerMetrics(nil)
	}
	c.Log = c.Log.With("source", schemas.PluralKit, "system", c.System)
	return &Reconciler{c: c, turn: make(chan struct{}, 1), wake: make(chan struct{}, 1), recent: map[string]time.Time{},
		sum: newReport(c.System, false)}, nil
}

// Reconcile looks now, and appends what it finds to be different. What was
// touched by an event while it looked is left alone and looked at again a few
// seconds later; what is still changing then is in Report.Deferred.
// A dry run appends nothing and does not wait.
//
// The error is that of the first request that failed; what was found before it
// has been appended, and the Report says what. ErrUnauthorized and
// ErrAnonymous change the state and no row.
func (r *Reconciler) Reconcile(ctx context.Context, d Depth, dryRun bool) (Report, error) {
	return r.ReconcileTelling(ctx, d, dryRun, nil)
}

// ReconcileTelling is Reconcile that tells how far it is, from the same
// goroutine: after each answer, so a tell that waits holds the look up.
func (r *Reconciler) ReconcileTelling(ctx context.Context, d Depth, dryRun bool, tell func(Progress)) (Report, error) {
	report, _, err := r.reconcile(ctx, wantedBy(d), dryRun, tell)
	report.Depth = d
	return report, err
}

// reconcile looks at w, and gives what is left of it.
func (r *Reconciler) reconcile(ctx context.Context, w wanted, dryRun bool, tell func(Progress)) (Report, wanted, error) {
	report := newReport(r.c.System, dryRun)
	report.tell = tell
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return report, w, fmt.Errorf("pluralkit: reconcile: %w", ctx.Err())
	}
	defer func() { <-r.turn }()
	whole := w
	report.Heard = r.tookIn(w, dryRun)
	requests := r.c.Client.requests.Load()
	err := r.tries(ctx, &w, &report)
	report.Took = time.Since(report.Began)
	report.State, _ = r.State()
	report.Deferred = w.names()
	report.Requests, report.Late = int(r.c.Client.requests.Load()-requests), report.late.late()
	r.c.Metrics.looked(report, err)
	report.tell, report.late = nil, ages{}
	r.keep(whole, report, err)
	if err != nil {
		err = fmt.Errorf("pluralkit: reconcile %s: %w", r.c.System, err)
	}
	return report, w, err
}

// keep adds a look to the sum of them.
func (r *Reconciler) keep(w wanted, report Report, err error) {
	if report.DryRun {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sum.add(report)
	if w.history != notAtAll && err == nil {
		r.last = report
	}
}

// Sum is all that was found since the Reconciler was made: its Coverage is how
// far webhooks alone would have been right.
func (r *Reconciler) Sum() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	sum := r.sum
	sum.Repairs = maps.Clone(sum.Repairs)
	sum.State, sum.Heard = r.state, sum.Heard+r.heard
	return sum
}

// Last is the last look at the lists, or deeper, that had all its answers. Its
// Began is zero if there was none.
func (r *Reconciler) Last() Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := r.last
	last.Repairs = maps.Clone(last.Repairs)
	return last
}

// tries looks at w until all of it held still, or often enough; w is then what
// did not.
func (r *Reconciler) tries(ctx context.Context, w *wanted, report *Report) error {
	for try := 1; ; try++ {
		again, err := r.look(ctx, *w, report)
		if err != nil {
			return err
		}
		*w = again
		if again.nothing() || report.DryRun || try == r.c.Tries {
			return nil
		}
		if report.tell != nil {
			report.tell(Progress{StepAgain, try, r.c.Tries - 1})
		}
		if err := wait(ctx, r.c.Margin+settle); err != nil {
			return err
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Message asks whether a proxied message is still there: PluralKit lists none
// and does not say when one is deleted. If not, that is appended. Of one
// written a moment ago PluralKit may not know yet; it is not asked for.
func (r *Reconciler) Message(ctx context.Context, id string) (gone bool, err error) {
	asked := r.asked()
	if written, ok := snowflakeTime(id); ok && written.After(asked) {
		return false, nil
	}
	_, err = r.c.Client.Message(ctx, id)
	if !errors.Is(err, ErrNotFound) {
		return false, err
	}
	e, err := schemas.NewAbsent(schemas.MessageAbsent, r.c.System, id, asked, "")
	if err == nil {
		_, err = r.c.Append.Append(ctx, e)
	}
	if err != nil {
		return true, fmt.Errorf("pluralkit: message: %w", err)
	}
	return true, nil
}

// discordEpoch is from when Discord's ids count the milliseconds.
const discordEpoch = 1420070400000

// snowflakeTime is when an id of Discord's was made.
func snowflakeTime(id string) (time.Time, bool) {
	n, err := strconv.ParseUint(id, 10, 63)
	return time.UnixMilli(int64(n>>22) + discordEpoch), err == nil
}

// asked is the moment for which an answer stands that is asked for now.
func (r *Reconciler) asked() time.Time {
	return time.Now().Add(-r.c.Margin).UTC().Truncate(time.Microsecond)
}
