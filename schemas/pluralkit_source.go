package schemas

import (
	"fmt"
	"time"
)

// SourceState is how a source of PluralKit stands with PluralKit, as its API
// shows it.
type SourceState string

// The states there are.
const (
	SourceOK           SourceState = "ok"
	SourceElsewhere    SourceState = "webhook_elsewhere" // PluralKit sends to another address, or to none
	SourceUnauthorized SourceState = "unauthorized"      // PluralKit does not know the API token any more
	SourceAnonymous    SourceState = "anonymous"         // it knows the token, and not as this system's owner
	SourceDeleted      SourceState = "deleted"           // the system is gone
	SourceUnreachable  SourceState = "unreachable"       // no answer, or none that can be understood
)

// sourceStates says each state in plain words, and what helps. An outage is
// not among them: it is no answer of PluralKit's, so no event tells of it.
var sourceStates = map[SourceState]struct{ reason, toDo string }{
	SourceOK: {"PluralKit sends its webhooks to us, and its API answers.", ""},
	SourceElsewhere: {"PluralKit sends its webhooks to another address, or to none: what happens is only found by asking its API.",
		"Give PluralKit the address again: pk;system webhook URL in a direct message to the bot, " +
			"and the new token to switchlog source rotate pluralkit --token-file -"},
	SourceUnauthorized: {"PluralKit refuses the API token: what webhooks miss is not found any more.",
		"Give switchlog the one that pk;token tells in a direct message to the bot: switchlog source rotate pluralkit --api-token-file -"},
	SourceAnonymous: {"PluralKit takes the API token for a stranger's, or for another system's, and shows only what is public. Nothing of that was taken over.",
		"Give switchlog the token that pk;token tells the system's owner in a direct message to the bot: switchlog source rotate pluralkit --api-token-file -"},
	SourceDeleted: {"The system is gone from PluralKit. What was known of it stays in the log.",
		"Nothing, if that was meant. switchlog source remove pluralkit ends the asking."},
}

// SourceReport is how a source stands: the before and after of a
// SourceChanged, and the answer to the query "source".
type SourceReport struct {
	State   SourceState `json:"state"`
	Since   string      `json:"since"` // RFC 3339: for which moment PluralKit was first found to say so
	SinceUS int64       `json:"since_us"`
	Reason  string      `json:"reason"` // in plain words
	ToDo    string      `json:"to_do"`  // what helps; empty: nothing needs to be done
}

// NewSourceReport says in words what a state means. A state that no event
// tells of is ErrInvalid.
func NewSourceReport(s SourceState, sinceUS int64) (SourceReport, error) {
	if s == "deaf_url" { // what SourceElsewhere was called in older logs
		s = SourceElsewhere
	}
	words, known := sourceStates[s]
	if !known {
		return SourceReport{}, fmt.Errorf("%w: a source is never in the state %q", ErrInvalid, clip(string(s)))
	}
	return SourceReport{State: s, Since: FormatTime(time.UnixMicro(sinceUS)), SinceUS: sinceUS, Reason: words.reason, ToDo: words.toDo}, nil
}
