// Package mirror is the read side of PluralKit's API v2, answered from the
// projections: the same paths, refs, key order, nulls and errors, byte for
// byte. A program made for PluralKit needs another base address and one of our
// tokens, nothing else.
//
// # Who sees what
//
// The token of a system's reader is that system's, as at PluralKit; the
// operator's token is that of every system. Without one, or with one that is
// nobody's, the answer is what PluralKit shows to all. Privacy is closed by
// default: what PluralKit neither said nor implied to be public is private. The
// policy is that of package schemas. A member whose CREATE says nothing of
// privacy is public; one known only from a switch or an update is private.
//
// # Where it differs
//
//   - Lists that are in no order at PluralKit are in the order in which their
//     things were made; the uuids in a group are in their own order; of switches
//     with one timestamp the one with the greater uuid is first.
//   - webhook_url is null: it is a secret, and not kept.
//   - A short id that is not known yet is replaced by the uuid, which PluralKit
//     takes in the same places. A field that nobody has told of is null, or where
//     PluralKit never has null, what it is for a new entity. A privacy setting
//     of that sort is shown as private, as it is treated.
//   - A name that is private is the id until the whole object was seen, for it might
//     have a display name to hide behind.
//   - What PluralKit makes silently, it is silent about to us: the settings of a
//     server where nothing was ever set may be 404. A server, an account or a
//     message that no event told of is not there, for PluralKit lists none; a
//     message it deletes, which it tells nobody, stays.
//   - @me of the operator is the only system there is. If there are several it
//     is 401, which says so, and so does the log.
//   - Writing is 405, in PluralKit's shape. A request without User-Agent, which
//     PluralKit refuses with 400, is answered. There is no rate limit, and 503
//     and 504 in its place.
//   - Switchlog-Position says at which position an answer is true.
//
// # What it relies on and leaves to others
//
// An answer is made of one state of the database (projections.DB.View), so
// nothing in it contradicts the rest. It writes nothing: a crash leaves
// nothing half done. No answer takes longer because there is more history:
// pages and fronts are found by index. Body, rows, time and requests at once
// are bounded (Law 10).
//
// What is true is for projections; who the readers are, and the listener, for
// cmd.
package mirror
