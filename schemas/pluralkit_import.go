package schemas

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Event types of what a file said that PluralKit's `pk;export` made. Their
// data is an Observed: asked is the newest moment that the file speaks of,
// since nothing in it says when it was made. It is never later than that, so
// nothing that happened after is undone by it.
const (
	SystemImported   = "switchlog.system.imported"
	SettingsImported = "switchlog.settings.imported"
	MemberImported   = "switchlog.member.imported"
	GroupImported    = "switchlog.group.imported"
	SwitchImported   = "switchlog.switch.imported"
	AccountImported  = "switchlog.account.imported"
)

// importedRepeats is for how long the same thing of a file stays the same
// event: for good. They are as many as the files hold.
const importedRepeats = 100 * 365 * 24 * time.Hour

// NewImported makes the event of type typ that says what subject (as of
// NewObserved; of a switch, its StandInSwitch) was in a file that stands for
// the moment asOf.
//
// Its id follows from all that it says, the moment included: the same file
// read again gives the same events, and what a later file says again is
// another one.
func NewImported(typ, system, subject string, asOf time.Time, object any) (Event, error) {
	e, err := NewObserved(typ, system, subject, asOf, object)
	if err != nil {
		return Event{}, err
	}
	sum := sha256.Sum256(e.Data)
	e.ID = typ + "/" + subject + "/" + hex.EncodeToString(sum[:12])
	e.Origin, e.Repeats = OriginImport, importedRepeats
	return e, nil
}

// Of the uuids that StandInSwitch makes all begin alike ("file", in ASCII), and
// are of the version (RFC 9562: one's own) that PluralKit's, which are random,
// are not.
const (
	standInPrefix  = "66696c65-"
	standInVersion = '8'
)

// StandInSwitch is the uuid of the switch that a file says began at that time
// (µs since 1970). A file has no uuids of switches, and tells all that began at
// one time as one; so the time is what names it, until PluralKit's own switch
// of that time is known and takes its place.
func StandInSwitch(system string, timestampUS int64) string {
	b := sha256.Sum256(fmt.Appendf(nil, "switch %s %d", system, timestampUS))
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	return fmt.Sprintf(standInPrefix+"%x-%x-%x-%x", b[4:6], b[6:8], b[8:10], b[10:16])
}

// IsStandIn reports whether a switch's uuid has the form that StandInSwitch
// gives it.
func IsStandIn(uuid string) bool {
	return len(uuid) == 36 && strings.HasPrefix(uuid, standInPrefix) && uuid[14] == standInVersion
}
