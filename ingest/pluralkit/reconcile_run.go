package pluralkit

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"time"

	"switchlog/schemas"
)

// Reason is why to look now and not only when it is time.
type Reason string

// The reasons there are.
const (
	ReasonLinked   Reason = "linked"   // the webhook was just registered, or its address is
	ReasonGap      Reason = "gap"      // we were away: anything may have been missed
	ReasonFull     Reason = "full"     // verified requests could not be stored
	ReasonRefused  Reason = "refused"  // many requests for this system with a wrong token: was it issued anew?
	ReasonImported Reason = "imported" // a file told of what was before; there is more to know of it
	ReasonOperator Reason = "operator" // somebody wants it
)

// Reasons is all of them.
var Reasons = []Reason{ReasonLinked, ReasonGap, ReasonFull, ReasonRefused, ReasonImported, ReasonOperator}

// A plan is what is to be looked at, and when. A zero time is never.
type plan struct {
	pending wanted
	due     time.Time // of pending
	latest  time.Time // due is put off no further
	retry   wanted    // what failed, or changed meanwhile
	retryAt time.Time
	lists   time.Time // the next look at the lists
	full    time.Time // the next full one
	changed time.Time // when something was different last
}

const (
	backOff = time.Minute      // after a look that failed; doubled each time
	putOff  = 30 * time.Second // for how long events may put off a look, all together
)

// Trigger has Run look soon: at the lists if only the token is in doubt, else
// at everything. It does not wait.
func (r *Reconciler) Trigger(reason Reason) {
	r.c.Log.Info("reconciliation asked for", "reason", reason)
	r.c.Metrics.triggers.WithLabelValues(string(reason)).Inc()
	switch reason {
	case ReasonRefused:
		r.add(wantedBy(Lists), settle)
	case ReasonLinked: // PluralKit tries an address before it keeps it
		r.add(wantedBy(Full), r.c.Margin+settle)
	default:
		r.add(wantedBy(Full), 0)
	}
}

// add plans a look at w in no less than d. What is planned already is put off,
// so that a burst is looked at once, but not for long.
func (r *Reconciler) add(w wanted, d time.Duration) {
	now := time.Now()
	r.mu.Lock()
	p := &r.plan
	if r.state == StateUnreachable && d > 0 && !p.retryAt.IsZero() {
		p.retry = p.retry.and(w)
		r.mu.Unlock()
		return
	}
	if p.due.IsZero() {
		p.latest = now.Add(max(d, putOff))
	}
	p.due = now.Add(d)
	if p.due.After(p.latest) {
		p.due = p.latest
	}
	p.pending = p.pending.and(w)
	r.mu.Unlock()
	r.rouse()
}

// again plans another look at what failed.
func (r *Reconciler) again(w wanted, d time.Duration) {
	r.mu.Lock()
	r.plan.retry, r.plan.retryAt = r.plan.retry.and(w), time.Now().Add(d)
	r.mu.Unlock()
	r.rouse()
}

func (r *Reconciler) rouse() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Run looks when it starts, when it is time, when triggered and after events
// that leave something open (see Seen), until ctx ends. It returns nil then:
// what PluralKit answers is a State, and no reason to stop.
func (r *Reconciler) Run(ctx context.Context) error {
	r.mu.Lock()
	now := time.Now()
	r.plan.lists, r.plan.full = now, now
	r.mu.Unlock()
	failed := 0
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		case <-timer.C:
		}
		if w := r.take(time.Now()); !w.nothing() {
			failed = r.attend(ctx, w, failed)
		}
		timer.Reset(time.Until(r.next()))
	}
}

// attend looks at w once, and plans what comes after.
func (r *Reconciler) attend(ctx context.Context, w wanted, failed int) int {
	report, again, err := r.reconcile(ctx, w, false, nil)
	switch {
	case ctx.Err() != nil:
		return failed
	case err == nil:
		if report.Emitted > 0 {
			r.changed(time.Now())
			r.c.Log.Info("reconciled", "report", report.String())
		}
		if !again.nothing() {
			r.again(again, backOff)
		}
		return 0
	}
	r.c.Log.Warn("reconciliation failed", "err", err, "failures", failed+1)
	if errors.Is(err, ErrUnauthorized) || errors.Is(err, ErrAnonymous) {
		return failed + 1 // a person has to act; until then the schedule is enough
	}
	r.again(w, min(backOff<<min(failed, 10), r.c.Every))
	return failed + 1
}

// changed notes when something was different.
func (r *Reconciler) changed(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plan.changed = now
}

// quietShare is the part of a silence after which the next look comes: what has not
// changed for an hour is looked at two minutes later.
const quietShare = 30

// every is how long until the next look at the lists. The caller holds mu.
func (r *Reconciler) every(now time.Time) time.Duration {
	if r.c.Quick == 0 {
		return r.c.Every
	}
	if r.plan.changed.IsZero() {
		r.plan.changed = now // a start: somebody has just begun
	}
	return min(max(now.Sub(r.plan.changed)/quietShare, r.c.Quick), SlowestTimes*r.c.Quick)
}

// SlowestTimes is how many times Quick there is at most between two looks.
const SlowestTimes = 5

