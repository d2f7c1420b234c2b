package pluralkit

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"slices"
	"strings"

	"switchlog/projections/engine"
	"switchlog/projections/merge"
	"switchlog/schemas"
)

//go:embed members.sql
var membersSQL string

// Members is every member of every system, those that are gone included: a
// deleted member keeps its row as a tombstone, so that no late event brings
// it back.
var Members = engine.Projection{
	Name: "members", Source: schemas.PluralKit, Version: 6, // 6: names in proxy tags are told apart by case
	Schema: membersSQL,
	Handlers: map[string]engine.Handler{
		schemas.PKMemberCreate: on(readMember, foldMember),
		schemas.PKMemberUpdate: on(readMember, foldMember),
		schemas.PKMemberDelete: on(readMember, foldMember),
		schemas.MemberObserved: on(readMember, foldMember),
		schemas.MemberImported: on(readMember, foldMember),
		schemas.MemberAbsent:   on(readMember, foldMember),
	},
	Quiet: quietColumns,
	Queries: []engine.Query{{
		Name: "members", Path: "members",
		Doc: "The system's members, as PluralKit's API shows them to the owner, by name.",
		SQL: selectMember + ` WHERE system_uuid = :tenant ORDER BY name COLLATE NOCASE, uuid LIMIT 2000`,
	}, {
		Name: "member", Path: "members/{ref}", One: true,
		Doc:    "One member.",
		Params: []engine.Param{{Name: "ref", Doc: "The member's uuid, or its short id, in any case and with or without a dash."}},
		// A short id may belong to two members for a moment; a uuid never.
		SQL: selectMember + ` WHERE system_uuid = :tenant AND uuid IN (SELECT lower(:ref) UNION ALL
				SELECT uuid FROM members WHERE +system_uuid = :tenant AND id = replace(lower(:ref), '-', ''))
			ORDER BY uuid = lower(:ref) DESC, uuid LIMIT 1`,
	}},
	ShortID: schemas.PluralKitShortID,
}

var selectMember = `SELECT ` + shownFields(schemas.PKMemberObject, `(SELECT s.id FROM systems s WHERE s.system_uuid = m.system_uuid)`) + `, ` +
	shownPrivacy(schemas.PKMemberObject) + ` FROM current_members m`

var memberEntity = merge.Entity{
	Table: "members", Keys: []string{"system_uuid", "uuid"}, Snapshots: true, Deletes: true, Absents: true,
	Fields:   schemas.PKMemberObjectFields,
	Defaults: schemas.PKMemberObject.Created(),
	Counters: []string{"message_count", "last_message_timestamp"},
	Silent:   []string{"message_count", "last_message_timestamp", "autoproxy_enabled"},
	Shape:    schemas.PKMemberObject.Names(),
	Privacy:  schemas.PKMemberObject.PrivacySettings(),
}.Prepare()

func readMember(e schemas.Recorded) (d said, err error) {
	if err := merge.CheckID("members", e.Subject); err != nil {
		return d, err
	}
	switch e.Type {
	case schemas.MemberAbsent:
		_, d.us, err = absent(e)
		return d, err
	case schemas.MemberImported:
		d.shown, d.us, err = importedAs(e, memberEntity.Fields, e.Subject)
		if err == nil {
			err = normaliseShownTags(&d.shown)
		}
	case schemas.MemberObserved:
		d.values, d.us, err = observedAs(e, memberEntity.Fields, e.Subject)
	default:
		d.values, err = schemas.DecodeFields(e.Type, e.Data, schemas.PKMemberFields)
	}
	if err == nil {
		err = normaliseTags(d.values)
	}
	return d, err
}

func foldMember(tx *engine.Tx, t *tenant, e schemas.Recorded, d said) error {
	return t.mergeMember(tx, e.Subject, func(r *merge.Row) {
		switch e.Type {
		case schemas.PKMemberCreate:
			r.See(e.Time.UnixMicro())
			r.Set(slices.DeleteFunc(d.values, untrustedAvatar), merge.VersionOf(merge.RankCreate, e))
			r.Fallback()
		case schemas.PKMemberUpdate:
			r.See(e.Time.UnixMicro())
			r.Set(d.values, merge.VersionOf(merge.RankUpdate, e))
		case schemas.PKMemberDelete:
			r.Delete(e)
		case schemas.MemberObserved:
			r.Observe(d.values, d.us, e.ID)
		case schemas.MemberImported:
			r.Imported(d.shown, d.us, e.ID)
		case schemas.MemberAbsent:
			r.Miss(d.us)
		}
	})
}

