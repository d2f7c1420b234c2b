package schemas

// types lists what there is. A constant that is not here fails TestContract.
var types = []Type{
	pk(PKSystemUpdate, "UPDATE_SYSTEM", "The system changed."),
	pk(PKSettingsUpdate, "UPDATE_SETTINGS", "The system's settings changed."),
	pk(PKMemberCreate, "CREATE_MEMBER", "A member was created."),
	pk(PKMemberUpdate, "UPDATE_MEMBER", "A member changed."),
	pk(PKMemberDelete, "DELETE_MEMBER", "A member was deleted, also from switches and groups."),
	pk(PKGroupCreate, "CREATE_GROUP", "A group was created."),
	pk(PKGroupUpdate, "UPDATE_GROUP", "A group changed; not who is in it."),
	pk(PKGroupDelete, "DELETE_GROUP", "A group was deleted."),
	pk(PKGroupMembersUpdate, "UPDATE_GROUP_MEMBERS", "In PluralKit's code, never sent."),
	pk(PKAccountLink, "LINK_ACCOUNT", "A Discord account was linked to the system."),
	pk(PKAccountUnlink, "UNLINK_ACCOUNT", "A Discord account was unlinked from the system."),
	pk(PKAccountUpdate, "UPDATE_MEMBER_GUILD", "The settings of a linked Discord account changed."),
	pk(PKSystemGuildUpdate, "UPDATE_SYSTEM_GUILD", "The system's settings for one Discord server changed."),
	pk(PKMemberGuildUpdate, "UPDATE_MEMBER_GUILD", "A member's settings for one Discord server changed."),
	pk(PKMessageCreate, "CREATE_MESSAGE", "A message was proxied."),
	pk(PKSwitchCreate, "CREATE_SWITCH", "A switch was logged."),
	pk(PKSwitchUpdate, "UPDATE_SWITCH", "A switch was moved, or its members replaced."),
	pk(PKSwitchDelete, "DELETE_SWITCH", "A switch was deleted."),
	pk(PKSwitchDeleteAll, "DELETE_ALL_SWITCHES", "All switches of the system were deleted."),
	pk(PKImportSuccess, "SUCCESSFUL_IMPORT", "An import ended: anything may have changed."),
	pk(PKAutoproxyUpdate, "UPDATE_AUTOPROXY", "Autoproxy changed for one Discord server."),
	pk(PKUnknown, "", "A type we do not know; its name is in the extension attribute pktype."),

	api(SystemObserved, "What the API says of the system."),
	api(SettingsObserved, "What the API says of the system's settings."),
	api(MemberObserved, "What the API says of a member."),
	api(GroupObserved, "What the API says of a group and who is in it."),
	api(SwitchObserved, "What the API says of a switch and who is in it, in order."),
	api(SystemGuildObserved, "What the API says of the system's settings for one Discord server."),
	api(MemberGuildObserved, "What the API says of a member's settings for one Discord server."),
	api(AutoproxyObserved, "What the API says of autoproxy in one Discord server."),
	api(AccountObserved, "The API says that a Discord account is the system's."),
	api(SystemAbsent, "The API says that there is no such system any more."),
	api(MemberAbsent, "The API says that there is no such member."),
	api(GroupAbsent, "The API says that there is no such group."),
	api(SwitchAbsent, "The API says that there is no such switch."),
	api(SystemGuildAbsent, "The API says that the system has no settings for a Discord server."),
	api(MemberGuildAbsent, "The API says that a member has no settings for a Discord server."),
	api(AccountAbsent, "The API says that a Discord account is not the system's."),
	api(MessageAbsent, "The API says that there is no such message any more."),

	change(FrontChanged, "Who fronts became different."),
	change(MemberChanged, "A member became different."),
	change(GroupChanged, "A group became different."),
	change(SystemChanged, "The system became different."),
	change(SettingsChanged, "The system's settings became different."),

	registry(SourceAdded, "A source was added."),
	registry(SourceLearned, "The tenant of a source was learned from its first verified request."),
	registry(SourceRotated, "The secret of a source was replaced."),
	registry(SourceRemoved, "A source was removed."),
}

func pk(typ, provider, summary string) Type {
	t := ofType(typ, PluralKitTypePrefix, PluralKit, summary)
	t.Provider = provider
	return t
}

func api(typ, summary string) Type { return ofType(typ, selfTypePrefix, PluralKit, summary) }

func change(typ, summary string) Type { return ofType(typ, selfTypePrefix, PluralKit, summary) }

func registry(typ, summary string) Type { return ofType(typ, selfTypePrefix, SelfSource, summary) }

func ofType(typ, prefix, source, summary string) Type {
	noun, verb, ok := cutType(typ, prefix)
	if !ok {
		panic("schemas: " + typ + " is no " + prefix + "{noun}.{verb}")
	}
	return Type{Name: typ, Source: source, Noun: noun, Verb: verb, Summary: summary}
}
