// Package webhooks is the projections of outgoing webhooks: which there are, which
// event is on its way to which of them, and what became of it.
//
// A delivery is a row as soon as an event that a webhook asks for is folded, so a
// rebuilt file has the same ones, and nothing here sends (Laws 7 and 8). What a
// receiver may see of a PluralKit system is decided when the event is folded, by the
// system's rows then.
package webhooks
