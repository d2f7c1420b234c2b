package schemas

// The fields of PluralKit's objects. Those of systems, members, groups and
// settings follow from the tables of privacy_fields.go. The tables of projections
// and the JSON Schemas are held against these lists.
//
// Source: PluralKit's patch models; see the notes beside each.
var (
	// PKSystemFields: UPDATE_SYSTEM. "id" is the system's new short id.
	PKSystemFields = PKSystemObject.patchFields()

	// PKSystemObjectFields: those of a whole system object. webhook_url is not
	// among them: it is a secret and never gets this far.
	PKSystemObjectFields = PKSystemObject.objectFields()

	// PKSettingsFields: UPDATE_SETTINGS.
	PKSettingsFields = PKSettingsObject.patchFields()

	// PKMemberFields: CREATE_MEMBER and UPDATE_MEMBER. "id" is the member's
	// new short id; a create never has it.
	PKMemberFields = PKMemberObject.patchFields()

	// PKMemberObjectFields: those of a whole member object.
	PKMemberObjectFields = PKMemberObject.objectFields()

	// PKGroupFields: CREATE_GROUP and UPDATE_GROUP. Membership is never in it.
	PKGroupFields = PKGroupObject.patchFields()

	// PKGroupObjectFields: those of a whole group object, less its members.
	PKGroupObjectFields = PKGroupObject.objectFields()

	// PKSystemGuildFields: UPDATE_SYSTEM_GUILD, besides its guild_id.
	PKSystemGuildFields = []Field{
		{Name: "proxying_enabled", Kind: Bool},
		{Name: "tag", Null: true},
		{Name: "tag_enabled", Kind: Bool},
		{Name: "avatar_url", Null: true},
		{Name: "display_name", Null: true},
		{Name: "name_format", Null: true},
	}

	// PKMemberGuildFields: UPDATE_MEMBER_GUILD about a member, besides its
	// guild_id. keep_proxy null means: as the member's own setting says.
	PKMemberGuildFields = []Field{
		{Name: "display_name", Null: true},
		{Name: "avatar_url", Null: true},
		{Name: "keep_proxy", Kind: Bool, Null: true},
	}

	// PKAccountFields: UPDATE_MEMBER_GUILD about a Discord account. Often the
	// data is {}: PluralKit sends one whenever the account writes to the bot.
	PKAccountFields = []Field{{Name: "allow_autoproxy", Kind: Bool}}

	// PKAutoproxyFields: UPDATE_AUTOPROXY, besides guild_id and channel_id.
	// autoproxy_member is a uuid here (a short id in the API).
	PKAutoproxyFields = []Field{
		{Name: "autoproxy_mode"},
		{Name: "autoproxy_member", Null: true},
		{Name: "last_latch_timestamp", Kind: Time, Null: true},
	}
)
