package projections

import (
	"bytes"
	"encoding/json"
	"slices"

	"switchlog/schemas"
)

// What of a change those may see who are not its owner: what PluralKit shows a
// stranger, as the drop-in copy of its API does. What is shown of a member, a
// group or the system follows from the object itself, since its privacy is in
// it; of a front, from the rows of its members. A privacy field of which
// nothing is known hides.
//
// Who listens was let in to this tenant by its owner; so privacy of whole lists
// (front_privacy, member_list_privacy) is no bar. It is what the public sees of
// each thing in them that counts: a thing hidden from lists is not there, and a
// change of hidden things alone is none.

// A veil says what of an object others may see.
type veil struct {
	of     *entity
	hide   map[string]string // member → the privacy field that hides it
	owners []string          // members that only the owner is shown
	only   []string          // members others are shown, if not all
}

var veils = map[string]*veil{
	schemas.MemberChanged: {of: memberEntity, owners: []string{"autoproxy_enabled"}, hide: map[string]string{
		"name": "name_privacy", "display_name": "name_privacy", "birthday": "birthday_privacy", "pronouns": "pronoun_privacy",
		"avatar_url": "avatar_privacy", "webhook_avatar_url": "avatar_privacy", "banner": "banner_privacy",
		"description": "description_privacy", "created": "metadata_privacy", "message_count": "metadata_privacy",
		"last_message_timestamp": "metadata_privacy", "proxy_tags": "proxy_privacy",
	}},
	schemas.GroupChanged: {of: groupEntity, hide: map[string]string{
		"name": "name_privacy", "display_name": "name_privacy", "description": "description_privacy", "icon": "icon_privacy",
		"banner": "banner_privacy", "created": "metadata_privacy", "members": "list_privacy",
	}},
	schemas.SystemChanged: {of: systemEntity, hide: map[string]string{
		"name": "name_privacy", "description": "description_privacy", "pronouns": "pronoun_privacy",
		"avatar_url": "avatar_privacy", "banner": "banner_privacy",
	}},
	schemas.SettingsChanged: {of: settingsEntity, only: []string{"pings_enabled", "latch_timeout", "case_sensitive_proxy_tags",
		"proxy_error_message_enabled", "hid_display_split", "hid_display_caps", "hid_list_padding", "proxy_switch", "name_format"}},
}

// hasPrivate reports whether events of the type are shown to others with a veil.
func hasPrivate(typ string) bool { return typ == schemas.FrontChanged || veils[typ] != nil }

// showOthers is the change as others may see it; some is false if that is
// nothing.
func showOthers(tx *Tx, e schemas.Event) (shown schemas.Event, some bool, err error) {
	c, err := schemas.Decode[schemas.Change](e)
	if err != nil {
		return e, false, err
	}
	for _, object := range []*json.RawMessage{&c.Before, &c.After} {
		if len(*object) == 0 || string(*object) == "null" {
			continue
		}
		if e.Type == schemas.FrontChanged {
			*object, err = veilFront(tx, e.Route.Tenant, *object)
		} else {
			*object, err = veils[e.Type].show(tx, e.Route.Tenant, *object)
		}
		if err != nil {
			return e, false, err
		}
	}
	if bytes.Equal(jsonOrNull(c.Before), jsonOrNull(c.After)) {
		return e, false, nil
	}
	e.Data, err = json.Marshal(c)
	return e, true, err
}

func jsonOrNull(object json.RawMessage) json.RawMessage {
	if len(object) == 0 {
		return json.RawMessage("null")
	}
	return object
}

