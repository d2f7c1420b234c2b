package schemas

import (
	"encoding/json"
	"fmt"
	"time"
)

// Event types of what PluralKit's API said when we asked it, where that is not
// what we held. They travel and are folded like any other event, so a replay
// needs no network.
const (
	SystemObserved      = "switchlog.system.observed"
	SettingsObserved    = "switchlog.settings.observed"
	MemberObserved      = "switchlog.member.observed"
	GroupObserved       = "switchlog.group.observed"
	SwitchObserved      = "switchlog.switch.observed"
	SystemGuildObserved = "switchlog.system_guild.observed"
	MemberGuildObserved = "switchlog.member_guild.observed"
	AutoproxyObserved   = "switchlog.autoproxy.observed"
	AccountObserved     = "switchlog.account.observed"
	SourceObserved      = "switchlog.source.observed" // how the source stands: an object with a SourceState as state

	SystemAbsent      = "switchlog.system.absent"
	MemberAbsent      = "switchlog.member.absent"
	GroupAbsent       = "switchlog.group.absent"
	SwitchAbsent      = "switchlog.switch.absent"
	SystemGuildAbsent = "switchlog.system_guild.absent"
	MemberGuildAbsent = "switchlog.member_guild.absent"
	AccountAbsent     = "switchlog.account.absent"
	MessageAbsent     = "switchlog.message.absent"
)

// Observed is the data of every observed event: the whole object as the API
// gave it, normalised. So is that of every imported event, as a file has it.
//
// Timestamps are cut to microseconds. Ids are uuids: the members of a switch
// in true order, those of a group if they are known, autoproxy_member. The
// things of a Discord server name it in guild_id. There is no webhook_url,
// which is a secret, and no system. A field that is absent is unknown.
type Observed struct {
	Asked  string `json:"asked"` // when the look began, less a margin: what it stands for
	Object Object `json:"object"`
}

// Absent is the data of every absent event: the API says that the thing the
// event is about (its subject) is not there.
type Absent struct {
	Asked string `json:"asked"`              // as of Observed
	Guild string `json:"guild_id,omitempty"` // of system_guild and member_guild: which Discord server
}

// NewObserved makes the event of type typ that says what subject (a uuid, or
// an account id; of settings, system_guild, autoproxy and source, the system's uuid)
// was when the API was asked. The object is what encodes as such; its time
// is left to whoever stores it.
func NewObserved(typ, system, subject string, asked time.Time, object any) (Event, error) {
	return fromAPI(typ, system, subject, struct {
		Asked  string `json:"asked"`
		Object any    `json:"object"`
	}{FormatTime(asked), object})
}

// NewAbsent makes the event of type typ that says that subject was not there
// when the API was asked. The guild is empty but for system_guild and
// member_guild.
func NewAbsent(typ, system, subject string, asked time.Time, guild string) (Event, error) {
	return fromAPI(typ, system, subject, Absent{Asked: FormatTime(asked), Guild: guild})
}

func fromAPI(typ, system, subject string, data any) (Event, error) {
	body, err := json.Marshal(data)
	if err != nil {
		return Event{}, fmt.Errorf("%w: %s: %w", ErrInvalid, typ, err)
	}
	return Event{
		ID:         NewID(),
		Source:     PluralKitSystemURL + system,
		Type:       typ,
		Subject:    subject,
		DataSchema: SchemaID(typ),
		Origin:     OriginAPI,
		Data:       body,
		Route:      PluralKitRoute(typ, system),
	}, nil
}
