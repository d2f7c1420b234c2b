package projections

import (
	_ "embed"

	"switchlog/schemas"
)

//go:embed systems.sql
var systemsSQL string

// Systems is what each PluralKit system says of itself.
//
// A row exists from the moment a source of that system is in the registry, or
// from the first event of the system on, whatever that is about: a join with
// systems loses nobody. Until more is known its fields are NULL.
var Systems = Projection{
	Name: pluralKitState, Source: schemas.PluralKit, Version: 5,
	Schema: systemsSQL,
	State:  newPluralKit,
	Handlers: map[string]Handler{
		schemas.PKSystemUpdate: on(readSystem, foldSystem),
		schemas.SystemObserved: on(readSystem, foldSystem),
		schemas.SystemImported: on(readSystem, foldSystem),
		schemas.SystemAbsent:   on(readSystem, foldSystem),
		"":                     on(nothingToRead, foldAny),
	},
	Quiet: quietColumns,
	Queries: []Query{{
		Name: "system", Path: "system", One: true,
		Doc: "The system, as PluralKit's API shows it to its owner.",
		SQL: `SELECT id, uuid, name, description, tag, pronouns, avatar_url, banner, color,
				strftime('%Y-%m-%dT%H:%M:%S', (created_us - (created_us % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
					|| printf('.%06dZ', (created_us % 1000000 + 1000000) % 1000000) AS created,
				` + shownPrivacy(schemas.PKSystemObject) + `
			FROM systems WHERE system_uuid = :tenant AND deleted_us IS NULL ORDER BY uuid LIMIT 1`,
	}, historyQuery},
}

var systemEntity = entity{
	table: "systems", keys: []string{"system_uuid", "uuid"}, snapshots: true, deletes: true, absents: true,
	fields:  schemas.PKSystemObjectFields,
	shape:   schemas.PKSystemObject.Names(),
	privacy: schemas.PKSystemObject.PrivacySettings(),
}.prepare()

// quietColumns are bookkeeping, and what moves with every message.
var quietColumns = []string{"versions", "seen_us", "observed_us", "observed_id", "snapshot_us", "snapshot_id", "absent_us",
	"message_count", "last_message_timestamp_us"}

// said is what an event says of an entity, checked.
type said struct {
	values []schemas.Value
	us     int64 // of an observation, import or absence: the moment it stands for
}

func readSystem(e schemas.Recorded) (said, error) {
	var d said
	var err error
	switch e.Type {
	case schemas.PKSystemUpdate:
		d.values, err = schemas.DecodeFields(e.Type, e.Data, schemas.PKSystemFields)
	case schemas.SystemAbsent:
		_, d.us, err = absent(e)
	default:
		d.values, d.us, err = observedAs(e, schemas.PKSystemObjectFields, e.Route.Tenant)
	}
	return d, err
}

func foldSystem(tx *Tx, t *tenant, e schemas.Recorded, d said) error {
	return t.mergeSystem(tx, func(r *row) {
		switch e.Type {
		case schemas.PKSystemUpdate:
			r.set(d.values, versionOf(rankUpdate, e))
			r.see(e.Time.UnixMicro())
		case schemas.SystemObserved:
			r.observe(d.values, d.us, e.ID)
		case schemas.SystemImported:
			r.imported(d.values, d.us, e.ID)
		case schemas.SystemAbsent:
			r.miss(d.us)
		}
	})
}

// foldAny makes the system's row, whatever the event is about.
func foldAny(tx *Tx, t *tenant, _ schemas.Recorded, _ struct{}) error {
	r, err := t.row(tx, systemEntity, t.system)
	if err != nil || r.exists {
		return err
	}
	t.change(tx, r, func(*row) {})
	return nil
}

// mergeSystem makes the system's row if there is none, and lets merge change it.
func (t *tenant) mergeSystem(tx *Tx, merge func(*row)) error {
	r, err := t.row(tx, systemEntity, t.system)
	if err != nil {
		return err
	}
	t.change(tx, r, merge)
	return tx.announce(r, schemas.SystemChanged, "system")
}
