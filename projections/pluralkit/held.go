package pluralkit

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"switchlog/projections/engine"
	"switchlog/projections/merge"
	"switchlog/schemas"
)

// A Reader answers what is more than a query, from the rows of PluralKit's systems.
type Reader struct{ DB *engine.DB }

// maxHeld is how many things of one kind Held tells: many times PluralKit's
// limits, also with those that are gone.
const maxHeld = 100_000

// maxHeldSwitches is how many switches are told at once.
const maxHeldSwitches = 1000

// Held is what is held about one PluralKit system, read from one state of the
// file; of a system never heard of, nothing. What reconciliation compares.
//
// It may wrap ErrStale (the rows are being rebuilt), ErrTooLarge (over 100,000
// things of one kind), ErrDamaged, or be ctx's error.
func (r Reader) Held(ctx context.Context, system string) (schemas.Held, error) {
	var h schemas.Held
	err := r.DB.Current(ctx, func(tx *engine.Tx, p schemas.Position) error {
		h.Position = p
		return readHeld(tx, system, &h)
	})
	if err != nil {
		return schemas.Held{}, fmt.Errorf("held: %w", err)
	}
	return h, nil
}

// HeldSwitches is the page of the system's timeline before that switch
// (timestamp in µs since 1970, and uuid), newest first; equal timestamps are
// in the order of their uuids. The first page is before (math.MaxInt64, "").
// Limit is at most 1,000. Errors are those of Held.
func (r Reader) HeldSwitches(ctx context.Context, system string, beforeUS int64, beforeID string, limit int) ([]schemas.HeldSwitch, error) {
	return r.heldSwitches(ctx, `w.system_uuid = ? AND w.listed = 1 AND (w.timestamp_us, w.uuid) < (?, ?)
		ORDER BY w.timestamp_us DESC, w.uuid DESC LIMIT ?`,
		system, beforeUS, beforeID, max(0, min(limit, maxHeldSwitches)))
}

// HeldSwitchesByID is the switches of the system with these uuids (at most
// 1,000), those included that are gone or not fully known; any that was never
// heard of is left out. They are in the order of their uuids. Errors are those
// of Held.
func (r Reader) HeldSwitchesByID(ctx context.Context, system string, ids []string) ([]schemas.HeldSwitch, error) {
	if len(ids) > maxHeldSwitches {
		return nil, fmt.Errorf("held: %w: %d switches at once (hint: ask for at most %d)", engine.ErrTooLarge, len(ids), maxHeldSwitches)
	}
	return r.heldSwitches(ctx, `w.system_uuid = ? AND w.uuid IN (SELECT value FROM json_each(?)) ORDER BY w.uuid`, system, jsonList(ids))
}

// UnlistedSwitches is the system's switches of which not all is known, so that
// they are in no timeline, and that are not gone: those after that uuid, in the
// order of their uuids, at most limit (up to 1,000). Errors are those of Held.
func (r Reader) UnlistedSwitches(ctx context.Context, system, afterID string, limit int) ([]schemas.HeldSwitch, error) {
	return r.heldSwitches(ctx, `w.system_uuid = ? AND w.listed = 0 AND w.deleted_us IS NULL AND w.stand_in = 0 AND w.uuid > ?
		ORDER BY w.uuid LIMIT ?`, system, afterID, max(0, min(limit, maxHeldSwitches)))
}

