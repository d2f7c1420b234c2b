package fakepk

import (
	"errors"
	"fmt"
)

// An Error is a refusal of PluralKit's, to a user's action or to a request.
type Error struct {
	Status  int // of the HTTP answer
	Code    int // PluralKit's own, 0 when it has none
	Message string
	spaced  bool // the gateway writes this one by hand, with a space after "code":
}

func (e *Error) Error() string {
	return fmt.Sprintf("pluralkit: %d/%d %s", e.Status, e.Code, e.Message)
}

// Is makes errors.Is compare code and status, not the words.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Status == e.Status && t.Code == e.Code
}

func (e *Error) body() []byte {
	if e.spaced {
		b := append(appendString([]byte(`{"message":`), e.Message), `,"code": `...)
		return fmt.Appendf(b, "%d}", e.Code)
	}
	return appendJSON(nil, object{{"message", e.Message}, {"code", e.Code}})
}

// words are PluralKit's, of each code that has words of its own; %s is a reference
// as it was given. They are PluralKit's list, not the product's.
var words = map[int]string{
	20001: "System not found.",
	20002: "Member not found.",
	20003: "Member '%s' not found.",
	20004: "Group not found.",
	20005: "Group '%s' not found.",
	20006: "Message not found.",
	20007: "Switch not found.",
	20008: "Switch not found, switch associated with different system, or unauthorized to view front history.",
	20009: "No system guild settings found for target guild.",
	20010: "No member guild settings found for target guild.",
	30001: "Unauthorized to view member list",
	30002: "Unauthorized to view group list",
	30003: "Unauthorized to view group member list",
	30004: "Unauthorized to view current fronters.",
	30005: "Unauthorized to view front history.",
	30006: "Target member is not part of your system.",
	30007: "Target group is not part of your system.",
	30008: "Member '%s' is not part of your system.",
	30009: "Group '%s' is not part of your system.",
	40001: "Error parsing JSON model",
	40002: "Missing autoproxy member for member-mode autoproxy.",
	40003: "Duplicate members in member list.",
	40004: "Member list identical to current fronter list.",
	40005: "Switch with provided timestamp already exists.",
	40006: "Invalid switch ID.",
	40007: "Member limit reached.",
	40008: "Group limit reached.",
	40009: "Cannot patch autoproxy member with latch-mode autoproxy.",
	50001: "Unimplemented",
}

// Words is what PluralKit says with a code of its own; empty if it has no such
// code. Where a reference is named it stands as %s.
func Words(code int) string { return words[code] }

func refused(status, code int, message string) *Error {
	return &Error{Status: status, Code: code, Message: message}
}

// coded is the refusal with a code, in PluralKit's words.
func coded(status, code int, refs ...any) *Error {
	return refused(status, code, fmt.Sprintf(words[code], refs...))
}

// The API's refusals, with PluralKit's words.
var (
	ErrBadRequest         = refused(400, 0, "400: Bad Request")
	ErrUnauthorized       = &Error{401, 0, "401: Missing or invalid Authorization header", true}
	ErrForbidden          = refused(403, 0, "403: Missing permissions to access this resource")
	ErrInternal           = refused(500, 0, "500: Internal Server Error")
	ErrNoSystem           = coded(404, 20001)
	ErrNoMember           = coded(404, 20002)
	ErrNoGroup            = coded(404, 20004)
	ErrNoMessage          = coded(404, 20006)
	ErrNoSwitch           = coded(404, 20007)
	ErrSwitchHidden       = coded(404, 20008)
	ErrNoSystemGuild      = coded(404, 20009)
	ErrNoMemberGuild      = coded(404, 20010)
	ErrMembersHidden      = coded(403, 30001)
	ErrGroupsHidden       = coded(403, 30002)
	ErrGroupMembersHidden = coded(403, 30003)
	ErrFrontersHidden     = coded(403, 30004)
	ErrHistoryHidden      = coded(403, 30005)
	ErrMemberNotYours     = coded(403, 30006)
	ErrAutoproxyMember    = coded(400, 40002)
	ErrDuplicateMembers   = coded(400, 40003)
	ErrSameMembers        = coded(400, 40004)
	ErrTimestampTaken     = coded(400, 40005)
	ErrMemberLimit        = coded(400, 40007)
	ErrGroupLimit         = coded(400, 40008)
	ErrLatchMember        = coded(400, 40009)
	ErrUnimplemented      = coded(501, 50001)
	errMemberRefNotFound  = func(ref string) *Error { return coded(404, 20003, ref) }
	errMemberRefNotYours  = func(ref string) *Error { return coded(403, 30008, ref) }
)

// The bot's refusals, which have no code.
var (
	ErrTooManyMembers = errors.New("pluralkit: a switch by command has at most 150 members")
	ErrMoveOutOfRange = errors.New("pluralkit: a switch can be moved only between the one before it and now")
	ErrAccountTaken   = errors.New("pluralkit: the account is already linked to a system")
	ErrLastAccount    = errors.New("pluralkit: the only account of a system cannot be unlinked")
	ErrNoAccount      = errors.New("pluralkit: no such linked account")
	ErrHIDTaken       = errors.New("pluralkit: the id is taken")
	ErrSystemDeleted  = errors.New("pluralkit: the system is deleted")
	ErrImportFailed   = errors.New("pluralkit: the import failed and was rolled back")
	ErrWriteFailed    = errors.New("pluralkit: the write failed after its event was sent")
	ErrWebhookRefused = errors.New("pluralkit: the webhook address is refused")
)
