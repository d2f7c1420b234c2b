package webhooks

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"switchlog/projections/engine"
	"switchlog/projections/pluralkit"
	"switchlog/schemas"
)

// maxListened is how many kinds of event the audience remembers the listeners
// of: more than the catalogue has. Senders of CloudEvents name their own.
const maxListened = 1000

// An audience is the subscriptions that are enabled, as the tables have them:
// the Listener that makes deliveries. It is read when it is needed and forgotten
// when they change, also when what changed them is undone; so it is always what
// the tables say (Law 5).
type audience struct {
	known bool
	subs  []*subscriber
	of    map[kindOfEvent][]*subscriber
}

// Flush implements State: everything is written as it happens.
func (a *audience) Flush(*engine.Tx) error { return nil }

// Trim implements State.
func (a *audience) Trim(*engine.Tx) error { return nil }

// Forget implements State: it has the subscriptions read anew.
func (a *audience) Forget() { *a = audience{} }

// Hears implements Listener.
func (a *audience) Hears(tx *engine.Tx, typ string, r schemas.Route) (bool, error) {
	found, err := a.listeners(tx, typ, r)
	return len(found) > 0, err
}

type kindOfEvent struct{ typ, source, tenant, noun, verb string }

// A subscriber is a subscription with its condition ready.
type subscriber struct {
	schemas.Subscription
	condition *condition
}

func newSubscriber(s schemas.Subscription) (*subscriber, error) {
	c, err := compile(s.Condition)
	return &subscriber{Subscription: s, condition: c}, err
}

// listeners are the subscribers that such an event may be for, by all that its
// route and type say.
func (a *audience) listeners(tx *engine.Tx, typ string, r schemas.Route) ([]*subscriber, error) {
	if !a.known {
		all, err := subscriptions(tx)
		if err != nil {
			return nil, err
		}
		for _, s := range all {
			sub, err := newSubscriber(s)
			if err != nil {
				continue // CEL has changed since it was made: it gets nothing, and status says so
			}
			a.subs = append(a.subs, sub)
		}
		a.known, a.of = true, map[kindOfEvent][]*subscriber{}
	}
	if len(a.subs) == 0 {
		return nil, nil
	}
	kind := kindOfEvent{typ, r.Source, r.Tenant, r.Noun, r.Verb}
	found, remembered := a.of[kind]
	if remembered {
		return found, nil
	}
	for _, s := range a.subs {
		if s.listens(typ, r) {
			found = append(found, s)
		}
	}
	if len(a.of) >= maxListened {
		clear(a.of)
	}
	a.of[kind] = found
	return found, nil
}

// listens reports whether the subscription may be for such an event.
func (s *subscriber) listens(typ string, r schemas.Route) bool {
	switch {
	case s.Source != "" && s.Source != r.Source, s.Tenant != "" && s.Tenant != r.Tenant:
		return false
	case s.ServerID != nil && r.Source != schemas.StellarStack, !s.OwnerOnly && !schemas.HasPublic(typ, r):
		return false
	}
	return slices.ContainsFunc(s.Events, func(pattern string) bool { return schemas.MatchEvent(pattern, typ, r) })
}

