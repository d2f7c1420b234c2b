package projections

import (
	"errors"
	"fmt"

	"switchlog/schemas"
)

// testMembers is as much of the projection members as fronting needs: the
// columns it reads, and folds for creation, a new name and deletion.
var testMembers = Projection{
	Name: "members", Source: schemas.PluralKit, Version: 1,
	Schema: `CREATE TABLE members (
		uuid TEXT PRIMARY KEY, system_uuid TEXT NOT NULL, id TEXT, name TEXT, display_name TEXT, pronouns TEXT,
		color TEXT, avatar_url TEXT, deleted_us INTEGER, name_rank INTEGER NOT NULL, name_us INTEGER NOT NULL
	) STRICT, WITHOUT ROWID`,
	Fold: func(tx *Tx, e schemas.Recorded) error {
		rank, name := 0, ""
		switch e.Type {
		case schemas.PKMemberDelete:
		case schemas.PKMemberCreate, schemas.PKMemberUpdate:
			rank = 2
			if e.Type == schemas.PKMemberUpdate {
				rank = 3
			}
			d, err := schemas.Decode[struct{ Name *string }](e.Event)
			if err != nil {
				return err
			}
			if d.Name == nil {
				return nil
			}
			name = *d.Name
		default:
			return nil
		}
		old, err := tx.Get(`SELECT system_uuid, name_rank, name_us FROM members WHERE uuid = ?`, e.Subject)
		if err != nil {
			return err
		}
		if old == nil {
			old = Row{e.Route.Tenant, int64(0), int64(0)}
		}
		if old.Text(0) != e.Route.Tenant {
			return fmt.Errorf("%w: another system's", schemas.ErrInvalid)
		}
		err = tx.Exec(`INSERT OR IGNORE INTO members VALUES (?, ?, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0)`, e.Subject, e.Route.Tenant)
		us := e.Time.UnixMicro()
		if e.Type == schemas.PKMemberDelete {
			return errors.Join(err, tx.Exec(`UPDATE members SET deleted_us = min(coalesce(deleted_us, ?), ?) WHERE uuid = ?`, us, us, e.Subject),
				leaveSwitches(tx, e.Route.Tenant, e.Subject))
		}
		if int64(rank) < old.Int(1) || int64(rank) == old.Int(1) && us <= old.Int(2) {
			return err
		}
		return errors.Join(err,
			tx.Exec(`UPDATE members SET name = ?, name_rank = ?, name_us = ? WHERE uuid = ?`, name, rank, us, e.Subject),
			refreshFront(tx, e.Route.Tenant, e.Subject))
	},
}
