package projections

import (
	"switchlog/projections/engine"
	"switchlog/projections/pluralkit"
	"switchlog/projections/webhooks"
)

// DB is the projection database with all that can be asked of it: the engine's
// methods, and those that know PluralKit's systems and webhooks.
type DB struct {
	*engine.DB
	systems
	hooks
}

type (
	systems = pluralkit.Reader
	hooks   = webhooks.Reader
)

// Open opens the database, creating it if there is none, as [engine.Open] does. A
// configuration without Projections means All.
func Open(cfg engine.Config) (*DB, error) {
	if cfg.Projections == nil {
		cfg.Projections = All
	}
	db, err := engine.Open(cfg)
	if err != nil {
		return nil, err
	}
	return &DB{DB: db, systems: systems{DB: db}, hooks: hooks{DB: db}}, nil
}
