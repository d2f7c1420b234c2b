package fakepk

import (
	"slices"
	"strconv"
	"time"
)

// exportVersion is what PluralKit writes into its files.
const exportVersion = 2

// Export is the file that `pk;export` sends: all as the owner sees it, the webhook's address too. Members of groups and
// switches are short ids. Switches have no uuids; those of one time are one, and none is of the future. The order of
// members in a switch is that of no promise; here, of their creation.
func (s *System) Export() []byte {
	s.w.mu.RLock()
	defer s.w.mu.RUnlock()
	file := object{{"version", exportVersion}}
	file = append(file, systemObject(s, true)...)
	file.put("config", settingsObject(s.settings, true))
	var accounts []int64
	for _, a := range s.accounts {
		n, err := strconv.ParseInt(a.id, 10, 64)
		if err != nil {
			panic("fakepk: an account is no number: " + a.id)
		}
		accounts = append(accounts, n)
	}
	file.put("accounts", accounts)
	members := []object{}
	for _, m := range s.members {
		members = append(members, withoutSystem(memberObject(m, s, true)))
	}
	file.put("members", members)
	groups := []object{}
	for _, g := range s.groups {
		hids := []string{}
		for _, l := range s.links {
			if l.group == g {
				hids = append(hids, l.member.hid)
			}
		}
		groups = append(groups, append(withoutSystem(groupObject(g, s, nil, true)), pair{"members", hids}))
	}
	file.put("groups", groups)
	file.put("switches", s.exportedSwitches())
	return appendJSON(nil, file)
}

func withoutSystem(o object) object {
	return slices.DeleteFunc(o, func(p pair) bool { return p.key == "system" || p.key == "members" })
}

func (s *System) exportedSwitches() []object {
	list, now := []object{}, s.w.now()
	var last time.Time
	for _, t := range newest(s.turns) {
		if !t.at.Before(now) {
			continue
		}
		hids := []string{}
		for _, m := range bySerial(t.members) {
			hids = append(hids, m.hid)
		}
		if len(list) > 0 && t.at.Equal(last) {
			members := &list[len(list)-1][1].value
			*members = append((*members).([]string), hids...)
			continue
		}
		list, last = append(list, object{{"timestamp", t.at}, {"members", hids}}), t.at
	}
	return list
}
