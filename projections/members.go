package projections

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"switchlog/schemas"
)

//go:embed members.sql
var membersSQL string

// Members is every member of every system, those that are gone included: a
// deleted member keeps its row as a tombstone, so that no late event brings
// it back.
var Members = Projection{
	Name: "members", Source: schemas.PluralKit, Version: 4, // 4: readable times before 1970
	Schema: membersSQL,
	Fold:   foldMember,
	Ahead: map[string]Decoder{
		schemas.PKMemberCreate: inAdvance(readMember),
		schemas.PKMemberUpdate: inAdvance(readMember),
	},
	Queries: []Query{{
		Name: "members", Path: "members",
		Doc: "The system's members, as PluralKit's API shows them to the owner, by name.",
		SQL: selectMember + ` WHERE system_uuid = :tenant ORDER BY name COLLATE NOCASE, uuid LIMIT 2000`,
	}, {
		Name: "member", Path: "members/{ref}", One: true,
		Doc:    "One member.",
		Params: []Param{{Name: "ref", Doc: "The member's uuid, or its short id, in any case and with or without a dash."}},
		// A short id may belong to two members for a moment; a uuid never. The
		// + keeps SQLite from looking through all members of the system.
		SQL: selectMember + ` WHERE +system_uuid = :tenant AND uuid IN (SELECT lower(:ref) UNION ALL
				SELECT uuid FROM members WHERE system_uuid = :tenant AND id = replace(lower(:ref), '-', ''))
			ORDER BY uuid = lower(:ref) DESC, uuid LIMIT 1`,
	}},
}

var selectMember = `SELECT ` + shownFields(schemas.PKMemberObject, `(SELECT s.id FROM systems s WHERE s.uuid = m.system_uuid)`) + `, ` +
	shownPrivacy(schemas.PKMemberObject) + ` FROM current_members m`

var memberEntity = entity{
	table: "members", keys: []string{"uuid"}, owned: true, snapshots: true, deletes: true, absents: true,
	fields:   schemas.PKMemberObjectFields,
	defaults: schemas.PKMemberObject.Created(),
	counters: []string{"message_count", "last_message_timestamp"},
	silent:   []string{"message_count", "last_message_timestamp", "autoproxy_enabled"},
	shape:    schemas.PKMemberObject.Names(),
	privacy:  schemas.PKMemberObject.PrivacySettings(),
}.prepare()

func foldMember(tx *Tx, e schemas.Recorded) error {
	if e.Route.Source != schemas.PluralKit {
		return nil
	}
	switch e.Type {
	case schemas.PKMemberCreate, schemas.PKMemberUpdate, schemas.PKMemberDelete:
		return foldMemberEvent(tx, e)
	case schemas.MemberObserved:
		object, values, us, err := observed(e, schemas.PKMemberObjectFields)
		if err == nil {
			err = isItself(object, "uuid", e.Subject)
		}
		if err == nil {
			err = normaliseTags(values)
		}
		if err != nil {
			return err
		}
		return mergeMember(tx, e.Route.Tenant, e.Subject, func(r *row) { r.observe(values, us, e.ID) })
	case schemas.MemberImported:
		values, us, err := imported(e, schemas.PKMemberObjectFields, e.Subject)
		if err == nil {
			err = normaliseTags(values)
		}
		if err != nil {
			return err
		}
		return mergeMember(tx, e.Route.Tenant, e.Subject, func(r *row) { r.imported(values, us, e.ID) })
	case schemas.MemberAbsent:
		_, us, err := absent(e)
		if err != nil {
			return err
		}
		return mergeMember(tx, e.Route.Tenant, e.Subject, func(r *row) { r.miss(us) })
	}
	return nil // of a message, its own fold merges the snapshot
}

func readMember(e schemas.Recorded) ([]schemas.Value, error) {
	values, err := schemas.DecodeFields(e.Type, e.Data, schemas.PKMemberFields)
	if err == nil {
		err = normaliseTags(values)
	}
	return values, err
}

func foldMemberEvent(tx *Tx, e schemas.Recorded) error {
	values, err := data(tx, e, readMember)
	if err != nil {
		return err
	}
	return mergeMember(tx, e.Route.Tenant, e.Subject, func(r *row) {
		if e.Type == schemas.PKMemberDelete {
			r.delete(e)
			return
		}
		r.see(e.Time.UnixMicro())
		if e.Type == schemas.PKMemberUpdate {
			r.set(values, versionOf(rankUpdate, e))
			return
		}
		r.set(slices.DeleteFunc(values, untrustedAvatar), versionOf(rankCreate, e))
		r.fallback()
	})
}

// untrustedAvatar: a member made with an attached image is announced with
// "avatar_url": null, although PluralKit has stored one.
func untrustedAvatar(v schemas.Value) bool { return v.Field.Name == "avatar_url" && v.Value == nil }

