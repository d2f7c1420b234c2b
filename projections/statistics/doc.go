// Package statistics computes who fronted for how long: of a list of switches
// and a window of time, the sessions, totals, shares, gaps, pairs and hours, and
// PluralKit's own front breakdown.
//
// It is arithmetic alone: no database, no clock, no provider. All times are
// microseconds since 1970, UTC. The cost is linear in the switches and their
// members.
//
// Four rules hold everywhere but in [Frontpercent], which has PluralKit's:
//
//   - A session of a member is the longest run of consecutive switches that
//     contain it. A switch that ended when it began (two of one timestamp)
//     neither ends a session nor makes one.
//   - The time before the first switch is unknown, not nobody's.
//   - What begins at the end of the window or later is ignored; the last switch
//     lasts until the end of the window.
//   - A session that reaches over an end of the window counts with its part
//     inside, in lengths and in the count.
package statistics
