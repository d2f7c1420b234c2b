package pluralkit

import (
	"context"
	"errors"
	"time"

	"switchlog/schemas"
)

// State is how a source stands with PluralKit. It is never data: none but
// StateDeleted changes what is known of the system. Each new one is said as an
// event, but for StateUnreachable, which PluralKit has not said.
type State = schemas.SourceState

// The states there are. Before the first look there is none: the empty State.
const (
	StateOK           = schemas.SourceOK
	StateElsewhere    = schemas.SourceElsewhere
	StateUnauthorized = schemas.SourceUnauthorized
	StateAnonymous    = schemas.SourceAnonymous
	StateDeleted      = schemas.SourceDeleted
	StateUnreachable  = schemas.SourceUnreachable
)

// States is all of them.
var States = []State{StateOK, StateElsewhere, StateUnauthorized, StateAnonymous, StateDeleted, StateUnreachable}

// State is how the last look found the source, and since when it is so.
func (r *Reconciler) State() (State, time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state, r.since
}

func (r *Reconciler) enter(s State) {
	r.mu.Lock()
	old := r.state
	if old != s {
		r.state, r.since = s, time.Now()
	}
	r.mu.Unlock()
	if old == s {
		return
	}
	r.c.Metrics.moved(old, s)
	switch s {
	case StateOK:
		r.c.Log.Info("PluralKit answers, and sends to us", "state", s)
	case StateElsewhere:
		r.c.Log.Warn("PluralKit does not send its webhooks to us (hint: switchlog link pluralkit)", "state", s)
	default:
		r.c.Log.Warn("PluralKit cannot be compared with", "state", s)
	}
	r.c.Changed(s)
	if gap := old == StateElsewhere || old == StateUnauthorized || old == StateAnonymous || old == StateDeleted; gap && s == StateOK {
		r.Trigger(ReasonGap)
	}
}

// An ownError is none of PluralKit's: what we hold could not be read, or what
// was found not be stored.
type ownError struct{ err error }

func (e *ownError) Error() string { return e.err.Error() }
func (e *ownError) Unwrap() error { return e.err }

// own marks an error as ours.
func own(err error) error {
	if err == nil {
		return nil
	}
	return &ownError{err}
}

// judge finds out what an error says of the source. The system being gone is
// data: it is appended.
func (r *Reconciler) judge(ctx context.Context, err error, report *Report) error {
	var ours *ownError
	switch {
	case ctx.Err() != nil || errors.As(err, &ours):
		return err
	case errors.Is(err, ErrAnonymous):
		return errors.Join(err, r.stands(ctx, StateAnonymous, r.asked(), report))
	case !errors.Is(err, ErrUnauthorized):
		r.enter(StateUnreachable)
		return err
	}
	asked := r.asked()
	exists, existsErr := r.c.Client.SystemExists(ctx, UUID(r.c.System))
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case existsErr != nil:
		r.enter(StateUnreachable)
		return errors.Join(err, existsErr)
	case exists:
		return errors.Join(err, r.stands(ctx, StateUnauthorized, asked, report))
	}
	r.enter(StateDeleted)
	return r.deleted(ctx, asked, report)
}

// stands enters a state that PluralKit's answer of that moment gave it, and
// says so if that is news.
func (r *Reconciler) stands(ctx context.Context, s State, asked time.Time, report *Report) error {
	r.enter(s)
	if r.said(s) {
		return nil
	}
	l := &look{r: r, report: report}
	if err := l.hold(ctx); err != nil {
		return err
	}
	l.source(s, asked)
	return l.flush(ctx)
}

// said reports whether an event says already that s is how the source stands.
func (r *Reconciler) said(s State) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.told == s
}

// source has an event say how the source stands, unless that is what is held.
func (l *look) source(s State, asked time.Time) {
	if l.held.Source != s {
		e, err := schemas.NewObserved(schemas.SourceObserved, l.r.c.System, l.r.c.System, asked, map[string]State{"state": s})
		if err != nil {
			panic("pluralkit: a state is no JSON: " + err.Error())
		}
		l.out = append(l.out, difference{event: e})
	}
	l.state = s
}

// deleted says that the system is gone, unless that is known.
func (r *Reconciler) deleted(ctx context.Context, asked time.Time, report *Report) error {
	l := &look{r: r, report: report}
	if err := l.hold(ctx); err != nil {
		return err
	}
	l.source(StateDeleted, asked)
	if s := l.held.System; s != nil && (s.Gone || s.TouchedUS >= asked.UnixMicro()) {
		return l.flush(ctx)
	}
	l.absent("system", schemas.SystemAbsent, r.c.System, asked, "", entityState(l.held.System))
	return l.flush(ctx)
}