// show is the object as others see it, its members in the order of the owner's
// view; null if it is hidden from lists.
func (v *veil) show(tx *Tx, system string, object json.RawMessage) (json.RawMessage, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(object, &all); err != nil {
		return nil, err
	}
	var privacy map[string]*string
	if err := json.Unmarshal(jsonOrNull(all["privacy"]), &privacy); err != nil {
		return nil, err
	}
	open := func(field string) bool { return privacy[field] != nil && *privacy[field] == "public" }
	if slices.Contains(v.of.privacy, "visibility") && !open("visibility") {
		return json.RawMessage("null"), nil
	}
	b := []byte{'{'}
	for _, name := range v.of.shape {
		value, has := all[name]
		if !has || v.only != nil && !slices.Contains(v.only, name) {
			continue
		}
		hidden := v.hide[name] != "" && !open(v.hide[name])
		switch {
		case name == "privacy", slices.Contains(v.owners, name):
			value = json.RawMessage("null")
		case hidden && name == "name" && v.hide["display_name"] != "":
			value = publicName(all, allKnown(v.of.privacy, privacy))
		case hidden && (name == "proxy_tags" || name == "members"):
			value = json.RawMessage("[]") // as PluralKit has it
		case hidden:
			value = json.RawMessage("null")
		case name == "members":
			var err error
			if value, err = visibleMembers(tx, system, value); err != nil {
				return nil, err
			}
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(appendJSON(b, name), ':'), value...)
	}
	return append(b, '}'), nil
}

// allKnown reports whether everything is known of a thing's privacy: it was
// created before us, or seen whole. If not, it may have a display name that
// nobody told of.
func allKnown(fields []string, privacy map[string]*string) bool {
	return !slices.ContainsFunc(fields, func(f string) bool { return privacy[f] == nil })
}

// publicName stands for a private name: the display name, or if there is none
// the name itself, which is how PluralKit does it. If we cannot know whether
// there is one, it is the id.
func publicName(all map[string]json.RawMessage, known bool) json.RawMessage {
	candidates := []string{"display_name", "id", "uuid"}
	if known {
		candidates = []string{"display_name", "name", "id", "uuid"}
	}
	for _, name := range candidates {
		if value := jsonOrNull(all[name]); string(value) != "null" {
			return value
		}
	}
	return json.RawMessage("null")
}

// visibleMembers are those of a group's members whom all may see in lists.
func visibleMembers(tx *Tx, system string, list json.RawMessage) (json.RawMessage, error) {
	if string(jsonOrNull(list)) == "null" {
		return jsonOrNull(list), nil
	}
	uuids := []string{}
	err := tx.Each(`SELECT l.value FROM json_each(?1) l CROSS JOIN members m ON m.uuid = l.value
		WHERE m.system_uuid = ?2 AND m.visibility = 'public' ORDER BY l.key`, []any{string(list), system}, func(r Row) error {
		uuids = append(uuids, r.Text(0))
		return nil
	})
	return json.RawMessage(jsonList(uuids)), err
}

const frontPrivacy = `SELECT name_privacy, pronoun_privacy, avatar_privacy,
		visibility IS NOT NULL AND name_privacy IS NOT NULL AND description_privacy IS NOT NULL AND banner_privacy IS NOT NULL
		AND birthday_privacy IS NOT NULL AND pronoun_privacy IS NOT NULL AND avatar_privacy IS NOT NULL
		AND metadata_privacy IS NOT NULL AND proxy_privacy IS NOT NULL
	FROM members WHERE uuid = ? AND system_uuid = ?`

// veilFront is the front as others see it. Members who are hidden from lists
// are in it, as they are where PluralKit shows who fronts.
func veilFront(tx *Tx, system string, object json.RawMessage) (json.RawMessage, error) {
	var front schemas.Front
	if err := json.Unmarshal(object, &front); err != nil {
		return nil, err
	}
	for i := range front.Members {
		f := &front.Members[i]
		r, err := tx.Get(frontPrivacy, f.UUID, system)
		if err != nil {
			return nil, err
		}
		open := func(i int) bool { return r != nil && r.Text(i) == "public" }
		if !open(0) {
			f.Name, f.DisplayName = fronterName(*f, r != nil && r.Int(3) == 1), nil
		}
		if !open(1) {
			f.Pronouns = nil
		}
		if !open(2) {
			f.AvatarURL = nil
		}
	}
	return json.Marshal(front)
}

// fronterName is publicName of a fronter.
func fronterName(f schemas.Fronter, known bool) *string {
	switch {
	case f.DisplayName != nil:
		return f.DisplayName
	case known && f.Name != nil:
		return f.Name
	case f.ID != nil:
		return f.ID
	}
	return &f.UUID
}
