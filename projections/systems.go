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
	Name: "systems", Source: schemas.PluralKit, Version: 4,
	Schema: systemsSQL,
	Fold:   foldSystem,
	Queries: []Query{{
		Name: "system", Path: "system", One: true,
		Doc: "The system, as PluralKit's API shows it to its owner.",
		SQL: `SELECT id, uuid, name, description, tag, pronouns, avatar_url, banner, color,
				strftime('%Y-%m-%dT%H:%M:%S', (created_us - (created_us % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
					|| printf('.%06dZ', (created_us % 1000000 + 1000000) % 1000000) AS created,
				` + shownPrivacy(schemas.PKSystemObject) + `
			FROM systems WHERE uuid = :tenant AND deleted_us IS NULL ORDER BY uuid LIMIT 1`,
	}},
}

var systemEntity = entity{
	table: "systems", keys: []string{"uuid"}, owned: true, snapshots: true, deletes: true, absents: true,
	fields:  schemas.PKSystemObjectFields,
	shape:   schemas.PKSystemObject.Names(),
	privacy: schemas.PKSystemObject.PrivacySettings(),
}.prepare()

func foldSystem(tx *Tx, e schemas.Recorded) error {
	switch {
	case e.Type == schemas.SourceAdded || e.Type == schemas.SourceLearned:
		return foldLinked(tx, e)
	case e.Route.Source != schemas.PluralKit:
		return nil
	}
	switch e.Type {
	case schemas.PKSystemUpdate:
		values, err := schemas.DecodeFields(e.Type, e.Data, schemas.PKSystemFields)
		if err != nil {
			return err
		}
		return mergeSystem(tx, e.Route.Tenant, func(r *row) {
			r.set(values, versionOf(rankUpdate, e))
			r.see(e.Time.UnixMicro())
		})
	case schemas.PKSettingsUpdate:
		return mergeSystem(tx, e.Route.Tenant, func(r *row) { r.see(e.Time.UnixMicro()) })
	case schemas.SystemObserved:
		object, values, us, err := observed(e, schemas.PKSystemObjectFields)
		if err == nil {
			err = isItself(object, "uuid", e.Route.Tenant)
		}
		if err != nil {
			return err
		}
		return mergeSystem(tx, e.Route.Tenant, func(r *row) { r.observe(values, us, e.ID) })
	case schemas.SystemImported:
		values, us, err := imported(e, schemas.PKSystemObjectFields, e.Route.Tenant)
		if err != nil {
			return err
		}
		return mergeSystem(tx, e.Route.Tenant, func(r *row) { r.imported(values, us, e.ID) })
	case schemas.SystemAbsent:
		_, us, err := absent(e)
		if err != nil {
			return err
		}
		return mergeSystem(tx, e.Route.Tenant, func(r *row) { r.miss(us) })
	}
	return mergeSystem(tx, e.Route.Tenant, func(*row) {})
}

// foldLinked makes the row of a system that a source was added for.
func foldLinked(tx *Tx, e schemas.Recorded) error {
	if e.Route.Source != schemas.SelfSource {
		return nil
	}
	source, err := schemas.Decode[schemas.SourceEvent](e.Event)
	if err != nil || source.Kind != schemas.PluralKit || source.Tenant == "" {
		return err
	}
	return mergeSystem(tx, source.Tenant, func(*row) {})
}

// mergeSystem makes the system's row if there is none, and lets merge change it.
func mergeSystem(tx *Tx, system string, merge func(*row)) error {
	r, err := tx.row(systemEntity, system, system)
	if err != nil {
		return err
	}
	merge(r)
	if err := tx.write(r); err != nil {
		return err
	}
	return tx.announce(r, schemas.SystemChanged, "system")
}
