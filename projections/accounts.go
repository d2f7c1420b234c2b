package projections

import (
	_ "embed"

	"switchlog/schemas"
)

//go:embed accounts.sql
var accountsSQL string

// Accounts is the Discord accounts of each system, as far as any event named
// them: linked, unlinked, configured, as the sender of a message, for having
// written to PluralKit's bot, or in a pk;export file. The API lists them nowhere.
var Accounts = Projection{
	Name: "accounts", Source: schemas.PluralKit, Version: 4, // 4: also those that are only named
	Schema: accountsSQL,
	Fold:   foldAccount,
}

// linkedField is set by LINK_ACCOUNT and UNLINK_ACCOUNT, and by what the API or
// a file says.
var linkedField = schemas.Field{Name: "linked", Kind: schemas.Bool}

var accountEntity = entity{
	table: "accounts", keys: []string{"system_uuid", "id"}, deletes: true,
	fields: append([]schemas.Field{linkedField}, schemas.PKAccountFields...),
	shape:  []string{"linked", "allow_autoproxy"},
}.prepare()

func foldAccount(tx *Tx, e schemas.Recorded) error {
	if e.Route.Source != schemas.PluralKit {
		return nil
	}
	var values []schemas.Value
	var err error
	var us int64
	switch e.Type {
	case schemas.PKAccountLink, schemas.PKAccountUnlink:
		values = linked(e.Type == schemas.PKAccountLink)
	case schemas.PKAccountUpdate:
		values, err = schemas.DecodeFields(e.Type, e.Data, schemas.PKAccountFields)
		if err == nil && len(values) == 0 { // PluralKit sends {} whenever the account writes to its bot
			return nameAccount(tx, e.Route.Tenant, e.Subject)
		}
	case schemas.AccountObserved, schemas.AccountImported:
		_, values, us, err = observed(e, schemas.PKAccountFields)
		values = append(values, linked(true)...)
	case schemas.AccountAbsent:
		_, us, err = absent(e)
		values = linked(false)
	default:
		return nil
	}
	if err == nil {
		err = needID("the account", e.Subject)
	}
	if err != nil {
		return err
	}
	r, err := tx.row(accountEntity, e.Route.Tenant, e.Route.Tenant, e.Subject)
	if err != nil {
		return err
	}
	switch e.Type {
	case schemas.AccountObserved, schemas.AccountImported:
		r.observe(values, us, e.ID)
	case schemas.AccountAbsent:
		r.set(values, fieldVersion{rank: rankUpdate, us: us, id: e.ID})
	default:
		r.set(values, versionOf(rankUpdate, e))
		r.see(e.Time.UnixMicro())
	}
	r.unlink()
	return tx.write(r)
}

// nameAccount notes that an event named an account of the system, and no more:
// the row is the same whichever of them came first.
func nameAccount(tx *Tx, system, id string) error {
	if id == "" {
		return nil
	}
	r, err := tx.row(accountEntity, system, system, id)
	if err != nil || r.exists {
		return err
	}
	return tx.write(r)
}

func linked(is bool) []schemas.Value { return []schemas.Value{{Field: &linkedField, Value: is}} }

// unlink lets deleted_us follow the register linked: an account, unlike a
// uuid, may come back.
func (r *row) unlink() {
	var deleted any
	i := r.column(linkedField.Name)
	if r.values[i] == int64(0) {
		deleted = r.version(i).us
	}
	if r.deletedUS != deleted {
		r.deletedUS, r.dirty = deleted, true
	}
}
