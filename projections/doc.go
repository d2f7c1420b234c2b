// Package projections is what is known: one SQLite file of rows made of events, which
// anybody may read, and the queries they answer. README.md describes its tables.
//
// All lists the projections there are; what makes them rows stands in packages of its
// own:
//
//   - projections/engine applies events, rebuilds, compares, swaps and answers. It knows no provider.
//   - projections/merge merges a row field by field, whatever order events come in.
//   - projections/pluralkit is PluralKit's systems, with state in memory.
//   - projections/webhooks is outgoing webhooks and their deliveries.
//
// The other sources are plain SQL and stand here. [Open] puts all of it together.
package projections
