package fakepk

import (
	"time"
)

// onSystem resolves the system and refuses others where the privacy key hides it; no key, nothing is refused.
func (q *request) onSystem(privacyKey string, hidden error) (s *System, owner bool, err error) {
	if s, err = q.system(q.args[0]); err != nil {
		return nil, false, err
	}
	owner = q.owns(s)
	if privacyKey != "" && !owner && s.fields.private(privacyKey) {
		return nil, false, hidden
	}
	return s, owner, nil
}

func getSystem(q *request) (any, error) {
	s, owner, err := q.onSystem("", nil)
	if err != nil {
		return nil, err
	}
	return systemObject(s, owner), nil
}

func getSettings(q *request) (any, error) {
	s, owner, err := q.onSystem("", nil)
	if err != nil {
		return nil, err
	}
	return settingsObject(s.settings, owner), nil
}

// getMembers is all of them in one answer, in heap order.
func getMembers(q *request) (any, error) {
	s, owner, err := q.onSystem("member_list_privacy", ErrMembersHidden)
	if err != nil {
		return nil, err
	}
	return visibleMembers(s, s.members, owner), nil
}

func visibleMembers(s *System, members []*member, owner bool) []object {
	list := []object{}
	for _, m := range members {
		if owner || !m.fields.private("visibility") {
			list = append(list, memberObject(m, s, owner))
		}
	}
	return list
}

func getMember(q *request) (any, error) {
	m, s := q.findMember(q.args[0])
	if m == nil {
		return nil, ErrNoMember
	}
	return memberObject(m, s, q.owns(s)), nil
}

func getGroups(q *request) (any, error) {
	s, owner, err := q.onSystem("group_list_privacy", ErrGroupsHidden)
	if err != nil {
		return nil, err
	}
	withMembers, err := q.flag("with_members")
	if err != nil {
		return nil, err
	}
	list := []object{}
	for _, g := range s.groups {
		if !owner && g.fields.private("visibility") {
			continue
		}
		var members []string
		if withMembers {
			members = groupMembers(s, g, owner)
		}
		list = append(list, groupObject(g, s, members, owner))
	}
	return list, nil
}

func getGroup(q *request) (any, error) {
	g, s := q.findGroup(q.args[0])
	if g == nil {
		return nil, ErrNoGroup
	}
	return groupObject(g, s, nil, q.owns(s)), nil
}

func getGroupMembers(q *request) (any, error) {
	g, s := q.findGroup(q.args[0])
	if g == nil {
		return nil, ErrNoGroup
	}
	owner := q.owns(s)
	if !owner && g.fields.private("list_privacy") {
		return nil, ErrGroupMembersHidden
	}
	var members []*member
	for _, l := range s.links {
		if l.group == g {
			members = append(members, l.member)
		}
	}
	return visibleMembers(s, members, owner), nil
}

func getMemberGroups(q *request) (any, error) {
	m, s := q.findMember(q.args[0])
	if m == nil {
		return nil, ErrNoMember
	}
	owner := q.owns(s)
	if !owner && s.fields.private("group_list_privacy") {
		return nil, ErrGroupsHidden
	}
	list := []object{}
	for _, l := range s.links {
		if l.member == m && (owner || !l.group.fields.private("visibility")) {
			list = append(list, groupObject(l.group, s, nil, owner))
		}
	}
	return list, nil
}

// getSwitches is a page of history before a moment, so without the future; members by short id, hidden ones too.
func getSwitches(q *request) (any, error) {
	s, _, err := q.onSystem("front_history_privacy", ErrHistoryHidden)
	if err != nil {
		return nil, err
	}
	before, err := q.before()
	if err != nil {
		return nil, err
	}
	limit, err := q.limit()
	if err != nil {
		return nil, err
	}
	list := []object{}
	for _, t := range newest(s.turns) {
		if len(list) == limit {
			break
		}
		if !t.at.Before(before) {
			continue
		}
		hids := make([]string, 0, len(t.members))
		for _, m := range t.members {
			hids = append(hids, m.hid)
		}
		list = append(list, object{{"id", t.uuid}, {"timestamp", t.at}, {"members", hids}})
	}
	return list, nil
}

