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
	gateway bool // made by the Rust gateway, which writes a space after "code":
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
	if e.gateway {
		b := append(appendString([]byte(`{"message":`), e.Message), `,"code": `...)
		return fmt.Appendf(b, "%d}", e.Code)
	}
	return appendJSON(nil, object{{"message", e.Message}, {"code", e.Code}})
}

func refused(status, code int, message string) *Error {
	return &Error{Status: status, Code: code, Message: message}
}

// The API's refusals, with PluralKit's words.
var (
	ErrBadRequest         = refused(400, 0, "400: Bad Request")
	ErrUnauthorized       = &Error{401, 0, "401: Missing or invalid Authorization header", true}
	ErrForbidden          = refused(403, 0, "403: Missing permissions to access this resource")
	ErrInternal           = refused(500, 0, "500: Internal Server Error")
	ErrNoSystem           = &Error{404, 20001, "System not found.", true}
	ErrNoMember           = refused(404, 20002, "Member not found.")
	ErrNoGroup            = refused(404, 20004, "Group not found.")
	ErrNoMessage          = refused(404, 20006, "Message not found.")
	ErrNoSwitch           = refused(404, 20007, "Switch not found.")
	ErrSwitchHidden       = refused(404, 20008, "Switch not found, switch is associated with different system, or unauthorized to view front history.")
	ErrNoSystemGuild      = refused(404, 20009, "No system guild settings found for target guild.")
	ErrNoMemberGuild      = refused(404, 20010, "No member guild settings found for target guild.")
	ErrMembersHidden      = refused(403, 30001, "Unauthorized to view member list.")
	ErrGroupsHidden       = refused(403, 30002, "Unauthorized to view group list.")
	ErrGroupMembersHidden = refused(403, 30003, "Unauthorized to view group member list.")
	ErrFrontersHidden     = refused(403, 30004, "Unauthorized to view current fronters.")
	ErrHistoryHidden      = refused(403, 30005, "Unauthorized to view front history.")
	ErrMemberNotYours     = refused(403, 30006, "Target member is not part of your system.")
	ErrAutoproxyMember    = refused(400, 40002, "Member must be set for autoproxy mode 'member'.")
	ErrDuplicateMembers   = refused(400, 40003, "Duplicate members in member list.")
	ErrSameMembers        = refused(400, 40004, "Member list identical to current fronter list.")
	ErrTimestampTaken     = refused(400, 40005, "Switch with provided timestamp already exists.")
	ErrMemberLimit        = refused(400, 40007, "Member limit reached.")
	ErrGroupLimit         = refused(400, 40008, "Group limit reached.")
	ErrLatchMember        = refused(400, 40009, "Cannot patch autoproxy member with latch mode.")
	ErrUnimplemented      = refused(501, 50001, "Unimplemented")
	errMemberRefNotFound  = func(ref string) *Error { return refused(404, 20003, fmt.Sprintf("Member '%s' not found.", ref)) }
	errMemberRefNotYours  = func(ref string) *Error {
		return refused(403, 30008, fmt.Sprintf("Member '%s' is not part of your system.", ref))
	}
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
