package pluralkit

import (
	"switchlog/projections/engine"
	"switchlog/projections/merge"
	"switchlog/schemas"
)

// Linked is the systems that sources were added for, in the table of Systems:
// they have a row before their first event.
var Linked = engine.Projection{
	Name: "linked", Source: schemas.SelfSource, Version: 1,
	Handlers: map[string]engine.Handler{
		schemas.SourceAdded:   engine.On(readSource, foldLinked),
		schemas.SourceLearned: engine.On(readSource, foldLinked),
	},
}

func readSource(e schemas.Recorded) (schemas.SourceEvent, error) {
	source, err := schemas.Decode[schemas.SourceEvent](e.Event)
	if err == nil && source.Kind == schemas.PluralKit && source.Tenant != "" {
		err = merge.CheckID("systems", source.Tenant)
	}
	return source, err
}

func foldLinked(tx *engine.Tx, e schemas.Recorded, source schemas.SourceEvent) error {
	if source.Kind != schemas.PluralKit || source.Tenant == "" {
		return nil
	}
	t, err := tenantOf(tx, source.Tenant)
	if err != nil {
		return err
	}
	return foldAny(tx, t, e, struct{}{})
}
