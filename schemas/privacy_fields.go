package schemas

// An ObjectType describes one of PluralKit's objects: its fields, in the order
// in which PluralKit's API shows them, and who may see each. It is the only such
// list: what events carry, what the projections store, what the mirror answers and
// what others than the owner see follow from it.
//
// Source: PluralKit's patch models and the JSON of its API v2.
type ObjectType struct {
	Noun       string // member, group, system or settings, as in routes
	Visibility string // the privacy setting of its own that has it in lists; empty: it is in none
	List       string // the privacy setting of its system that guards lists of it; empty: there are none
	Reduced    bool   // others are shown it without the fields that only the owner sees, rather than with null in them
	Fields     []ObjectField
}

// An ObjectField is a field of an object. Fields in "privacy" are the object's
// privacy settings: public or private, and null while PluralKit neither said nor
// implied which. Only the owner sees them.
type ObjectField struct {
	Field
	Guard     string // the privacy setting that hides it; empty: all see it, unless OwnerOnly
	OwnerOnly bool   // no setting shows it to others
	Closed    string // JSON that others see in its place; empty: null
	Stands    bool   // the name: while it is closed the display name stands for it (see PublicName)

	Whole   bool   // only whole objects have it: no create or update carries it
	Created any    // what a create implies that leaves it out: string, int64 or bool; nil: null
	Unknown string // JSON of a new object's, where PluralKit's API has no null; empty: null
}

// The privacy settings of a system that guard lists, rather than fields.
const (
	PKMemberListPrivacy   = "member_list_privacy"   // its members
	PKGroupListPrivacy    = "group_list_privacy"    // its groups
	PKFrontPrivacy        = "front_privacy"         // who fronts
	PKFrontHistoryPrivacy = "front_history_privacy" // who fronted: switches, timeline, statistics
)

// PKGroupMembersPrivacy is the privacy setting of a group that guards who is in it.
const PKGroupMembersPrivacy = "list_privacy"

// PKVisibility is the privacy setting of a member or group that has it in lists.
// PluralKit shows one that is hidden to whoever asks for it by its id, and where
// it fronts.
const PKVisibility = "visibility"

// PKSystemObject is a system. Nothing is implied of its privacy: no event says
// that one was made.
var PKSystemObject = &ObjectType{Noun: "system", Fields: []ObjectField{
	{Field: Field{Name: "id"}},
	{Field: Field{Name: "name", Null: true}, Guard: "name_privacy"},
	{Field: Field{Name: "description", Null: true}, Guard: "description_privacy"},
	{Field: Field{Name: "tag", Null: true}},
	{Field: Field{Name: "pronouns", Null: true}, Guard: "pronoun_privacy"},
	{Field: Field{Name: "avatar_url", Null: true}, Guard: "avatar_privacy"},
	{Field: Field{Name: "banner", Null: true}, Guard: "banner_privacy"},
	{Field: Field{Name: "color", Null: true}},
	{Field: Field{Name: "created", Kind: Time, Null: true}, Whole: true},
	setting("name_privacy", nil),
	setting("avatar_privacy", nil),
	setting("description_privacy", nil),
	setting("banner_privacy", nil),
	setting("pronoun_privacy", nil),
	setting(PKMemberListPrivacy, nil),
	setting(PKGroupListPrivacy, nil),
	setting(PKFrontPrivacy, nil),
	setting(PKFrontHistoryPrivacy, nil),
}}

// PKMemberObject is a member. birthday is YYYY-MM-DD, year 0004 (or 0001, older)
// meaning none. proxy_tags is always the whole list.
var PKMemberObject = &ObjectType{Noun: "member", Visibility: PKVisibility, List: PKMemberListPrivacy, Fields: []ObjectField{
	{Field: Field{Name: "id"}},
	{Field: Field{Name: "name"}, Guard: "name_privacy", Stands: true},
	{Field: Field{Name: "display_name", Null: true}, Guard: "name_privacy"},
	{Field: Field{Name: "color", Null: true}},
	{Field: Field{Name: "birthday", Null: true}, Guard: "birthday_privacy"},
	{Field: Field{Name: "pronouns", Null: true}, Guard: "pronoun_privacy"},
	{Field: Field{Name: "avatar_url", Null: true}, Guard: "avatar_privacy"},
	{Field: Field{Name: "webhook_avatar_url", Null: true}, Guard: "avatar_privacy"},
	{Field: Field{Name: "banner", Null: true}, Guard: "banner_privacy"},
	{Field: Field{Name: "description", Null: true}, Guard: "description_privacy"},
	{Field: Field{Name: "created", Kind: Time, Null: true}, Guard: "metadata_privacy", Whole: true},
	{Field: Field{Name: "keep_proxy", Kind: Bool}, Created: false, Unknown: "false"},
	{Field: Field{Name: "tts", Kind: Bool}, Created: false, Unknown: "false"},
	{Field: Field{Name: "autoproxy_enabled", Kind: Bool, Null: true}, OwnerOnly: true, Whole: true, Created: true, Unknown: "true"},
	{Field: Field{Name: "message_count", Kind: Int, Null: true}, Guard: "metadata_privacy", Whole: true, Created: int64(0), Unknown: "0"},
	{Field: Field{Name: "last_message_timestamp", Kind: Time, Null: true}, Guard: "metadata_privacy", Whole: true},
	{Field: Field{Name: "proxy_tags", Kind: List}, Guard: "proxy_privacy", Closed: "[]", Created: "[]", Unknown: "[]"},
	setting(PKVisibility, public),
	setting("name_privacy", public),
	setting("description_privacy", public),
	setting("banner_privacy", public),
	setting("birthday_privacy", public),
	setting("pronoun_privacy", public),
	setting("avatar_privacy", public),
	setting("metadata_privacy", public),
	setting("proxy_privacy", public),
}}

