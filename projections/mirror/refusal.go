package mirror

import (
	"errors"
	"strconv"
)

// A refusal is an answer of PluralKit's that is no data.
type refusal struct {
	status  int // of the HTTP answer
	code    int // PluralKit's own, 0 when it has none
	message string
	spaced  bool // PluralKit's gateway writes this one with a space after "code":
}

func (e *refusal) Error() string { return e.message }

func (e *refusal) body() []byte {
	b := appendString([]byte(`{"message":`), e.message)
	b = append(b, `,"code":`...)
	if e.spaced {
		b = append(b, ' ')
	}
	return append(strconv.AppendInt(b, int64(e.code), 10), '}')
}

// PluralKit's refusals, in its words.
var (
	errBadRequest         = &refusal{status: 400, message: "400: Bad Request"}
	errUnauthorized       = &refusal{status: 401, message: "401: Missing or invalid Authorization header", spaced: true}
	errForbidden          = &refusal{status: 403, message: "403: Missing permissions to access this resource"}
	errInternal           = &refusal{status: 500, message: "500: Internal Server Error"}
	errNoSystem           = &refusal{status: 404, code: 20001, message: "System not found."}
	errNoMember           = &refusal{status: 404, code: 20002, message: "Member not found."}
	errNoGroup            = &refusal{status: 404, code: 20004, message: "Group not found."}
	errNoMessage          = &refusal{status: 404, code: 20006, message: "Message not found."}
	errNoSwitch           = &refusal{status: 404, code: 20007, message: "Switch not found."}
	errSwitchHidden       = &refusal{status: 404, code: 20008, message: "Switch not found, switch associated with different system, or unauthorized to view front history."}
	errNoSystemGuild      = &refusal{status: 404, code: 20009, message: "No system guild settings found for target guild."}
	errNoMemberGuild      = &refusal{status: 404, code: 20010, message: "No member guild settings found for target guild."}
	errMembersHidden      = &refusal{status: 403, code: 30001, message: "Unauthorized to view member list"}
	errGroupsHidden       = &refusal{status: 403, code: 30002, message: "Unauthorized to view group list"}
	errGroupMembersHidden = &refusal{status: 403, code: 30003, message: "Unauthorized to view group member list"}
	errFrontersHidden     = &refusal{status: 403, code: 30004, message: "Unauthorized to view current fronters."}
	errHistoryHidden      = &refusal{status: 403, code: 30005, message: "Unauthorized to view front history."}
	errMemberNotYours     = &refusal{status: 403, code: 30006, message: "Target member is not part of your system."}
	errUnimplemented      = &refusal{status: 501, code: 50001, message: "Unimplemented"}
)

// Refusals that PluralKit has not, in its shape.
var (
	errNotOne      = &refusal{status: 401, message: "401: This is the operator's token, and there is not just one system: name one instead of @me, or use a token of its own"}
	errMethod      = &refusal{status: 405, message: "405: Method Not Allowed"} // it takes writes; we have nowhere to put them
	errTooLarge    = &refusal{status: 413, message: "413: Content Too Large"}
	errUnavailable = &refusal{status: 503, message: "503: Service Unavailable"}
	errTooSlow     = &refusal{status: 504, message: "504: Gateway Timeout"}
)

// errNoContent answers 204: the system has no switch at all.
var errNoContent = errors.New("no content")