// getSwitch: an id that is no uuid makes the gateway's SQL fail.
func getSwitch(q *request) (any, error) {
	s, owner, err := q.onSystem("", nil)
	if err != nil {
		return nil, err
	}
	if !isUUID(q.args[1]) {
		return nil, ErrInternal
	}
	id := uuidOf(q.args[1])
	for _, of := range q.api.w.systems {
		t := find(of.turns, func(t *turn) bool { return t.uuid == id })
		if t == nil {
			continue
		}
		if of != s || !owner && s.fields.private("front_history_privacy") {
			return nil, ErrSwitchHidden
		}
		return switchObject(s, t, owner), nil
	}
	return nil, ErrNoSwitch
}

// getFronters is the switch with the greatest timestamp, also one in the future.
func getFronters(q *request) (any, error) {
	s, owner, err := q.onSystem("front_privacy", ErrFrontersHidden)
	if err != nil {
		return nil, err
	}
	t := s.latest()
	if t == nil {
		return nil, errNoContent
	}
	return switchObject(s, t, owner), nil
}

func switchObject(s *System, t *turn, owner bool) object {
	members := make([]object, 0, len(t.members))
	for _, m := range t.members {
		members = append(members, memberObject(m, s, owner))
	}
	return object{{"id", t.uuid}, {"timestamp", t.at}, {"members", members}}
}

func getSystemGuild(q *request) (any, error) {
	s, owner, err := q.onSystem("", nil)
	if err != nil {
		return nil, err
	}
	if !owner {
		return nil, ErrForbidden
	}
	if !allDigits(q.args[1]) {
		return nil, ErrBadRequest
	}
	if f := s.guilds[q.args[1]]; f != nil {
		return systemGuildObject(f), nil
	}
	return nil, ErrNoSystemGuild
}

func getMemberGuild(q *request) (any, error) {
	if q.viewer == nil {
		return nil, ErrUnauthorized
	}
	m, s := q.findMember(q.args[0])
	if m == nil {
		return nil, ErrNoMember
	}
	if !q.owns(s) {
		return nil, ErrMemberNotYours
	}
	if !allDigits(q.args[1]) {
		return nil, ErrBadRequest
	}
	if f := s.memberGuilds[memberGuild{m.uuid, q.args[1]}]; f != nil {
		return memberGuildObject(f), nil
	}
	return nil, ErrNoMemberGuild
}

// getAutoproxy knows autoproxy of servers only.
func getAutoproxy(q *request) (any, error) {
	s, owner, err := q.onSystem("", nil)
	if err != nil {
		return nil, err
	}
	if !owner {
		return nil, ErrForbidden
	}
	v := q.r.URL.Query()
	if !v.Has("guild_id") || v.Has("channel_id") {
		return nil, ErrUnimplemented
	}
	if !allDigits(v.Get("guild_id")) {
		return nil, ErrBadRequest
	}
	return autoproxyObject(s.autoproxy[v.Get("guild_id")]), nil
}

// originalLifetime is how long after it was proxied a message is found by the id of what was written.
const originalLifetime = 30 * time.Minute

func getMessage(q *request) (any, error) {
	id := q.args[0]
	if !allDigits(id) {
		return nil, ErrBadRequest
	}
	m := q.api.w.messages[id]
	if m == nil {
		for _, other := range q.api.w.messages {
			if other.original == id && q.api.w.now().Sub(snowflakeInstant(other.id)) < originalLifetime {
				m = other
			}
		}
	}
	if m == nil {
		return nil, ErrNoMessage
	}
	return messageObject(m, m.system != nil && q.owns(m.system)), nil
}
