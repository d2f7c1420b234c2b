package schemas

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Discord as a source: its kind, the address of its applications and the
// prefix of its event types.
const (
	Discord               = "discord"
	DiscordApplicationURL = "https://discord.com/api/applications/"
	DiscordTypePrefix     = "com.discord."
)

// Event types of Discord's Webhook Events.
const (
	DiscordApplicationAuthorized   = "com.discord.application.authorized"
	DiscordApplicationDeauthorized = "com.discord.application.deauthorized"
	DiscordEntitlementCreate       = "com.discord.entitlement.create"
	DiscordEntitlementUpdate       = "com.discord.entitlement.update"
	DiscordEntitlementDelete       = "com.discord.entitlement.delete"
	DiscordLobbyMessageCreate      = "com.discord.lobby_message.create"
	DiscordLobbyMessageUpdate      = "com.discord.lobby_message.update"
	DiscordLobbyMessageDelete      = "com.discord.lobby_message.delete"
	DiscordDirectMessageCreate     = "com.discord.game_direct_message.create"
	DiscordDirectMessageUpdate     = "com.discord.game_direct_message.update"
	DiscordDirectMessageDelete     = "com.discord.game_direct_message.delete"
	DiscordQuestUserEnrollment     = "com.discord.quest_user.enrollment"
	DiscordUnknown                 = "com.discord.unknown.receive" // any other; its own name is in the extension discordtype
)

// Extension attributes of Discord's events.
const (
	// DiscordTimeExtension is when it happened, as Discord says: RFC 3339,
	// UTC, microseconds. It is the only thing that orders Discord's events.
	DiscordTimeExtension = "discordtime"

	// DiscordTypeExtension is Discord's name of an event that we do not know.
	DiscordTypeExtension = "discordtype"

	// DiscordExtraExtension keeps the members of Discord's envelope that it
	// had not when this was written: a JSON object, as text.
	DiscordExtraExtension = "discordextra"
)

// discordTypes maps Discord's names to ours.
var discordTypes = map[string]string{
	"APPLICATION_AUTHORIZED":     DiscordApplicationAuthorized,
	"APPLICATION_DEAUTHORIZED":   DiscordApplicationDeauthorized,
	"ENTITLEMENT_CREATE":         DiscordEntitlementCreate,
	"ENTITLEMENT_UPDATE":         DiscordEntitlementUpdate,
	"ENTITLEMENT_DELETE":         DiscordEntitlementDelete,
	"LOBBY_MESSAGE_CREATE":       DiscordLobbyMessageCreate,
	"LOBBY_MESSAGE_UPDATE":       DiscordLobbyMessageUpdate,
	"LOBBY_MESSAGE_DELETE":       DiscordLobbyMessageDelete,
	"GAME_DIRECT_MESSAGE_CREATE": DiscordDirectMessageCreate,
	"GAME_DIRECT_MESSAGE_UPDATE": DiscordDirectMessageUpdate,
	"GAME_DIRECT_MESSAGE_DELETE": DiscordDirectMessageDelete,
	"QUEST_USER_ENROLLMENT":      DiscordQuestUserEnrollment,
}

// DiscordType gives our type for Discord's name of an event, and whether the
// name is known.
func DiscordType(name string) (string, bool) {
	t, known := discordTypes[name]
	if !known {
		return DiscordUnknown, false
	}
	return t, true
}

// DiscordRoute is the route of an event type of an application.
func DiscordRoute(typ, application string) Route {
	noun, verb, _ := strings.Cut(strings.TrimPrefix(typ, DiscordTypePrefix), ".")
	return Route{Source: Discord, Tenant: application, Noun: noun, Verb: verb}
}

// ParseDiscordTime reads one of Discord's timestamps. Those of objects are
// RFC 3339; that of a webhook event has no zone, and means UTC.
func ParseDiscordTime(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05.999999999", s)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: timestamp: %w", ErrInvalid, err)
	}
	return t.UTC().Truncate(time.Microsecond), nil
}

