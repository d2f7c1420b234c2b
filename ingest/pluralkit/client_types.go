package pluralkit

import (
	"fmt"
	"time"

	"switchlog/schemas"
)

// A UUID names a system, member, group or switch for good. It is in lower
// case, with hyphens.
type UUID string

// A HID is PluralKit's short id, five or six small letters. It can change, and
// then be given to another, so it says who is meant only next to what was
// read at the same time.
type HID string

// An Object is a JSON object as PluralKit sent it, less its webhook_url, and
// the fields of it that there are, in the order of the list in schemas that
// says which. Its times have microseconds; the text of them in the object may
// have more digits.
type Object struct {
	JSON   schemas.Object
	Fields []schemas.Value
}

// A System as its owner sees it. Fields are schemas.PKSystemObjectFields.
type System struct {
	UUID UUID
	HID  HID
	// WebhookURL is where dispatch goes, empty when nowhere. It is a secret:
	// for comparing with our own address, not for keeping.
	WebhookURL string
	Object
}

// Settings of the system as its owner sees them. Fields are
// schemas.PKSettingsFields.
type Settings struct{ Object }

// A Member as its owner sees it. Fields are schemas.PKMemberObjectFields.
type Member struct {
	UUID   UUID
	HID    HID
	System HID // empty in a Message
	Object
}

// A Group as its owner sees it. Fields are schemas.PKGroupObjectFields.
type Group struct {
	UUID    UUID
	HID     HID
	System  HID
	Members []UUID // a set: the order means nothing
	Object
}

// A Switch of a list. Who is in it is said by short id; in which order is not
// promised (FullSwitch promises).
type Switch struct {
	UUID    UUID
	At      time.Time // UTC, microseconds
	Members []HID     // empty: nobody fronts
	JSON    schemas.Object
}

// A FullSwitch has its members whole, the first fronter first.
type FullSwitch struct {
	UUID    UUID
	At      time.Time // UTC, microseconds
	Members []Member  // empty: nobody fronts
}

// GuildSettings are a row of the system's (Member is empty) or of a member's
// for one Discord server. Fields are schemas.PKSystemGuildFields or
// schemas.PKMemberGuildFields.
type GuildSettings struct {
	Guild  string // as it was asked for: PluralKit does not repeat it
	Member UUID
	Object
}

// Autoproxy of a Discord server. Fields are schemas.PKAutoproxyFields, but
// autoproxy_member is a short id here and a uuid in dispatch.
type Autoproxy struct {
	Guild     string // as it was asked for
	Mode      string // off, front, latch or member
	Member    HID    // empty: none; in mode front PluralKit hides it, so there it means nothing
	LastLatch time.Time
	Object
}

// A Message that was proxied.
type Message struct {
	ID       string
	Original string // empty on very old ones
	Sender   string
	Channel  string
	Guild    string    // empty on very old ones
	At       time.Time // whole seconds
	System   *System   // as it is now, not as it was then; nil if it is gone
	Member   *Member   // as it is now; nil if it is gone
}

// ParseUUID reads a uuid in any case.
func ParseUUID(s string) (UUID, error) {
	if len(s) != 36 {
		return "", invalid("no uuid")
	}
	lower := make([]byte, len(s))
	for i := range len(s) {
		c := s[i]
		if c >= 'A' && c <= 'F' {
			c |= 0x20
		}
		hyphen := i == 8 || i == 13 || i == 18 || i == 23
		if hyphen != (c == '-') || !hyphen && (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return "", invalid("no uuid")
		}
		lower[i] = c
	}
	return UUID(lower), nil
}

// parseHID reads a short id. It has five or six letters today; what matters
// is that a uuid or a Discord id in its place is noticed.
func parseHID(s string) (HID, error) {
	for i := range len(s) {
		if s[i] < 'a' || s[i] > 'z' {
			return "", invalid("no short id")
		}
	}
	if s == "" || len(s) > 16 {
		return "", invalid("no short id")
	}
	return HID(s), nil
}

// checkSnowflake holds s, an id of Discord's, against its form, as it becomes
// part of a path.
func checkSnowflake(what, s string) error {
	ok := s != "" && len(s) <= 20 // an unsigned 64-bit number
	for i := range len(s) {
		ok = ok && s[i] >= '0' && s[i] <= '9'
	}
	if !ok {
		return fmt.Errorf("pluralkit: %w: a %s's id is a number of at most 20 digits", schemas.ErrInvalid, what)
	}
	return nil
}
