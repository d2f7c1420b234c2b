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

	discord(DiscordApplicationAuthorized, "APPLICATION_AUTHORIZED", "A user authorized the application, for themselves or for a server."),
	discord(DiscordApplicationDeauthorized, "APPLICATION_DEAUTHORIZED", "A user took the application's authorization back, or lost the account."),
	discord(DiscordEntitlementCreate, "ENTITLEMENT_CREATE", "Something was bought or given."),
	discord(DiscordEntitlementUpdate, "ENTITLEMENT_UPDATE", "An entitlement changed; of a subscription: it ends."),
	discord(DiscordEntitlementDelete, "ENTITLEMENT_DELETE", "An entitlement was taken back."),
	discord(DiscordLobbyMessageCreate, "LOBBY_MESSAGE_CREATE", "A message was sent in a lobby."),
	discord(DiscordLobbyMessageUpdate, "LOBBY_MESSAGE_UPDATE", "A message in a lobby was edited."),
	discord(DiscordLobbyMessageDelete, "LOBBY_MESSAGE_DELETE", "A message in a lobby was deleted."),
	discord(DiscordDirectMessageCreate, "GAME_DIRECT_MESSAGE_CREATE", "A direct message was sent during a game."),
	discord(DiscordDirectMessageUpdate, "GAME_DIRECT_MESSAGE_UPDATE", "A direct message of a game was edited."),
	discord(DiscordDirectMessageDelete, "GAME_DIRECT_MESSAGE_DELETE", "A direct message of a game was deleted."),
	discord(DiscordQuestUserEnrollment, "QUEST_USER_ENROLLMENT", "A user enrolled in a quest. Discord does not send it to applications yet."),
	discord(DiscordUnknown, "", "A type we do not know; its name is in the extension attribute discordtype."),

	ofProvider(BotGhostTrigger, BotGhostTypePrefix, BotGhost, "a call of the webhook", "A webhook meant for a BotGhost bot was called."),

	stellarStack(StellarStackServerStarted, "server.started", "The start of a server was asked for."),
	stellarStack(StellarStackServerStopped, "server.stopped", "The stop of a server was asked for."),
	stellarStack(StellarStackServerCrashed, "server.crashed", "A server crashed."),
	stellarStack(StellarStackServerRestarted, "server.restarted", "The restart of a server was asked for."),
	stellarStack(StellarStackServerAutoShutdown, "server.auto_shutdown", "A server was stopped because nobody used it."),
	stellarStack(StellarStackServerCreated, "server.created", "A server was made."),
	stellarStack(StellarStackServerDeleted, "server.deleted", "A server was deleted."),
	stellarStack(StellarStackServerUpdated, "server.updated", "A server's settings changed."),
	stellarStack(StellarStackServerSuspended, "server.suspended", "A server was suspended."),
	stellarStack(StellarStackServerUnsuspended, "server.unsuspended", "A server is no longer suspended."),
	stellarStack(StellarStackBackupCreated, "backup.created", "A backup was made."),
	stellarStack(StellarStackBackupFailed, "backup.failed", "A backup failed."),
	stellarStack(StellarStackBackupRestored, "backup.restored", "A backup was restored."),
	stellarStack(StellarStackBackupDeleted, "backup.deleted", "A backup was deleted."),
	stellarStack(StellarStackTransferStarted, "transfer.started", "A server's move to another node began."),
	stellarStack(StellarStackTransferCompleted, "transfer.completed", "A server's move ended well."),
	stellarStack(StellarStackTransferFailed, "transfer.failed", "A server's move failed."),
	stellarStack(StellarStackFileCreated, "file.created", "A file was made."),
	stellarStack(StellarStackFileDeleted, "file.deleted", "A file was deleted."),
	stellarStack(StellarStackFileModified, "file.modified", "A file changed."),
	stellarStack(StellarStackResourceWarning, "resource.warning", "A server uses much of what it may."),
	stellarStack(StellarStackResourceCritical, "resource.critical", "A server uses nearly all it may."),
	stellarStack(StellarStackUnknown, "", "A type we do not know; its name is in the extension attribute stellarstacktype."),
	api(SystemObserved, "What the API says of the system."),
	api(SettingsObserved, "What the API says of the system's settings."),
	api(MemberObserved, "What the API says of a member."),
	api(GroupObserved, "What the API says of a group and who is in it."),
	api(SwitchObserved, "What the API says of a switch and who is in it, in order."),
	api(SystemGuildObserved, "What the API says of the system's settings for one Discord server."),
	api(MemberGuildObserved, "What the API says of a member's settings for one Discord server."),
	api(AutoproxyObserved, "What the API says of autoproxy in one Discord server."),
	api(AccountObserved, "The API says that a Discord account is the system's."),
	api(SourceObserved, "How PluralKit's API says the source stands: whether webhooks come to us, and the API token is good."),
	api(SystemAbsent, "The API says that there is no such system any more."),
	api(MemberAbsent, "The API says that there is no such member."),
	api(GroupAbsent, "The API says that there is no such group."),
	api(SwitchAbsent, "The API says that there is no such switch."),
	api(SystemGuildAbsent, "The API says that the system has no settings for a Discord server."),
	api(MemberGuildAbsent, "The API says that a member has no settings for a Discord server."),
	api(AccountAbsent, "The API says that a Discord account is not the system's."),
	api(MessageAbsent, "The API says that there is no such message any more."),

	file(SystemImported, "What a pk;export file says of the system."),
	file(SettingsImported, "What a pk;export file says of the system's settings."),
	file(MemberImported, "What a pk;export file says of a member."),
	file(GroupImported, "What a pk;export file says of a group and who is in it."),
	file(SwitchImported, "What a pk;export file says of a switch and who is in it, in no order."),
	file(AccountImported, "A pk;export file says that a Discord account is the system's."),

	change(FrontChanged, "Who fronts became different."),
	change(MemberChanged, "A member became different."),
	change(GroupChanged, "A group became different."),
	change(SystemChanged, "The system became different."),
	change(SettingsChanged, "The system's settings became different."),
	change(SourceChanged, "How the source stands with PluralKit became different: its webhooks stopped, say, or resumed."),

	ofType(StandardReceive, "standard.", StandardWebhooks, "A Standard Webhooks message that names no type of its own."),
	ofType(TokenReceive, "token.", SharedToken, "A message of a sender with a shared token that names no type of its own."),

	registry(SourceAdded, "A source was added."),
	registry(SourceLearned, "The tenant of a source was learned from its first verified request."),
	registry(SourceRotated, "The secret of a source was replaced."),
	registry(SourceRemoved, "A source was removed."),

	registry(ReaderAdded, "A reader was added."),
	registry(ReaderRevoked, "A reader was revoked."),

	registry(SubscriptionCreated, "An outgoing webhook was made."),
	registry(SubscriptionUpdated, "An outgoing webhook was changed, enabled or disabled."),
	registry(SubscriptionDeleted, "An outgoing webhook was deleted."),
	registry(DeliveryRequested, "An event is to be sent once more to an outgoing webhook."),
	registry(DeliveryAttempted, "An event was sent to an outgoing webhook, or it was tried."),
}

