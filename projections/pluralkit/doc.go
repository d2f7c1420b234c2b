// Package pluralkit is what is known of PluralKit's systems: the folds of its events,
// their tables and queries, and what others than the owner may see.
//
// The folds work on Go values: a tenant (tenant.go) has what was loaded of one
// system's rows, and a timeline (fronting_timeline.go) the end of its switches.
// Tenants are the State of all these projections: an LRU bounded by bytes (state.go).
// SQL is for loading, for writing what changed, and for queries.
//
// PluralKit sends in no order and tells patches: rows are merged field by field
// (projections/merge). The system begins every key: whatever one system's events say,
// no row of another is meant.
package pluralkit
