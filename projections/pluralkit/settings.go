package pluralkit

import (
	_ "embed"

	"switchlog/projections/engine"
	"switchlog/projections/merge"
	"switchlog/schemas"
)

//go:embed settings.sql
var settingsSQL string

// Settings is how each system has configured PluralKit. Only changes are ever
// sent, so a setting that was never changed is NULL until the API was asked.
var Settings = engine.Projection{
	Name: "settings", Source: schemas.PluralKit, Version: 3,
	Schema: settingsSQL,
	Handlers: map[string]engine.Handler{
		schemas.PKSettingsUpdate: on(readSettings, foldSettings),
		schemas.SettingsObserved: on(readSettings, foldSettings),
		schemas.SettingsImported: on(readSettings, foldSettings),
	},
	Quiet: quietColumns,
	Queries: []engine.Query{{
		Name: "settings", Path: "settings", One: true,
		Doc: "The system's settings, as PluralKit's API shows them to its owner.",
		SQL: `SELECT ` + shownFields(schemas.PKSettingsObject, "") + ` FROM system_settings WHERE system_uuid = :tenant ORDER BY system_uuid LIMIT 1`,
	}},
}

var settingsEntity = merge.Entity{
	Table: "system_settings", Keys: []string{"system_uuid"},
	Fields: schemas.PKSettingsFields,
	Shape:  schemas.PKSettingsObject.Names(),
}.Prepare()

func readSettings(e schemas.Recorded) (d said, err error) {
	if e.Type == schemas.PKSettingsUpdate {
		d.values, err = schemas.DecodeFields(e.Type, e.Data, schemas.PKSettingsFields)
	} else {
		_, d.values, d.us, err = observed(e, schemas.PKSettingsFields)
	}
	return d, err
}

func foldSettings(tx *engine.Tx, t *tenant, e schemas.Recorded, d said) error {
	if e.Type == schemas.PKSettingsUpdate {
		if err := t.mergeSystem(tx, func(r *merge.Row) { r.See(e.Time.UnixMicro()) }); err != nil {
			return err
		}
	}
	r, err := t.row(tx, settingsEntity)
	if err != nil {
		return err
	}
	t.change(tx, r, func(r *merge.Row) {
		if e.Type != schemas.PKSettingsUpdate {
			r.Observe(d.values, d.us, e.ID)
			return
		}
		r.Set(d.values, merge.VersionOf(merge.RankUpdate, e))
		r.See(e.Time.UnixMicro())
	})
	return r.Announce(tx, schemas.SettingsChanged, "settings")
}
