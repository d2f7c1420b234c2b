package pluralkit

import (
	_ "embed"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

//go:embed imports.sql
var importsSQL string

// Imports is when each system has imported a file into PluralKit: whatever
// was known before may be out of date since, and no other event says so.
var Imports = engine.Projection{
	Name: "imports", Source: schemas.PluralKit, Version: 1,
	Schema: importsSQL,
	Handlers: map[string]engine.Handler{
		schemas.PKImportSuccess: on(nothingToRead, foldImport),
	},
}

func foldImport(tx *engine.Tx, t *tenant, e schemas.Recorded, _ struct{}) error {
	return tx.Exec(`INSERT OR IGNORE INTO imports (system_uuid, event_id, time_us) VALUES (?, ?, ?)`, t.system, e.ID, e.Time.UnixMicro())
}
