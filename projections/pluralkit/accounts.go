package pluralkit

import (
	_ "embed"

	"switchlog/projections/engine"
	"switchlog/projections/merge"
	"switchlog/schemas"
)

//go:embed accounts.sql
var accountsSQL string

// Accounts is the Discord accounts of each system, as far as any event named
// them: linked, unlinked, configured, as the sender of a message, for having
// written to PluralKit's bot, or in a pk;export file. The API lists them nowhere.
var Accounts = engine.Projection{
	Name: "accounts", Source: schemas.PluralKit, Version: 4, // 4: also those that are only named
	Schema: accountsSQL,
	Handlers: map[string]engine.Handler{
		schemas.PKAccountLink:   on(readAccount, foldAccount),
		schemas.PKAccountUnlink: on(readAccount, foldAccount),
		schemas.PKAccountUpdate: on(readAccount, foldAccount),
		schemas.AccountObserved: on(readAccount, foldAccount),
		schemas.AccountImported: on(readAccount, foldAccount),
		schemas.AccountAbsent:   on(readAccount, foldAccount),
	},
	Quiet: quietColumns,
}

// linkedField is set by LINK_ACCOUNT and UNLINK_ACCOUNT, and by what the API or
// a file says.
var linkedField = schemas.Field{Name: "linked", Kind: schemas.Bool}

var accountEntity = merge.Entity{
	Table: "accounts", Keys: []string{"system_uuid", "id"}, Deletes: true,
	Fields: append([]schemas.Field{linkedField}, schemas.PKAccountFields...),
	Shape:  []string{"linked", "allow_autoproxy"},
}.Prepare()

func readAccount(e schemas.Recorded) (d said, err error) {
	switch e.Type {
	case schemas.PKAccountLink, schemas.PKAccountUnlink:
		d.values = linked(e.Type == schemas.PKAccountLink)
	case schemas.PKAccountUpdate:
		d.values, err = schemas.DecodeFields(e.Type, e.Data, schemas.PKAccountFields)
		if err == nil && len(d.values) == 0 { // PluralKit sends {} whenever the account writes to its bot
			return d, nil
		}
	case schemas.AccountObserved, schemas.AccountImported:
		_, d.values, d.us, err = observed(e, schemas.PKAccountFields)
		d.values = append(d.values, linked(true)...)
	case schemas.AccountAbsent:
		_, d.us, err = absent(e)
		d.values = linked(false)
	}
	if err == nil {
		err = merge.NeedID("the account", e.Subject)
	}
	return d, err
}

func foldAccount(tx *engine.Tx, t *tenant, e schemas.Recorded, d said) error {
	if len(d.values) == 0 {
		return t.nameAccount(tx, e.Subject)
	}
	r, err := t.row(tx, accountEntity, e.Subject)
	if err != nil {
		return err
	}
	t.change(tx, r, func(r *merge.Row) {
		switch e.Type {
		case schemas.AccountObserved, schemas.AccountImported:
			r.Observe(d.values, d.us, e.ID)
		case schemas.AccountAbsent:
			r.Set(d.values, merge.FieldVersion{Rank: merge.RankUpdate, US: d.us, ID: e.ID})
		default:
			r.Set(d.values, merge.VersionOf(merge.RankUpdate, e))
			r.See(e.Time.UnixMicro())
		}
		unlink(r)
	})
	return nil
}

// nameAccount notes that an event named an account of the system, and no more:
// the row is the same whichever of them came first.
func (t *tenant) nameAccount(tx *engine.Tx, id string) error {
	if id == "" {
		return nil
	}
	r, err := t.row(tx, accountEntity, id)
	if err != nil || r.Exists {
		return err
	}
	t.change(tx, r, func(*merge.Row) {})
	return nil
}

func linked(is bool) []schemas.Value { return []schemas.Value{{Field: &linkedField, Value: is}} }

// unlink lets deleted_us follow the register linked: an account, unlike a
// uuid, may come back.
func unlink(r *merge.Row) {
	var deleted any
	i := r.Column(linkedField.Name)
	if r.Values[i] == int64(0) {
		deleted = r.Version(i).US
	}
	if r.DeletedUS != deleted {
		r.DeletedUS, r.Dirty = deleted, true
	}
}
