package projections

import (
	_ "embed"

	"switchlog/schemas"
)

//go:embed imports.sql
var importsSQL string

// Imports is when each system has imported a file into PluralKit: whatever
// was known before may be out of date since, and no other event says so.
var Imports = Projection{
	Name: "imports", Source: schemas.PluralKit, Version: 1,
	Schema: importsSQL,
	Fold:   foldImport,
}

func foldImport(tx *Tx, e schemas.Recorded) error {
	if e.Route.Source != schemas.PluralKit || e.Type != schemas.PKImportSuccess {
		return nil
	}
	made, err := tx.Get(`INSERT INTO imports (system_uuid, event_id, time_us) VALUES (?, ?, ?)
		ON CONFLICT (system_uuid, event_id) DO NOTHING RETURNING 1`, e.Route.Tenant, e.ID, e.Time.UnixMicro())
	if err != nil || made == nil {
		return err
	}
	return tx.Touch("imports", e.Route.Tenant+"/"+e.ID)
}
