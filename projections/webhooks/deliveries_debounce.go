package webhooks

import (
	"encoding/json"
	"fmt"
	"time"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// A webhook with debounce_s gets of the changes of one subject that follow one
// another within that window only the last, as the subject then stands. The
// window begins with the first change and is not extended: a subject that
// changes without end is passed on once in each window. Its end is the first
// change's own time plus debounce_s, and a later change is within it by its own
// time. No clock is asked, so a rebuild makes the same rows (Laws 5 and 8).
// Other events than changes do not wait: each says something of its own.

// waiting is the change that a later one of the same subject replaces; nil:
// there is none whose window is open at us. One that was attempted already is
// none: the receiver may have it. (The + keeps SQLite to the index of subjects.)
func waiting(tx *engine.Tx, webhook, subject string, r schemas.Route, us int64) (engine.Row, error) {
	return tx.Get(`SELECT ordinal, id, event, next_us FROM deliveries
		WHERE webhook = ?1 AND debounced = ?2 AND source = ?3 AND tenant = ?4 AND event_name = ?5 AND status = 'due'
			AND attempts = 0 AND +next_us > ?6 ORDER BY ordinal LIMIT 1`, webhook, subject, r.Source, r.Tenant, r.EventName(), us)
}

// debounce makes the row of a change that waits. It takes the place of the one
// that waits already, if there is one, and that one's window.
func (d delivery) debounce(tx *engine.Tx, s *subscriber, shown schemas.Event) error {
	had, err := tx.Get(`SELECT 1 FROM deliveries WHERE webhook = ? AND id = ?`, d.webhook, d.id)
	if err != nil || had != nil {
		return err // the same change again
	}
	d.debounced = shown.Subject
	d.dueUS += (time.Duration(s.DebounceS) * time.Second).Microseconds()
	first, err := waiting(tx, d.webhook, shown.Subject, d.route, d.createdUS)
	if err != nil {
		return err
	}
	if first != nil {
		d.dueUS = first.Int(3)
		if d.event, err = sinceFirst(first.Text(2), shown); err != nil {
			return err
		}
		if err := cancelOne(tx, d.webhook, first.Int(0), "replaced by a later change"); err != nil {
			return err
		}
	}
	return d.insert(tx)
}

// sinceFirst is the later of two changes with the earlier one's before: what
// the receiver last knew.
func sinceFirst(earlier string, later schemas.Event) (string, error) {
	var e schemas.Event
	if err := e.UnmarshalJSON([]byte(earlier)); err != nil {
		return "", fmt.Errorf("an event we wrote ourselves: %w", err)
	}
	was, err := schemas.Decode[schemas.Change](e)
	if err != nil {
		return "", err
	}
	is, err := schemas.Decode[schemas.Change](later)
	if err != nil {
		return "", err
	}
	is.Before = was.Before
	if later.Data, err = json.Marshal(is); err != nil {
		return "", err
	}
	body, err := later.MarshalJSON()
	return string(body), err
}

// withdraw calls off the change that waits, if a later one that the subscriber
// may see does not meet its condition: what waits is not how it stands now.
func (vs *views) withdraw(s *subscriber) error {
	shown, err := vs.through(s.OwnerOnly)
	if err != nil || shown == nil {
		return err // it sees nothing of the later one: to it nothing has changed
	}
	first, err := waiting(vs.tx, s.ID, shown.event.Subject, vs.event.Route, vs.event.Time.UnixMicro())
	if err != nil || first == nil {
		return err
	}
	return cancelOne(vs.tx, s.ID, first.Int(0), "a later change does not meet the condition")
}

// cancelOne calls off one delivery that waits.
func cancelOne(tx *engine.Tx, webhook string, ordinal int64, why string) error {
	err := tx.Exec(`UPDATE deliveries SET status = 'cancelled', next_us = NULL, ordering_key = NULL, response = ?2
		WHERE ordinal = ?1`, ordinal, "cancelled: "+why)
	if err != nil {
		return err
	}
	return finished(tx, webhook, 1, 1)
}
