package pluralkit

import (
	"maps"
	"slices"
)

// wanted is what to look at. The system itself always is: it says whether the
// token still counts and whether PluralKit still sends to us.
type wanted struct {
	system, settings, members, groups, front bool

	history  reach
	probes   bool            // what PluralKit lists nowhere: servers, autoproxy, accounts
	switches map[string]bool // single ones, by uuid
}

// reach is how far back to look at history.
type reach int

const (
	notAtAll reach = iota
	recent         // to the first page that agrees
	entire
)

func wantedBy(d Depth) wanted {
	w := wanted{system: true, settings: true, members: true, groups: true, front: true, history: recent}
	if d == Full {
		w.history, w.probes = entire, true
	}
	return w
}

// lists is how many answers the lists take, the system's included.
func (w wanted) lists() (n int) {
	for _, on := range []bool{true, w.settings, w.members, w.groups, w.front} {
		if on {
			n++
		}
	}
	return n
}

func (w wanted) nothing() bool { return len(w.names()) == 0 }

// names says what is wanted, for people.
func (w wanted) names() []string {
	var names []string
	for _, n := range []struct {
		on   bool
		name string
	}{
		{w.system, "system"}, {w.settings, "settings"}, {w.members, "members"}, {w.groups, "groups"},
		{w.front, "front"}, {w.history != notAtAll, "history"}, {w.probes, "servers and accounts"},
	} {
		if n.on {
			names = append(names, n.name)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(w.switches)) {
		names = append(names, "switch "+id)
	}
	return names
}

// and is both.
func (w wanted) and(v wanted) wanted {
	both := wanted{
		system: w.system || v.system, settings: w.settings || v.settings, members: w.members || v.members,
		groups: w.groups || v.groups, front: w.front || v.front,
		history: max(w.history, v.history), probes: w.probes || v.probes,
	}
	for _, one := range []map[string]bool{w.switches, v.switches} {
		for id := range one {
			both.single(id)
		}
	}
	return both
}

// maxSingles switches are looked at one by one; beyond that history is walked.
const maxSingles = 200

// single adds one switch.
func (w *wanted) single(id string) {
	if w.history == entire {
		return
	}
	if len(w.switches) >= maxSingles {
		w.switches, w.history = nil, entire
		return
	}
	if w.switches == nil {
		w.switches = map[string]bool{}
	}
	w.switches[id] = true
}
