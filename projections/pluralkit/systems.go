package pluralkit

import (
	_ "embed"

	"switchlog/projections/engine"
	"switchlog/projections/merge"
	"switchlog/schemas"
)

//go:embed systems.sql
var systemsSQL string

// Systems is what each PluralKit system says of itself.
//
// A row exists from the moment a source of that system is in the registry, or
// from the first event of the system on, whatever that is about: a join with
// systems loses nobody. Until more is known its fields are NULL.
var Systems = engine.Projection{
	Name: pluralKitState, Source: schemas.PluralKit, Version: 5,
	Schema: systemsSQL,
	State:  func() engine.State { return NewState(maxStateBytes) },
	Handlers: map[string]engine.Handler{
		schemas.PKSystemUpdate: on(readSystem, foldSystem),
		schemas.SystemObserved: on(readSystem, foldSystem),
		schemas.SystemImported: on(readSystem, foldSystem),
		schemas.SystemAbsent:   on(readSystem, foldSystem),
		"":                     on(nothingToRead, foldAny),
	},
	Quiet: quietColumns,
	Queries: []engine.Query{{
		Name: "system", Path: "system", One: true,
		Doc: "The system, as PluralKit's API shows it to its owner.",
		SQL: `SELECT id, uuid, name, description, tag, pronouns, avatar_url, banner, color,
				strftime('%Y-%m-%dT%H:%M:%S', (created_us - (created_us % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
					|| printf('.%06dZ', (created_us % 1000000 + 1000000) % 1000000) AS created,
				` + shownPrivacy(schemas.PKSystemObject) + `
			FROM systems WHERE system_uuid = :tenant AND deleted_us IS NULL ORDER BY uuid LIMIT 1`,
	}, historyQuery},
	ShortID: schemas.PluralKitShortID,
}

var systemEntity = merge.Entity{
	Table: "systems", Keys: []string{"system_uuid", "uuid"}, Snapshots: true, Deletes: true, Absents: true,
	Fields:  schemas.PKSystemObjectFields,
	Shape:   schemas.PKSystemObject.Names(),
	Privacy: schemas.PKSystemObject.PrivacySettings(),
}.Prepare()

// quietColumns are bookkeeping, and what moves with every message.
var quietColumns = []string{"versions", "seen_us", "observed_us", "observed_id", "snapshot_us", "snapshot_id", "absent_us",
	"message_count", "last_message_timestamp_us"}

// said is what an event says of an entity, checked.
type said struct {
	values []schemas.Value
	shown  schemas.Fields // of an import
	us     int64          // of an observation, import or absence: the moment it stands for
}

func readSystem(e schemas.Recorded) (said, error) {
	var d said
	var err error
	switch e.Type {
	case schemas.PKSystemUpdate:
		d.values, err = schemas.DecodeFields(e.Type, e.Data, schemas.PKSystemFields)
	case schemas.SystemAbsent:
		_, d.us, err = absent(e)
	case schemas.SystemImported:
		d.shown, d.us, err = importedAs(e, systemEntity.Fields, e.Route.Tenant)
	default:
		d.values, d.us, err = observedAs(e, systemEntity.Fields, e.Route.Tenant)
	}
	return d, err
}

func foldSystem(tx *engine.Tx, t *tenant, e schemas.Recorded, d said) error {
	return t.mergeSystem(tx, func(r *merge.Row) {
		switch e.Type {
		case schemas.PKSystemUpdate:
			r.Set(d.values, merge.VersionOf(merge.RankUpdate, e))
			r.See(e.Time.UnixMicro())
		case schemas.SystemObserved:
			r.Observe(d.values, d.us, e.ID)
		case schemas.SystemImported:
			r.Imported(d.shown, d.us, e.ID)
		case schemas.SystemAbsent:
			r.Miss(d.us)
		}
	})
}

// foldAny makes the system's row, whatever the event is about.
func foldAny(tx *engine.Tx, t *tenant, _ schemas.Recorded, _ struct{}) error {
	r, err := t.row(tx, systemEntity, t.system)
	if err != nil || r.Exists {
		return err
	}
	t.change(tx, r, func(*merge.Row) {})
	return nil
}

// mergeSystem makes the system's row if there is none, and lets merge change it.
func (t *tenant) mergeSystem(tx *engine.Tx, merge func(*merge.Row)) error {
	r, err := t.row(tx, systemEntity, t.system)
	if err != nil {
		return err
	}
	t.change(tx, r, merge)
	return r.Announce(tx, schemas.SystemChanged, "system")
}