func (r Reader) heldSwitches(ctx context.Context, where string, args ...any) ([]schemas.HeldSwitch, error) {
	var page []schemas.HeldSwitch
	err := r.DB.Current(ctx, func(tx *engine.Tx, _ schemas.Position) error {
		return tx.Each(`SELECT w.uuid, w.timestamp_us,
			(SELECT json_group_array(value ORDER BY place) FROM (SELECT l.value AS value, min(l.key) AS place
				FROM json_each(w.members) l LEFT JOIN members m ON m.system_uuid = w.system_uuid AND m.uuid = l.value
				WHERE m.deleted_us IS NULL GROUP BY l.value)),
			w.members IS NULL, w.ordered, w.listed, w.deleted_us IS NOT NULL, w.removed_us IS NOT NULL,
			max(coalesce(w.seen_us, 0), coalesce(w.removed_us, 0)), w.stand_in FROM switches w WHERE `+where, args, func(r engine.Row) error {
			s := schemas.HeldSwitch{ID: r.Text(0), Listed: r.Int(5) == 1, Gone: r.Int(6) == 1, Final: r.Int(7) == 1, TouchedUS: r.Int(8), StandIn: r.Int(9) == 1}
			if !r.Null(1) {
				us := r.Int(1)
				s.TimestampUS = &us
			}
			if r.Int(3) == 0 {
				list, err := parseList(r.Text(2))
				if err != nil {
					return err
				}
				s.Members, s.Ordered = list, r.Int(4) == 1 || len(list) < 2
			}
			page = append(page, s)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("held: %w", err)
	}
	return page, nil
}

func readHeld(tx *engine.Tx, system string, h *schemas.Held) error {
	for _, kind := range []struct {
		of *merge.Entity
		to *[]schemas.HeldEntity
	}{
		{memberEntity, &h.Members}, {groupEntity, &h.Groups}, {accountEntity, &h.Accounts},
		{systemGuildEntity, &h.SystemGuilds}, {memberGuildEntity, &h.MemberGuilds}, {autoproxyEntity, &h.Autoproxy},
	} {
		list, err := heldEntities(tx, kind.of, system)
		if err != nil {
			return err
		}
		*kind.to = list
	}
	for _, one := range []struct {
		of *merge.Entity
		to **schemas.HeldEntity
	}{{systemEntity, &h.System}, {settingsEntity, &h.Settings}} {
		list, err := heldEntities(tx, one.of, system)
		if err != nil {
			return err
		}
		if len(list) > 0 {
			*one.to = &list[0]
		}
	}
	if err := leaveOutGone(h); err != nil {
		return err
	}
	source, err := sourceState(tx, system)
	if err != nil {
		return err
	}
	h.Source = schemas.SourceState(source.state)
	return tx.Each(`SELECT guild_id FROM (SELECT guild_id FROM system_guilds WHERE system_uuid = ?1
			UNION SELECT guild_id FROM member_guilds WHERE system_uuid = ?1
			UNION SELECT guild_id FROM autoproxy WHERE system_uuid = ?1
			UNION SELECT guild_id FROM message_guilds WHERE system_uuid = ?1)
		WHERE guild_id <> '' ORDER BY guild_id`, []any{system}, func(r engine.Row) error {
		h.Guilds = append(h.Guilds, r.Text(0))
		return nil
	})
}

// heldEntities reads the rows of one kind.
func heldEntities(tx *engine.Tx, en *merge.Entity, system string) ([]schemas.HeldEntity, error) {
	var list []schemas.HeldEntity
	n := len(en.Keys)
	err := tx.Each(en.OfTenant, []any{system, maxHeld + 1}, func(got engine.Row) error {
		if len(list) == maxHeld {
			return fmt.Errorf("%w: over %d rows of %s", engine.ErrTooLarge, maxHeld, en.Table)
		}
		key := make([]string, n)
		for i := range key {
			key[i] = got.Text(i)
		}
		r, err := en.Scan(got[n:], key)
		if err != nil {
			return err
		}
		held, err := heldEntity(r)
		list = append(list, held)
		return err
	})
	return list, err
}

// heldEntity is the row as others compare it.
func heldEntity(r *merge.Row) (schemas.HeldEntity, error) {
	h := schemas.HeldEntity{Gone: r.DeletedUS != nil}
	for i, name := range r.Of.Keys {
		switch name {
		case "guild_id":
			h.Guild = r.Key[i]
		case "channel_id":
			h.Channel = r.Key[i]
		case "system_uuid":
			if h.ID == "" {
				h.ID = r.Key[i]
			}
		default:
			h.ID = r.Key[i]
		}
	}
	if err := json.Unmarshal(r.Of.Object(h.ID, r.Values), &h.Object); err != nil {
		return h, fmt.Errorf("an object we wrote ourselves: %w", err)
	}
	if h.Guild != "" {
		h.Object["guild_id"] = merge.AppendJSON(nil, h.Guild)
	}
	h.TouchedUS, _ = r.SeenUS.(int64)
	if r.Removed != nil {
		h.Final, h.TouchedUS = true, max(h.TouchedUS, r.Removed.US)
	}
	return h, nil
}

// leaveOutGone takes members that are gone out of groups and autoproxy, as
// PluralKit does.
func leaveOutGone(h *schemas.Held) error {
	gone := map[string]bool{}
	for _, m := range h.Members {
		gone[m.ID] = m.Gone
	}
	for _, g := range h.Groups {
		var list []string
		if err := json.Unmarshal(g.Object["members"], &list); err != nil {
			return fmt.Errorf("a list we wrote ourselves: %w", err)
		}
		if list != nil {
			g.Object["members"] = json.RawMessage(jsonList(slices.DeleteFunc(list, func(m string) bool { return gone[m] })))
		}
	}
	for _, a := range h.Autoproxy {
		named, err := a.Object.Text("autoproxy_member")
		if err != nil {
			return err
		}
		if gone[named] {
			a.Object["autoproxy_member"] = json.RawMessage("null")
		}
	}
	return nil
}