func pk(typ, provider, summary string) Type {
	return ofProvider(typ, PluralKitTypePrefix, PluralKit, provider, summary)
}

func discord(typ, provider, summary string) Type {
	return ofProvider(typ, DiscordTypePrefix, Discord, provider, summary)
}

func stellarStack(typ, provider, summary string) Type {
	return ofProvider(typ, StellarStackTypePrefix, StellarStack, provider, summary)
}

func ofProvider(typ, prefix, source, provider, summary string) Type {
	t := ofType(typ, prefix, source, summary)
	t.Provider = provider
	return t
}

func api(typ, summary string) Type { return ofType(typ, selfTypePrefix, PluralKit, summary) }

func file(typ, summary string) Type { return ofType(typ, selfTypePrefix, PluralKit, summary) }

func change(typ, summary string) Type { return ofType(typ, selfTypePrefix, PluralKit, summary) }

func registry(typ, summary string) Type { return ofType(typ, selfTypePrefix, SelfSource, summary) }

func ofType(typ, prefix, source, summary string) Type {
	noun, verb, ok := cutType(typ, prefix)
	if !ok {
		panic("schemas: " + typ + " is no " + prefix + "{noun}.{verb}")
	}
	return Type{Name: typ, Source: source, Noun: noun, Verb: verb, Summary: summary}
}
