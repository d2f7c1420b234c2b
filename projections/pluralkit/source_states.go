package pluralkit

import (
	_ "embed"
	"encoding/json"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

//go:embed source_states.sql
var sourceStatesSQL string

// SourceStates is how each source of PluralKit stands with PluralKit: whether
// its webhooks come to us and its API token is good. It is about the source
// and never about its data: no other row changes with it.
//
// Looks may be folded in any order; the state is that of the newest.
var SourceStates = engine.Projection{
	Name: "source_states", Source: schemas.PluralKit, Version: 3, // 2: readable times before 1970; 3: webhook_elsewhere
	Schema: sourceStatesSQL,
	Handlers: map[string]engine.Handler{
		schemas.SourceObserved: on(readSourceState, foldSourceState),
	},
	Queries: []engine.Query{{
		Name: "source_states", Path: "source/states",
		Doc: "How the source stood with PluralKit, the newest first: while it was not ok, things may have been missed.",
		SQL: `SELECT state, strftime('%Y-%m-%dT%H:%M:%S', since_us / 1000000, 'unixepoch') || printf('.%06dZ', since_us % 1000000) AS since,
				since_us FROM source_states WHERE system_uuid = :tenant ORDER BY since_us DESC, event_id DESC LIMIT 1000`,
	}},
}

func readSourceState(e schemas.Recorded) (schemas.SourceReport, error) {
	object, _, us, err := observed(e, nil)
	if err != nil {
		return schemas.SourceReport{}, err
	}
	state, err := object.Text("state")
	if err != nil {
		return schemas.SourceReport{}, err
	}
	return schemas.NewSourceReport(schemas.SourceState(state), us)
}

func foldSourceState(tx *engine.Tx, t *tenant, e schemas.Recorded, is schemas.SourceReport) error {
	was, err := sourceState(tx, t.system)
	if err != nil {
		return err
	}
	made, err := tx.Get(`INSERT INTO source_states (system_uuid, since_us, event_id, state) VALUES (?, ?, ?, ?)
		ON CONFLICT (system_uuid, since_us, event_id) DO NOTHING RETURNING 1`, t.system, is.SinceUS, e.ID, string(is.State))
	if err != nil || made == nil {
		return err
	}
	if newest, err := sourceState(tx, t.system); err != nil || newest.eventID != e.ID || was.state == string(is.State) {
		return err
	}
	return announceSource(tx, was, is)
}

// sourceStateRow is the newest row of a source. The zero row: there is none.
type sourceStateRow struct {
	state   string
	sinceUS int64
	eventID string
}

func sourceState(tx *engine.Tx, system string) (sourceStateRow, error) {
	r, err := tx.Get(`SELECT state, since_us, event_id FROM source_states WHERE system_uuid = ?
		ORDER BY since_us DESC, event_id DESC LIMIT 1`, system)
	if err != nil || r == nil {
		return sourceStateRow{}, err
	}
	return sourceStateRow{r.Text(0), r.Int(1), r.Text(2)}, nil
}

// announceSource tells that a source stands otherwise than before.
func announceSource(tx *engine.Tx, was sourceStateRow, is schemas.SourceReport) error {
	var before, after json.RawMessage
	if was.eventID != "" {
		report, err := schemas.NewSourceReport(schemas.SourceState(was.state), was.sinceUS)
		if err != nil {
			return err
		}
		if before, err = json.Marshal(report); err != nil {
			return err
		}
	}
	after, err := json.Marshal(is)
	if err != nil {
		return err
	}
	change, err := schemas.NewChange(schemas.SourceChanged, "source", tx.Event().Route.Tenant, tx.Event(), before, after)
	if err != nil {
		return err
	}
	return tx.Publish(change)
}