// mergeMember lets merge change the member's row, and does what follows from
// the change: its proxy tags, what a member that goes takes with it and one
// that comes back brings, the change event, the front it may be in.
func mergeMember(tx *Tx, system, member string, merge func(*row)) error {
	r, err := tx.row(memberEntity, system, member)
	if err != nil {
		return err
	}
	merge(r)
	if err := tx.write(r); err != nil {
		return err
	}
	gone := r.deletedUS != nil
	if r.deletedUS != r.wasDeletedUS {
		if err := settleOwned(tx, system, member, r.deletedUS); err != nil {
			return err
		}
	}
	if r.changed("proxy_tags") || r.deleted != gone {
		if err := replaceTags(tx, r); err != nil {
			return err
		}
	}
	if err := tx.announce(r, schemas.MemberChanged, "member"); err != nil {
		return err
	}
	switch {
	case gone && !r.deleted:
		return leaveSwitches(tx, system, member)
	case r.deleted && !gone:
		return rejoinSwitches(tx, system, member)
	case !gone && r.changed("name", "display_name", "pronouns", "color", "avatar_url", "id"):
		return refreshFront(tx, system, member) // a front shows these
	}
	return nil
}

// memberDeleted reports whether the member is known to be gone: what an event
// says of it then comes too late. Of another system's member it says nothing.
func memberDeleted(tx *Tx, system, member string) (bool, error) {
	r, err := tx.look(memberEntity, system, member)
	return r != nil && r.deletedUS != nil, err
}

// settleOwned brings in step what PluralKit silently removes with a member,
// and what is there again if the member is, deletedUS being nil. (Switches are
// for the fold of fronting.)
func settleOwned(tx *Tx, system, member string, deletedUS any) error {
	err := tx.touchEach("member_guilds", `UPDATE member_guilds
		SET deleted_us = nullif(min(coalesce(?3, 9223372036854775807),
			iif(absent_us > coalesce(seen_us, 0), absent_us, 9223372036854775807)), 9223372036854775807)
		WHERE member_uuid = ?2 AND system_uuid = ?1
		RETURNING member_uuid || '/' || guild_id`, system, member, deletedUS)
	if err != nil {
		return err
	}
	err = tx.touchEach("autoproxy", `UPDATE autoproxy SET autoproxy_member = iif(?3 IS NULL, named_member, NULL)
		WHERE system_uuid = ?1 AND named_member = ?2 AND autoproxy_member IS NOT iif(?3 IS NULL, named_member, NULL)
		RETURNING system_uuid || '/' || guild_id || '/' || channel_id`, system, member, deletedUS)
	if err != nil {
		return err
	}
	return settleGroupsOf(tx, system, member)
}

// touchEach runs a statement that returns the keys of the rows it changed,
// and notes the event with each.
func (tx *Tx) touchEach(table, query string, args ...any) error {
	var keys []string
	err := tx.Each(query, args, func(r Row) error {
		keys = append(keys, r.Text(0))
		return nil
	})
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := tx.Touch(table, key); err != nil {
			return err
		}
	}
	return nil
}

type proxyTag struct {
	Prefix *string `json:"prefix"`
	Suffix *string `json:"suffix"`
}

func parseTags(text string) ([]proxyTag, error) {
	var tags []proxyTag
	if err := json.Unmarshal([]byte(text), &tags); err != nil {
		return nil, fmt.Errorf("%w: proxy_tags: %w", schemas.ErrInvalid, err)
	}
	return tags, nil
}

// normaliseTags writes a list of proxy tags among values so that equal lists
// are equal text.
func normaliseTags(values []schemas.Value) error {
	for i, v := range values {
		if v.Field.Name != "proxy_tags" {
			continue
		}
		if text := v.Value.(string); tagsAreNormal(text) {
			continue
		}
		tags, err := parseTags(v.Value.(string))
		if err != nil {
			return err
		}
		values[i].Value = writeTags(tags)
	}
	return nil
}

func writeTags(tags []proxyTag) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(tags); err != nil {
		panic("projections: proxy tags that are no JSON: " + err.Error())
	}
	return string(bytes.TrimSpace(b.Bytes()))
}

// tagsAreNormal reports whether a list of proxy tags, which is compact JSON, is
// written as normaliseTags would. PluralKit's nearly always are.
func tagsAreNormal(list string) bool {
	for list = list[1:]; list != "]"; list = strings.TrimPrefix(list, ",") {
		for _, name := range []string{`{"prefix":`, `,"suffix":`} {
			rest, next := strings.CutPrefix(list, name)
			if !next {
				return false
			}
			if list, next = strings.CutPrefix(rest, "null"); next {
				continue
			}
			if rest == "" || rest[0] != '"' {
				return false
			}
			end := strings.IndexByte(rest[1:], '"') + 1
			for i := 1; i < end; i++ {
				if c := rest[i]; c < ' ' || c > '~' || c == '\\' {
					return false
				}
			}
			list = rest[end+1:]
		}
		var next bool
		if list, next = strings.CutPrefix(list, "}"); !next {
			return false
		}
	}
	return true
}

// replaceTags makes the member's rows in proxy_tags those of its list; none
// while it is gone.
func replaceTags(tx *Tx, r *row) error {
	i := r.column("proxy_tags")
	had := !r.deleted && r.before[i] != nil && r.before[i] != "[]"
	has := r.deletedUS == nil && r.values[i] != nil && r.values[i] != "[]"
	if !had && !has {
		return nil
	}
	if err := tx.Exec(`DELETE FROM proxy_tags WHERE member_uuid = ?`, r.key[0]); err != nil {
		return err
	}
	if has {
		err := tx.Exec(`INSERT INTO proxy_tags (member_uuid, position, system_uuid, prefix, suffix)
			SELECT ?, key, ?, value ->> 'prefix', value ->> 'suffix' FROM json_each(?)`,
			r.key[0], r.tenant, r.values[i])
		if err != nil {
			return err
		}
	}
	return tx.Touch("proxy_tags", r.key[0])
}
