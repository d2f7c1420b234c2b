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
	Fold:   foldSettings,
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

func foldSettings(tx *Tx, e schemas.Recorded) error {
	whole := e.Type == schemas.SettingsObserved || e.Type == schemas.SettingsImported
	if e.Route.Source != schemas.PluralKit || e.Type != schemas.PKSettingsUpdate && !whole {
		return nil
	}
	var values []schemas.Value
	var us int64
	var err error
	if whole {
		_, values, us, err = observed(e, schemas.PKSettingsFields)
	} else {
		values, err = schemas.DecodeFields(e.Type, e.Data, schemas.PKSettingsFields)
	}
	if err != nil {
		return err
	}
	r, err := tx.row(settingsEntity, e.Route.Tenant, e.Route.Tenant)
	if err != nil {
		return err
	}
	if whole {
		r.observe(values, us, e.ID)
	} else {
		r.set(values, versionOf(rankUpdate, e))
		r.see(e.Time.UnixMicro())
	}
	if err := tx.write(r); err != nil {
		return err
	}
	return tx.announce(r, schemas.SettingsChanged, "settings")
}