// take gives what is due, and plans the next of it.
func (r *Reconciler) take(now time.Time) (w wanted) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := &r.plan
	if !now.Before(p.full) {
		w = w.and(wantedBy(Full))
	} else if !now.Before(p.lists) {
		w = w.and(wantedBy(Lists))
	}
	if !p.due.IsZero() && !now.Before(p.due) {
		w = w.and(p.pending)
		p.pending, p.due = wanted{}, time.Time{}
	}
	if !p.retryAt.IsZero() && !now.Before(p.retryAt) {
		w = w.and(p.retry)
		p.retry, p.retryAt = wanted{}, time.Time{}
	}
	if w.history != notAtAll {
		p.lists = now.Add(jitter(r.every(now)))
	}
	if w.history == entire && w.probes {
		p.full = now.Add(jitter(r.c.Daily))
	}
	return w
}

func (r *Reconciler) next() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.plan.lists
	for _, t := range []time.Time{r.plan.full, r.plan.due, r.plan.retryAt} {
		if !t.IsZero() && t.Before(at) {
			at = t
		}
	}
	return at
}

// jitter is d, give or take a fifth: not all systems are looked at at once.
func jitter(d time.Duration) time.Duration {
	return d + time.Duration((rand.Float64()-0.5)*0.4*float64(d)) // #nosec G404 -- when to try again is no secret
}

// conflict is within which time two updates of one thing may have swapped on
// their way.
const conflict = 30 * time.Second

// maxRecent things are remembered as just updated.
const maxRecent = 1024

// Seen is told of each event that was folded, and plans to look at what the
// event leaves open: what PluralKit does not say in it, or may be wrong. Of
// other systems' events, and of our own, it takes no notice.
func (r *Reconciler) Seen(e schemas.Recorded) {
	if e.Route.Source != schemas.PluralKit || e.Route.Tenant != r.c.System || e.Origin == schemas.OriginAPI || e.Fault != nil {
		return
	}
	w := r.openedBy(e)
	switch s, _ := r.State(); {
	case w.nothing():
		return
	case s == StateUnauthorized || s == StateAnonymous || s == StateDeleted:
		return // nobody would answer; a look at the lists makes up for it
	}
	// Not before the event lies beyond the margin: PluralKit may not have
	// written yet what it has said.
	r.add(w, r.c.Margin+settle)
}

func (r *Reconciler) openedBy(e schemas.Recorded) (w wanted) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Origin == schemas.OriginWebhook {
		r.heard++
	}
	switch e.Type {
	case schemas.PKMemberCreate:
		w.members = true // what it is without: short id, created, avatar
	case schemas.PKGroupCreate:
		w.groups = true
	case schemas.PKMemberUpdate, schemas.PKMemberGuildUpdate:
		w.members = r.unknown(e.Subject) || r.twice(e)
	case schemas.PKGroupUpdate:
		w.groups = r.unknown(e.Subject) || r.twice(e)
	case schemas.PKSystemUpdate:
		// Several fields at once may be of an import that failed after it
		// had told of them.
		many := keys(e.Data) > 1
		w.system, w.settings = many || r.twice(e), many
	case schemas.PKSettingsUpdate:
		w.settings = keys(e.Data) > 1 || r.twice(e)
	case schemas.PKSwitchCreate, schemas.PKSwitchUpdate:
		r.switched(e, &w)
	case schemas.PKSwitchDeleteAll:
		w.history = entire // what was created around it may be lost, or too much
	case schemas.PKImportSuccess:
		w = wantedBy(Full)
	case schemas.PKMessageCreate:
		r.messaged(e, &w)
	}
	return w
}

// switched: of more than one member PluralKit does not tell who is first, and
// of an update we may have missed the create.
func (r *Reconciler) switched(e schemas.Recorded, w *wanted) {
	s, err := schemas.Decode[schemas.PKSwitch](e.Event)
	if err != nil || e.Subject == "" {
		return // the fold sets it aside
	}
	if _, err := ParseUUID(e.Subject); err != nil {
		return
	}
	var members []string
	if s.Members != nil {
		members = *s.Members
	}
	if e.Type == schemas.PKSwitchUpdate || len(members) > 1 {
		w.single(e.Subject)
	}
	for _, id := range members {
		w.members = w.members || r.unknown(id)
	}
}

// unknown: the last look at the lists did not have it. mu is held.
func (r *Reconciler) unknown(id string) bool { return r.ids != nil && !r.ids[id] }

// twice: the same thing was updated a moment ago, and which came first is
// not sure. mu is held.
func (r *Reconciler) twice(e schemas.Recorded) bool {
	key := e.Type + " " + e.Subject
	last, was := r.recent[key]
	if len(r.recent) >= maxRecent {
		clear(r.recent)
	}
	r.recent[key] = e.Time
	return was && e.Time.Sub(last) < conflict
}

// keys counts the members of an object, and of its privacy.
func keys(data json.RawMessage) int {
	var o schemas.Object
	if json.Unmarshal(data, &o) != nil {
		return 0
	}
	return len(o) + max(len(inner(o))-1, 0)
}

// remember keeps whom the lists had.
func (r *Reconciler) remember(members []Member, groups []Group) {
	ids := make(map[string]bool, len(members)+len(groups))
	for _, m := range members {
		ids[string(m.UUID)] = true
	}
	for _, g := range groups {
		ids[string(g.UUID)] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids = ids
}

// tookIn gives how many events webhooks have brought since the last look at
// the lists, if this is one.
func (r *Reconciler) tookIn(w wanted, dryRun bool) int {
	if w.history == notAtAll {
		return 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.heard
	if !dryRun {
		r.heard = 0
	}
	return n
}
