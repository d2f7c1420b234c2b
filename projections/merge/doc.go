// Package merge makes rows of events that come in no order and tell a few fields each.
//
// An [Entity] describes a table: key, fields, what an absent field means. A [Row] keeps
// beside each field what set it, its version, so that of two values the newer stays,
// whichever came first (Law 6). [Into] merges an event into a row in the file;
// a projection that keeps rows in memory calls [Load], [Row.Begin], [Row.Finish] and
// [Row.Store] itself.
package merge