// IsSnowflake reports whether s can be one of Discord's ids: up to twenty
// digits.
func IsSnowflake(s string) bool {
	return s != "" && len(s) <= 20 && strings.Trim(s, "0123456789") == ""
}

// DiscordUser is as much of a user object as is read.
type DiscordUser struct {
	ID         string  `json:"id"`
	Username   string  `json:"username"`
	GlobalName *string `json:"global_name"`
}

func (u *DiscordUser) read(name string, value []byte) error {
	*u = DiscordUser{}
	return readInner(name, value, func(at string, value []byte) error {
		switch strings.TrimPrefix(at, name+".") {
		case "id":
			return readText(at, value, &u.ID)
		case "username":
			return readText(at, value, &u.Username)
		case "global_name":
			return readOptional(at, value, &u.GlobalName)
		}
		return nil
	})
}

// UnmarshalJSON reads a user that stands inside another object. What is no user
// is ErrInvalid.
func (u *DiscordUser) UnmarshalJSON(value []byte) error { return u.read("user", value) }

// DiscordAuthorization is the data of an application's authorized and
// deauthorized; the latter has only the user.
type DiscordAuthorization struct {
	User            DiscordUser   `json:"user"`
	Scopes          *[]string     `json:"scopes"`           // nil: absent or null
	IntegrationType *int64        `json:"integration_type"` // 0 installed to a guild, 1 to a user
	Guild           *DiscordGuild `json:"guild"`
}

// DiscordGuild is as much of a guild object as is read.
type DiscordGuild struct {
	ID   string  `json:"id"`
	Name *string `json:"name"`
}

func (a *DiscordAuthorization) read(data []byte) error {
	return readMembers(data, func(name string, value []byte) error {
		switch name {
		case "user":
			return a.User.read(name, value)
		case "scopes":
			return readTexts(name, value, &a.Scopes)
		case "integration_type":
			a.IntegrationType = nil
			if err := json.Unmarshal(value, &a.IntegrationType); err != nil {
				return fmt.Errorf("%w: %s: not a whole number", ErrInvalid, name)
			}
		case "guild":
			if a.Guild = nil; IsNull(value) {
				return nil
			}
			a.Guild = &DiscordGuild{}
			return readInner(name, value, func(at string, value []byte) error {
				switch at {
				case "guild.id":
					return readText(at, value, &a.Guild.ID)
				case "guild.name":
					return readOptional(at, value, &a.Guild.Name)
				}
				return nil
			})
		}
		return nil
	})
}

// Fields of Discord's objects. Where its documents and its examples disagree
// about what may be null, it may.
var (
	// DiscordEntitlementFields: of an entitlement; besides it has id,
	// application_id and deleted.
	DiscordEntitlementFields = []Field{
		{Name: "sku_id", Null: true},
		{Name: "user_id", Null: true},
		{Name: "guild_id", Null: true},
		{Name: "type", Kind: Int, Null: true},
		{Name: "consumed", Kind: Bool, Null: true},
		{Name: "starts_at", Kind: Time, Null: true},
		{Name: "ends_at", Kind: Time, Null: true},
		{Name: "subscription_id", Null: true},
		{Name: "promotion_id", Null: true},
		{Name: "gift_code_flags", Kind: Int, Null: true},
	}

	// DiscordMessageFields: of a message in a lobby or a direct one; besides
	// it has id, author and more.
	DiscordMessageFields = []Field{
		{Name: "lobby_id", Null: true},
		{Name: "channel_id", Null: true},
		{Name: "recipient_id", Null: true},
		{Name: "type", Kind: Int, Null: true},
		{Name: "flags", Kind: Int, Null: true},
		{Name: "content", Null: true},
		{Name: "timestamp", Kind: Time, Null: true},
		{Name: "edited_timestamp", Kind: Time, Null: true},
	}
)
