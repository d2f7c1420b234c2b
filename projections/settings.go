package projections

import (
	_ "embed"

	"switchlog/schemas"
)

//go:embed settings.sql
var settingsSQL string

// Settings is how each system has configured PluralKit. Only changes are ever
// sent, so a setting that was never changed is NULL until the API was asked.
var Settings = Projection{
	Name: "settings", Source: schemas.PluralKit, Version: 3,
	Schema: settingsSQL,
	Handlers: map[string]Handler{
		schemas.PKSettingsUpdate: on(readSettings, foldSettings),
		schemas.SettingsObserved: on(readSettings, foldSettings),
		schemas.SettingsImported: on(readSettings, foldSettings),
	},
	Quiet: quietColumns,
	Queries: []Query{{
		Name: "settings", Path: "settings", One: true,
		Doc: "The system's settings, as PluralKit's API shows them to its owner.",
		SQL: `SELECT ` + shownFields(schemas.PKSettingsObject, "") + ` FROM system_settings WHERE system_uuid = :tenant ORDER BY system_uuid LIMIT 1`,
	}},
}

var settingsEntity = entity{
	table: "system_settings", keys: []string{"system_uuid"},
	fields: schemas.PKSettingsFields,
	shape:  schemas.PKSettingsObject.Names(),
}.prepare()

func readSettings(e schemas.Recorded) (d said, err error) {
	if e.Type == schemas.PKSettingsUpdate {
		d.values, err = schemas.DecodeFields(e.Type, e.Data, schemas.PKSettingsFields)
	} else {
		_, d.values, d.us, err = observed(e, schemas.PKSettingsFields)
	}
	return d, err
}

func foldSettings(tx *Tx, t *tenant, e schemas.Recorded, d said) error {
	if e.Type == schemas.PKSettingsUpdate {
		if err := t.mergeSystem(tx, func(r *row) { r.see(e.Time.UnixMicro()) }); err != nil {
			return err
		}
	}
	r, err := t.row(tx, settingsEntity)
	if err != nil {
		return err
	}
	t.change(tx, r, func(r *row) {
		if e.Type != schemas.PKSettingsUpdate {
			r.observe(d.values, d.us, e.ID)
			return
		}
		r.set(d.values, versionOf(rankUpdate, e))
		r.see(e.Time.UnixMicro())
	})
	return tx.announce(r, schemas.SettingsChanged, "settings")
}