// Listen implements Listener: it makes a delivery of the event for each
// subscription that asked for it.
func (a *audience) Listen(tx *engine.Tx, e schemas.Event, n int) error {
	found, err := a.listeners(tx, e.Type, e.Route)
	if err != nil {
		return err
	}
	if n == 0 {
		e = schemas.Unsealed(e)
	}
	seen := views{tx: tx, event: e}
	for _, s := range found {
		v, err := seen.of(s)
		if err != nil {
			return err
		}
		debounces := n > 0 && s.DebounceS > 0
		if v == nil {
			if debounces {
				err = seen.withdraw(s)
			}
			if err != nil {
				return err
			}
			continue
		}
		body, err := v.text()
		if err != nil {
			return err
		}
		id, us := schemas.DeliveryID(s.ID, e), e.Time.UnixMicro()
		d := delivery{webhook: s.ID, id: id, messageID: id, kind: schemas.DeliveryLive, seq: int64(tx.Event().Seq), n: int64(n),
			route: e.Route, eventID: e.ID, event: body, createdUS: us, dueUS: us, ordered: s.Ordered}
		if debounces {
			err = d.debounce(tx, s, v.event)
		} else {
			err = d.insert(tx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// views are what there is to see of one event: by its owner, and by others.
type views struct {
	tx    *engine.Tx
	event schemas.Event
	own   *view
	other *view
	none  bool // others see nothing of it
}

// A view is an event as somebody may see it.
type view struct {
	event schemas.Event
	body  string // encoded; empty: not yet
	vars  map[string]any
}

// of is what the subscriber sees of the event; nil if it is not for it.
func (vs *views) of(s *subscriber) (*view, error) {
	if !isServer(s.ServerID, vs.event) {
		return nil, nil
	}
	v, err := vs.through(s.OwnerOnly)
	if err != nil || v == nil || s.condition == nil {
		return v, err
	}
	if v.vars == nil {
		v.vars = variables(v.event)
	}
	if !s.condition.holds(v.vars) {
		return nil, nil
	}
	return v, nil
}

// through is the event in the eyes of the owner or of others; nil: they see
// nothing.
func (vs *views) through(owner bool) (*view, error) {
	if vs.own == nil {
		vs.own = &view{event: vs.event}
	}
	if owner {
		return vs.own, nil
	}
	if vs.other == nil && !vs.none {
		if err := vs.tx.Settle(); err != nil { // it is asked what rows are now
			return nil, err
		}
		shown, some, err := schemas.PublicChange(vs.event, pluralkit.Privacy{Tx: vs.tx})
		if err != nil {
			return nil, err
		}
		vs.none = !some
		if some {
			vs.other = &view{event: shown}
		}
	}
	return vs.other, nil
}

func (v *view) text() (string, error) {
	if v.body == "" {
		b, err := v.event.MarshalJSON()
		if err != nil {
			return "", err
		}
		v.body = string(b)
	}
	return v.body, nil
}

// isServer reports whether the event is about that server of StellarStack's, if
// one is asked for.
func isServer(id *string, e schemas.Event) bool {
	if id == nil {
		return true
	}
	if e.Route.Source != schemas.StellarStack {
		return false
	}
	d, err := schemas.ReadStellarStack(e)
	if err != nil || d.Server == nil {
		return false
	}
	server := d.Server
	return server.ID == *id || server.ID == "" && server.Name == *id
}

// Matcher reports whether an event, or a change, of the log is one that the
// subscription asks for, and gives it as the receiver may see it now. It is
// for a replay; what happens live is matched as it is folded.
func (r Reader) Matcher(s schemas.Subscription) (func(ctx context.Context, e schemas.Event) (seen schemas.Event, ok bool, err error), error) {
	sub, err := newSubscriber(s)
	if err != nil {
		return nil, fmt.Errorf("webhook %s: %w", s.ID, err)
	}
	return func(ctx context.Context, e schemas.Event) (seen schemas.Event, ok bool, err error) {
		if !sub.listens(e.Type, e.Route) {
			return e, false, nil
		}
		err = r.DB.Current(ctx, func(tx *engine.Tx, _ schemas.Position) error {
			vs := views{tx: tx, event: e}
			v, err := vs.of(sub)
			if err != nil || v == nil {
				return err
			}
			seen, ok = v.event, true
			return nil
		})
		if err != nil {
			return e, false, fmt.Errorf("webhook %s: %w", s.ID, err)
		}
		return seen, ok, nil
	}, nil
}

// variables is what a condition may ask about.
func variables(e schemas.Event) map[string]any {
	var data any
	if len(e.Data) > 0 {
		data = plain(e.Data)
	}
	return map[string]any{"type": e.Type, "source": e.Route.Source, "tenant": e.Route.Tenant, "subject": e.Subject,
		"id": e.ID, "time": e.Time.UTC(), "data": data}
}

// plain is JSON as CEL takes it: whole numbers are int64, others float64.
func plain(data json.RawMessage) any {
	var v any
	if err := unmarshalNumbers(data, &v); err != nil {
		return nil
	}
	return plainNumbers(v)
}
