package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"switchlog/schemas"
)

// commit makes a change, for a caller that holds r.mu: secrets and event into
// secrets.db, marked; the event into the log; the state; the mark away. A crash
// after the first step leaves a mark, and the next start goes on from there. If
// the log cannot take the event the first step is undone, whatever has become of
// ctx. If secrets.db refuses that, too, the error is schemas.ErrUncertain.
func (r *Registry) commit(ctx context.Context, typ, subject string, data any, secrets map[string]secret) error {
	if err := ctx.Err(); err != nil {
		return err // the caller waited too long for its turn
	}
	if err := r.flush(ctx); err != nil {
		return err
	}
	e, err := r.event(typ, subject, data)
	if err != nil {
		return err
	}
	next := r.state.clone()
	if err := next.apply(e); err != nil {
		return err
	}
	err = r.db.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for ref, kept := range secrets {
			if err := insertSecret(ctx, tx, ref, kept); err != nil {
				return err
			}
		}
		return insertEvent(ctx, tx, e, false)
	})
	if err != nil {
		return fmt.Errorf("secrets: %w", err)
	}
	if err := r.append(ctx, e); err != nil {
		r.undo = append(r.undo, undo{event: e.ID, refs: slices.Collect(maps.Keys(secrets))})
		if left := r.undoRefused(ctx); left != nil {
			return fmt.Errorf("%w: %w", schemas.ErrUncertain, errors.Join(err, left))
		}
		return err
	}
	maps.Copy(r.secrets, secrets)
	r.events = append(r.events, e)
	r.known[e.ID] = true
	r.last, r.state = e.Time, next
	if err := r.prune(ctx); err != nil {
		r.Log.Warn("secrets that are over were not deleted yet", "err", err)
	}
	r.publish()
	r.Log.Info("the registry changed", "type", typ, e.Route.Noun, subject, "event", e.ID, "by", orSelf(by(ctx)))
	return nil
}

// undo is the first step of a command that was refused.
type undo struct {
	event string   // its id
	refs  []string // of its secrets
}

// undoRefused takes the commands that were refused out of secrets.db. What cannot be
// undone now is tried again before the next command.
func (r *Registry) undoRefused(ctx context.Context) error {
	for len(r.undo) > 0 {
		u := r.undo[0]
		err := r.db.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			return errors.Join(deleteEvent(ctx, tx, u.event), deleteSecrets(ctx, tx, u.refs))
		})
		if err != nil {
			return fmt.Errorf("secrets: undo: %w", err)
		}
		r.undo = r.undo[1:]
	}
	return nil
}

// event makes an event of the registry. Its time is later than that of all
// before it, even when the clock was set back: they are folded by time.
func (r *Registry) event(typ, subject string, d any) (schemas.Event, error) {
	data, err := json.Marshal(d)
	if err != nil {
		return schemas.Event{}, err
	}
	noun, verb, _ := strings.Cut(strings.TrimPrefix(typ, schemas.SelfSource+"."), ".")
	now := r.Now().UTC().Truncate(time.Microsecond)
	if !now.After(r.last) {
		now = r.last.Add(time.Microsecond)
	}
	return schemas.Event{
		ID: schemas.NewID(), Source: schemas.SelfURI, Type: typ, Subject: subject,
		Time: now, DataSchema: schemas.SchemaID(typ), Origin: schemas.OriginCommand, Data: data,
		Route:   schemas.RegistryRoute(noun, verb),
		Repeats: registryRepeats,
	}, nil
}
