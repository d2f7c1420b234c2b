package schemas

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// PluralKit as a source: its kind, the address of its systems and the prefix
// of its event types.
const (
	PluralKit           = "pluralkit"
	PluralKitSystemURL  = "https://api.pluralkit.me/v2/systems/"
	PluralKitTypePrefix = "me.pluralkit."
)

// Event types of PluralKit's dispatch. The noun is ours where PluralKit's
// name hides what it is about (see PKAccountUpdate), the verb is its own.
const (
	PKSystemUpdate       = "me.pluralkit.system.update"        // UPDATE_SYSTEM
	PKSettingsUpdate     = "me.pluralkit.settings.update"      // UPDATE_SETTINGS
	PKMemberCreate       = "me.pluralkit.member.create"        // CREATE_MEMBER
	PKMemberUpdate       = "me.pluralkit.member.update"        // UPDATE_MEMBER
	PKMemberDelete       = "me.pluralkit.member.delete"        // DELETE_MEMBER
	PKGroupCreate        = "me.pluralkit.group.create"         // CREATE_GROUP
	PKGroupUpdate        = "me.pluralkit.group.update"         // UPDATE_GROUP
	PKGroupDelete        = "me.pluralkit.group.delete"         // DELETE_GROUP
	PKGroupMembersUpdate = "me.pluralkit.group_members.update" // UPDATE_GROUP_MEMBERS: in PluralKit's code, never sent
	PKAccountLink        = "me.pluralkit.account.link"         // LINK_ACCOUNT
	PKAccountUnlink      = "me.pluralkit.account.unlink"       // UNLINK_ACCOUNT
	PKAccountUpdate      = "me.pluralkit.account.update"       // UPDATE_MEMBER_GUILD, when it is about a Discord account
	PKSystemGuildUpdate  = "me.pluralkit.system_guild.update"  // UPDATE_SYSTEM_GUILD
	PKMemberGuildUpdate  = "me.pluralkit.member_guild.update"  // UPDATE_MEMBER_GUILD
	PKMessageCreate      = "me.pluralkit.message.create"       // CREATE_MESSAGE
	PKSwitchCreate       = "me.pluralkit.switch.create"        // CREATE_SWITCH
	PKSwitchUpdate       = "me.pluralkit.switch.update"        // UPDATE_SWITCH
	PKSwitchDelete       = "me.pluralkit.switch.delete"        // DELETE_SWITCH
	PKSwitchDeleteAll    = "me.pluralkit.switch.delete_all"    // DELETE_ALL_SWITCHES
	PKImportSuccess      = "me.pluralkit.import.success"       // SUCCESSFUL_IMPORT
	PKAutoproxyUpdate    = "me.pluralkit.autoproxy.update"     // UPDATE_AUTOPROXY
	PKUnknown            = "me.pluralkit.unknown.receive"      // any other; its own name is in the extension pktype
)

// PKTypeExtension is the extension attribute that keeps PluralKit's own type
// name of an event we do not know.
const PKTypeExtension = "pktype"

// PKExtraExtension is the extension attribute that keeps the members of a
// dispatch envelope that PluralKit had not when this was written: a JSON
// object, as text. It is absent when there were none.
const PKExtraExtension = "pkextra"

// pluralKitTypes maps PluralKit's names to ours.
var pluralKitTypes = map[string]string{
	"UPDATE_SYSTEM":        PKSystemUpdate,
	"UPDATE_SETTINGS":      PKSettingsUpdate,
	"CREATE_MEMBER":        PKMemberCreate,
	"UPDATE_MEMBER":        PKMemberUpdate,
	"DELETE_MEMBER":        PKMemberDelete,
	"CREATE_GROUP":         PKGroupCreate,
	"UPDATE_GROUP":         PKGroupUpdate,
	"DELETE_GROUP":         PKGroupDelete,
	"UPDATE_GROUP_MEMBERS": PKGroupMembersUpdate,
	"LINK_ACCOUNT":         PKAccountLink,
	"UNLINK_ACCOUNT":       PKAccountUnlink,
	"UPDATE_SYSTEM_GUILD":  PKSystemGuildUpdate,
	"UPDATE_MEMBER_GUILD":  PKMemberGuildUpdate,
	"CREATE_MESSAGE":       PKMessageCreate,
	"CREATE_SWITCH":        PKSwitchCreate,
	"UPDATE_SWITCH":        PKSwitchUpdate,
	"DELETE_SWITCH":        PKSwitchDelete,
	"DELETE_ALL_SWITCHES":  PKSwitchDeleteAll,
	"SUCCESSFUL_IMPORT":    PKImportSuccess,
	"UPDATE_AUTOPROXY":     PKAutoproxyUpdate,
}

// PluralKitType gives our type for PluralKit's name of an event, and whether
// the name is known. UPDATE_MEMBER_GUILD about an account is for the caller
// to tell apart: the name alone does not.
func PluralKitType(name string) (string, bool) {
	t, known := pluralKitTypes[name]
	if !known {
		return PKUnknown, false
	}
	return t, true
}

// PluralKitRoute is the route of an event type of a system: one of
// PluralKit's, or one of ours about it.
func PluralKitRoute(typ, system string) Route {
	rest, theirs := strings.CutPrefix(typ, PluralKitTypePrefix)
	if !theirs {
		rest = strings.TrimPrefix(typ, selfTypePrefix)
	}
	noun, verb, _ := strings.Cut(rest, ".")
	return Route{Source: PluralKit, Tenant: system, Noun: noun, Verb: verb}
}

// ParseTime reads one of PluralKit's timestamps into microseconds since 1970.
// They are ISO 8601 in UTC with up to nine digits of fraction; PluralKit
// stores microseconds and cuts off the rest, and so do we.
func ParseTime(s string) (int64, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return 0, fmt.Errorf("%w: timestamp: %w", ErrInvalid, err)
	}
	return t.UnixMicro(), nil
}

// PKSwitch is the data of a switch event. A create has all three; an update
// has either the timestamp or the members, and the members are then the whole
// new list. The order of members in a dispatched event means nothing
// (PluralKit loses it); the order in a switch asked for by API does.
type PKSwitch struct {
	ID        string    `json:"id"`
	Timestamp *string   `json:"timestamp"`
	Members   *[]string `json:"members"` // uuids; empty: nobody fronts
}

// PKMessage is the data of CREATE_MESSAGE: the proxied message, and snapshots
// of its system and member about the time it was sent. They are the only
// complete objects dispatch ever sends.
type PKMessage struct {
	Timestamp string  `json:"timestamp"` // whole seconds, from the id
	ID        string  `json:"id"`
	Original  string  `json:"original"`
	Sender    string  `json:"sender"`
	Channel   string  `json:"channel"`
	Guild     *string `json:"guild"`

	// The objects, for DecodeFields. Nil is null: of a member, it is gone.
	System json.RawMessage `json:"system"`
	Member json.RawMessage `json:"member"`
}
