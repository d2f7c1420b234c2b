// Package pluralkit asks PluralKit what is true.
//
// Webhooks tell what happened, once, in any order or not at all; PluralKit's
// API v2 tells what is. [Client] is the read side of that API, made for
// comparing: it gives each entity as it was sent and as far as it must be
// understood, and an error rather than a half truth.
//
// A [Reconciler] does the comparing, for one system: it asks, holds the answers
// against what we hold ([Known]) and appends what is different, as events
// ([Appender]). A replay repeats them without asking anybody (Law 8).
//
// # What is compared, and when
//
// Lists first, history page by page back to the first that agrees, all of it
// when the program starts, once a day and after an import; a walk to the end also
// decides on the switches that are in no timeline of ours. What PluralKit lists
// nowhere (settings in a server, autoproxy, accounts) is then asked for by the
// ids that events have named. What a webhook leaves open (the short id of what
// was created, the order in a switch, who an unknown id is) is looked at a few
// seconds later; see [Reconciler.Seen].
//
// Each answer stands for the moment it was asked for, less a margin. What an
// event touched after that moment is left alone and looked at again later; and
// the fold believes such an event and not the observation. So a newer event is
// never undone, whatever the order of requests, events and crashes.
//
// # How the source stands
//
// That PluralKit sends elsewhere, or does not take the token for the owner's, is
// a [State] and never data. Each transition is said by one event, which
// names the state and nothing else; what is held tells the next look, also after
// a restart, that it has been said. An outage is no answer, so no event
// tells of it.
//
// # When it stops half-way
//
//   - before an append: nothing happened;
//   - between two: what was appended is true, and the next look finds the rest,
//     in the rows and not in any state of its own. It walks all of history
//     when the program starts, so a walk that was cut short is completed then;
//   - after an append, before it is folded: the next look waits until it is
//     ([ReconcilerConfig.Settled]).
//
// # What a file tells
//
// [OpenFile] recognises a file that somebody gives and refuses with its name what
// nobody here reads. [ParseExport] reads the file that PluralKit sends after `pk;export`, and [Import]
// says it as events of the newest moment that it speaks of: it does not say when
// it was made. Stopped anywhere, it is completed by another import, since each
// event has its id from what it says. Its switches have no uuids; others stand
// in until PluralKit's own are known. Those that stand in where PluralKit has no
// switch, a look at history finds and says to be absent.
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
// now; the front may lie in the future (see [Client.Switches]). A short id that
// another member is given while a walk is under way names the wrong one until
// the next look.
//
// # Laws
//
// Law 9: the token is in one header and nowhere else. Objects are less their
// webhook_url; of a file, the fields we know are taken and no others. Errors and log lines quote nothing of an answer but PluralKit's
// own sentence in a refusal, cut short and less the token.
//
// Law 10: answers have a size, requests a time, retries a number, and
// [Limiters] keeps all clients of one token, and all of this program, within
// PluralKit's budget.
//
// # What it leaves to others
//
// The client only reads, keeps nothing, and starts nothing but what a request
// needs; whose token it is is the caller's. What an observation overrides is the
// fold's to decide. That we were away, that something could not be stored, or
// that a token is refused, others notice and say by [Reconciler.Trigger].
package pluralkit
