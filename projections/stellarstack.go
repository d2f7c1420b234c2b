package projections

import (
	"bytes"
	_ "embed"
	"encoding/json"

	"switchlog/projections/engine"
	"switchlog/projections/merge"
	"switchlog/schemas"
)

//go:embed stellarstack.sql
var stellarStackSQL string

// StellarStack is what StellarStack panels tell: every event, and of each
// server what was heard last.
//
// Deliveries come in no order, so the newest by the panel's own time counts.
var StellarStack = engine.Projection{
	Name: "stellarstack", Source: schemas.StellarStack, Version: 4, // 4: an odd event of an unknown type has its row
	Schema:   stellarStackSQL,
	Handlers: engine.Any(foldStellarStack),
	Queries: []engine.Query{{
		Name: "servers", Path: "servers",
		Doc: "The panel's servers, as last heard of, by name.",
		SQL: `SELECT server_id AS id, name, status, state, since, verified AS verified_bool
			FROM current_stellarstack_servers WHERE source = :tenant ORDER BY name, server_id LIMIT 1000`,
	}, {
		Name: "events", Path: "events",
		Doc:    "The latest events of the panel, newest first.",
		Params: []engine.Param{{Name: "server_id", Doc: "Only those about this server."}},
		SQL: `SELECT event, server_id, server_name, status, data AS data_json, verified AS verified_bool, timestamp_us,
				strftime('%Y-%m-%dT%H:%M:%S', (timestamp_us - (timestamp_us % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
					|| printf('.%06dZ', (timestamp_us % 1000000 + 1000000) % 1000000) AS timestamp
			FROM stellarstack_events WHERE source = :tenant AND (:server_id IS NULL OR server_id = :server_id)
			ORDER BY timestamp_us DESC, event, server_id, data LIMIT 100`,
	}},
}

var stellarServerEntity = merge.Entity{
	Table: "stellarstack_servers", Keys: []string{"source", "server_id"}, Told: true, Deletes: true,
	Fields: stellarServerFields,
}.Prepare()

// stellarServerFields: state is the last of what server.* events tell, and
// since when they told it.
var stellarServerFields = []schemas.Field{
	{Name: "name", Null: true},
	{Name: "status", Null: true},
	{Name: "state", Null: true},
	{Name: "since", Kind: schemas.Time, Null: true},
	{Name: "verified", Kind: schemas.Bool},
}

// stellarStates are the events that tell what a server is doing.
var stellarStates = map[string]string{
	schemas.StellarStackServerStarted:      "started",
	schemas.StellarStackServerStopped:      "stopped",
	schemas.StellarStackServerCrashed:      "crashed",
	schemas.StellarStackServerRestarted:    "restarted",
	schemas.StellarStackServerAutoShutdown: "auto_shutdown",
	schemas.StellarStackServerCreated:      "created",
	schemas.StellarStackServerSuspended:    "suspended",
	schemas.StellarStackServerUnsuspended:  "unsuspended",
}

func foldStellarStack(tx *engine.Tx, e schemas.Recorded) error {
	d, err := schemas.ReadStellarStack(e.Event)
	if err != nil {
		return err
	}
	if d.Server != nil && d.Server.ID == "" {
		d.Server.ID = d.Server.Name
	}
	if d.Server != nil && d.Server.ID == "" {
		d.Server = nil
	}
	if err := merge.CheckID("stellarstack_servers", e.Route.Tenant); err != nil {
		return err
	}
	us, err := schemas.ParseTime(d.Timestamp)
	if err != nil {
		us = e.Time.UnixMicro() // what it tells is of use all the same
	}
	if err := insertStellarEvent(tx, e, d, us); err != nil || d.Server == nil {
		return err
	}
	return mergeStellarServer(tx, e, *d.Server, us)
}

// stellarVerified reports whether somebody vouches for the event.
func stellarVerified(e schemas.Recorded) bool {
	return e.Extensions[schemas.AuthTypeExtension] != schemas.AuthUnauthenticated
}

func insertStellarEvent(tx *engine.Tx, e schemas.Recorded, d schemas.StellarStackEvent, us int64) error {
	data, err := sortedJSON(d.Data)
	if err != nil {
		return err
	}
	server := schemas.StellarStackServer{}
	var name *string
	if d.Server != nil {
		server, name = *d.Server, &d.Server.Name
	}
	return tx.Exec(`INSERT INTO stellarstack_events
			(source, timestamp_us, event, server_id, data, server_name, status, verified, id, received_us)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (source, timestamp_us, event, server_id, data) DO UPDATE SET server_name = excluded.server_name,
			status = excluded.status, verified = excluded.verified, id = excluded.id, received_us = excluded.received_us
			WHERE (excluded.received_us, excluded.id) < (received_us, id)`,
		e.Route.Tenant, us, d.Event, server.ID, data, name, server.Status, stellarVerified(e), e.ID, e.Time.UnixMicro())
}

func mergeStellarServer(tx *engine.Tx, e schemas.Recorded, s schemas.StellarStackServer, us int64) error {
	values := map[string]any{"verified": stellarVerified(e)}
	if s.Name != "" {
		values["name"] = s.Name
	}
	if s.Status != nil {
		values["status"] = *s.Status
	}
	if state, tells := stellarStates[e.Type]; tells {
		values["state"], values["since"] = state, us
	}
	return merge.Into(tx, stellarServerEntity, func(r *merge.Row) {
		r.Set(pick(stellarServerFields, values), merge.FieldVersion{Rank: merge.RankUpdate, US: us, ID: e.ID})
		if e.Type == schemas.StellarStackServerDeleted {
			r.Tombstone(us)
		}
	}, e.Route.Tenant, s.ID)
}

// sortedJSON is an object with its members in order, at every depth: StellarStack
// writes the same in another order when it tries again.
func sortedJSON(o schemas.Object) (string, error) {
	if len(o) == 0 {
		return "{}", nil
	}
	raw, err := json.Marshal(o)
	if err != nil {
		return "", err
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // as they were written
	if err := d.Decode(&v); err != nil {
		return "", err
	}
	sorted, err := json.Marshal(v)
	return string(sorted), err
}