// untrustedAvatar: a member made with an attached image is announced with
// "avatar_url": null, although PluralKit has stored one.
func untrustedAvatar(v schemas.Value) bool { return v.Field.Name == "avatar_url" && v.Value == nil }

// mergeMember lets merge change the member's row, and does what follows from
// the change: its proxy tags, what a member that goes takes with it and one
// that comes back brings, the change event, the front it may be in.
func (t *tenant) mergeMember(tx *engine.Tx, member string, merge func(*merge.Row)) error {
	r, err := t.row(tx, memberEntity, member)
	if err != nil {
		return err
	}
	stored := r.Stored
	t.change(tx, r, merge)
	gone := r.DeletedUS != nil
	if r.DeletedUS != r.WasDeletedUS {
		if err := t.settleOwned(tx, r); err != nil {
			return err
		}
	}
	if r.Changed("proxy_tags") || r.WasDeleted != gone {
		t.tags[r] = t.tags[r] || stored
	}
	if err := r.Announce(tx, schemas.MemberChanged, "member"); err != nil {
		return err
	}
	switch {
	case gone && !r.WasDeleted:
		return t.leaveSwitches(tx, r.Key[1])
	case r.WasDeleted && !gone:
		return t.rejoinSwitches(tx, r.Key[1])
	case !gone && r.Changed("name", "display_name", "pronouns", "color", "avatar_url", "id"):
		return t.refreshFront(tx, member) // a front shows these
	}
	return nil
}

// settleOwned brings in step what PluralKit silently removes with a member,
// and what is there again if the member is. (Switches are for the fold of
// fronting.)
func (t *tenant) settleOwned(tx *engine.Tx, member *merge.Row) error {
	uuid := member.Key[1]
	guilds, err := t.every(tx, memberGuildEntity)
	if err != nil {
		return err
	}
	for _, r := range guilds {
		if r.Key[1] == uuid {
			t.change(tx, r, func(r *merge.Row) { r.OwnerUS = member.DeletedUS })
		}
	}
	proxies, err := t.every(tx, autoproxyEntity)
	if err != nil {
		return err
	}
	for _, r := range proxies {
		if named, _ := namedMember(r).(string); named == uuid {
			t.change(tx, r, func(r *merge.Row) { pointAt(r, member.DeletedUS != nil) })
		}
	}
	return t.settleGroupsOf(tx, uuid)
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
		tags, err := schemas.ReadProxyTags([]byte(v.Value.(string)))
		if err != nil {
			return err
		}
		values[i].Value = writeTags(tags)
	}
	return nil
}

// proxyTagsColumn is where proxy tags are among a member's columns.
var proxyTagsColumn = slices.IndexFunc(memberEntity.Fields, func(f schemas.Field) bool { return f.Name == "proxy_tags" })

// normaliseShownTags is normaliseTags of a whole member.
func normaliseShownTags(values *schemas.Fields) error {
	raw := values.Raw(proxyTagsColumn)
	if raw == nil || tagsAreNormal(string(raw)) {
		return nil
	}
	tags, err := schemas.ReadProxyTags(raw)
	if err != nil {
		return err
	}
	return values.Put(proxyTagsColumn, []byte(writeTags(tags)))
}

func writeTags(tags []schemas.ProxyTag) string {
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

// storeTags makes the member's rows in proxy_tags those of its list; none while
// it is gone. had: the file may have some.
func storeTags(tx *engine.Tx, r *merge.Row, had bool) error {
	if had {
		if err := tx.Exec(`DELETE FROM proxy_tags WHERE system_uuid = ? AND member_uuid = ?`, r.Key[0], r.Key[1]); err != nil {
			return err
		}
	}
	tags := r.Values[r.Column("proxy_tags")]
	if r.DeletedUS != nil || tags == nil || tags == "[]" {
		return nil
	}
	return tx.Exec(`INSERT INTO proxy_tags (system_uuid, member_uuid, position, prefix, suffix)
		SELECT ?, ?, key, value ->> 'prefix', value ->> 'suffix' FROM json_each(?)`, r.Key[0], r.Key[1], tags)
}
