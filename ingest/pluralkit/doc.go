// Package pluralkit asks PluralKit what is true.
//
// Webhooks tell what happened, once, in any order or not at all; PluralKit's
// API v2 tells what is. [Client] is the read side of that API, made for
// comparing: it gives each entity as it was sent and as far as it must be
// understood, and an error rather than a half truth.
//
// # What an answer promises
//
// A token that PluralKit does not know is no error there: its bearer becomes
// anonymous and is shown the public view, which looks like everything having
// been emptied. So the client asks for @me wherever that exists, and what
// comes back must bear the marks of an owner's view (privacy, webhook_url,
// the owner's settings), else the error is [ErrAnonymous] and there is no
// data. An empty list bears no marks; then the system is asked for too.
//
// [ErrNotFound] is PluralKit's own word about one thing, by its code. A 404
// of anybody else (a proxy, a wrong address) is not: it must not look like a
// deletion.
//
// PluralKit names the same thing in different ways in different places. What
// is a [UUID] and what is a [HID] (short id) is in the types; a HID can change
// and another may get it, so it needs the members read next to it.
//
// # What an answer does not promise
//
// Two answers are not of one moment: what changed since the first request
// began is for the caller to leave alone and look at again. An answer right
// after an event may still be of before it. Lists have no order, but for
// switches, and members of a [FullSwitch]. History is listed up to PluralKit's
// now; the front may lie in the future (see [Client.Switches]).
//
// # Laws
//
// Law 9: the token is in one header and nowhere else. Objects are less their
// webhook_url. Errors and log lines quote nothing of an answer but PluralKit's
// own sentence in a refusal, cut short and less the token.
//
// Law 10: answers have a size, requests a time, retries a number, and
// [Limiters] keeps all clients of one token, and all of this program, within
// PluralKit's budget.
//
// # What it leaves to others
//
// It only reads, keeps nothing, and starts nothing but what a request needs.
// Whose token it is, how often to ask and what to make of a difference is the
// caller's.
package pluralkit