// PKGroupObject is a group. Who is in it is no field of its own (see PublicGroup):
// no create or update says it.
var PKGroupObject = &ObjectType{Noun: "group", Visibility: PKVisibility, List: PKGroupListPrivacy, Fields: []ObjectField{
	{Field: Field{Name: "id"}},
	{Field: Field{Name: "name"}, Guard: "name_privacy", Stands: true},
	{Field: Field{Name: "display_name", Null: true}, Guard: "name_privacy"},
	{Field: Field{Name: "description", Null: true}, Guard: "description_privacy"},
	{Field: Field{Name: "icon", Null: true}, Guard: "icon_privacy"},
	{Field: Field{Name: "banner", Null: true}, Guard: "banner_privacy"},
	{Field: Field{Name: "color", Null: true}},
	{Field: Field{Name: "created", Kind: Time, Null: true}, Guard: "metadata_privacy", Whole: true},
	setting("name_privacy", public),
	setting("description_privacy", public),
	setting("banner_privacy", public),
	setting("icon_privacy", public),
	setting(PKGroupMembersPrivacy, public),
	setting("metadata_privacy", public),
	setting(PKVisibility, public),
}}

// PKSettingsObject is how a system has configured PluralKit. PluralKit shows a
// part of it to all, whatever is private. latch_timeout is in seconds; null is
// PluralKit's default (6 hours), 0 is never.
var PKSettingsObject = &ObjectType{Noun: "settings", Reduced: true, Fields: []ObjectField{
	{Field: Field{Name: "timezone"}, OwnerOnly: true, Unknown: `"UTC"`},
	{Field: Field{Name: "pings_enabled", Kind: Bool}, Unknown: "true"},
	{Field: Field{Name: "latch_timeout", Kind: Int, Null: true}},
	{Field: Field{Name: "member_default_private", Kind: Bool}, OwnerOnly: true, Unknown: "false"},
	{Field: Field{Name: "group_default_private", Kind: Bool}, OwnerOnly: true, Unknown: "false"},
	{Field: Field{Name: "show_private_info", Kind: Bool}, OwnerOnly: true, Unknown: "true"},
	{Field: Field{Name: "member_limit", Kind: Int}, OwnerOnly: true, Unknown: "1000"},
	{Field: Field{Name: "group_limit", Kind: Int}, OwnerOnly: true, Unknown: "250"},
	{Field: Field{Name: "case_sensitive_proxy_tags", Kind: Bool}, Unknown: "true"},
	{Field: Field{Name: "proxy_error_message_enabled", Kind: Bool}, Unknown: "true"},
	{Field: Field{Name: "hid_display_split", Kind: Bool}, Unknown: "false"},
	{Field: Field{Name: "hid_display_caps", Kind: Bool}, Unknown: "false"},
	{Field: Field{Name: "hid_list_padding"}, Unknown: `"off"`},
	{Field: Field{Name: "card_show_color_hex", Kind: Bool}, OwnerOnly: true},
	{Field: Field{Name: "proxy_switch"}, Unknown: `"off"`},
	{Field: Field{Name: "name_format", Null: true}, Unknown: `"{name} {tag}"`},
	{Field: Field{Name: "description_templates", Kind: List}, OwnerOnly: true, Unknown: "[]"},
}}

// public is the value of a privacy setting that hides nothing.
const public = "public"

// setting is a privacy setting of an object, and what a create implies that
// leaves it out: PluralKit makes members and groups public, unless the system
// wants new ones private; then the create says so, of every setting.
func setting(name string, created any) ObjectField {
	return ObjectField{Field: Field{Name: name, In: "privacy"}, OwnerOnly: true, Created: created}
}

// patchFields are the fields that creates and updates carry.
func (t *ObjectType) patchFields() []Field {
	return t.fields(func(f ObjectField) bool { return !f.Whole })
}

// objectFields are all fields.
func (t *ObjectType) objectFields() []Field {
	return t.fields(func(ObjectField) bool { return true })
}

func (t *ObjectType) fields(want func(ObjectField) bool) []Field {
	var fields []Field
	for _, f := range t.Fields {
		if want(f) {
			fields = append(fields, f.Field)
		}
	}
	return fields
}

// PrivacySettings are the names of the object's privacy settings, in PluralKit's order.
func (t *ObjectType) PrivacySettings() []string {
	return names(t.fields(func(f ObjectField) bool { return f.In != "" }))
}

// Names are the members of the object, in PluralKit's order: its fields, with
// "uuid" after "id", and "members" and "privacy" at the end if it has them.
func (t *ObjectType) Names() []string {
	var all []string
	for _, f := range t.Fields {
		if f.In == "" {
			all = append(all, f.Name)
		}
		if f.Name == "id" {
			all = append(all, "uuid")
		}
	}
	if t == PKGroupObject {
		all = append(all, "members")
	}
	if t.PrivacySettings() != nil {
		all = append(all, "privacy")
	}
	return all
}

// Created is what a create implies of the fields that it leaves out, by name:
// string, int64 or bool. A field that is not in it is then null.
func (t *ObjectType) Created() map[string]any {
	implied := map[string]any{}
	for _, f := range t.Fields {
		if f.Created != nil {
			implied[f.Name] = f.Created
		}
	}
	return implied
}

func names(fields []Field) []string {
	var all []string
	for _, f := range fields {
		all = append(all, f.Name)
	}
	return all
}
