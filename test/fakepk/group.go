package fakepk

import (
	"slices"
	"time"
)

type group struct {
	uuid    string
	created time.Time
	hid     string
	fields  Fields // groupColumns
}

// CreateGroup is `pk;group new`: CREATE_GROUP with the name, and the privacy when new groups are private.
func (s *System) CreateGroup(name string) (uuid string, err error) {
	err = s.do(func() error {
		f, err := check(groupColumns, Fields{"name": name})
		if err != nil {
			return err
		}
		g, err := s.newGroup(f)
		if err != nil {
			return err
		}
		data := object{{"name", name}}
		if s.settings["group_default_private"] == true {
			g.fields["privacy"] = all(groupPrivacy, "private")
			data.put("privacy", inOrder(groupPrivacy, g.fields["privacy"].(Fields)))
		}
		uuid = g.uuid
		s.w.write(func() { s.groups = append(s.groups, g) })
		s.emit("CREATE_GROUP", g.uuid, data)
		return nil
	})
	return uuid, err
}

// APICreateGroup is POST /groups: usually no event, as for members.
func (s *System) APICreateGroup(f Fields) (uuid string, err error) {
	err = s.do(func() error {
		p, err := checkCreate(groupColumns, f)
		if err != nil {
			return err
		}
		g, err := s.newGroup(p)
		if err != nil {
			return err
		}
		uuid = g.uuid
		s.w.write(func() { s.groups = append(s.groups, g) })
		if s.w.chance(s.w.conf.Odds.APICreateSeen) {
			s.emit("CREATE_GROUP", g.uuid, patch(groupColumns, groupPrivacy, p))
		}
		return nil
	})
	return uuid, err
}

func (s *System) newGroup(f Fields) (*group, error) {
	if len(s.groups) >= s.settings["group_limit"].(int) {
		return nil, ErrGroupLimit
	}
	g := &group{uuid: s.w.ids.uuid(), created: stored(s.w.now()), fields: Fields{}}
	g.hid = s.w.ids.hid(s.w.groupHIDTaken)
	for _, c := range groupColumns {
		g.fields[c.name] = nil
	}
	delete(g.fields, "id")
	g.fields["privacy"] = all(groupPrivacy, "public")
	g.fields.merge(f)
	return g, nil
}

func (w *World) groupHIDTaken(hid string) bool {
	return slices.ContainsFunc(w.systems, func(s *System) bool {
		return find(s.groups, func(g *group) bool { return g.hid == hid }) != nil
	})
}

func (s *System) group(uuid string) (*group, error) {
	if g := find(s.groups, func(g *group) bool { return g.uuid == uuid }); g != nil {
		return g, nil
	}
	return nil, ErrNoGroup
}

// onGroup is an action on one group.
func (s *System) onGroup(uuid string, f func(*group) error) error {
	return s.do(func() error {
		g, err := s.group(uuid)
		if err != nil {
			return err
		}
		return f(g)
	})
}

// EditGroup changes a group's own fields: UPDATE_GROUP.
func (s *System) EditGroup(uuid string, f Fields) error {
	return s.onGroup(uuid, func(g *group) error {
		p, err := checkEdit(groupColumns, f)
		if err != nil {
			return err
		}
		s.w.write(func() {
			g.fields.merge(p)
			s.groups = toEnd(s.groups, g)
		})
		s.announce("UPDATE_GROUP", uuid, patch(groupColumns, groupPrivacy, p))
		return nil
	})
}

// ChangeGroupHID gives a group another short id: UPDATE_GROUP with the new id.
func (s *System) ChangeGroupHID(uuid, hid string) error {
	return s.onGroup(uuid, func(g *group) error {
		if _, ok := hidText(hid); !ok {
			return ErrBadRequest
		}
		if s.w.groupHIDTaken(hid) {
			return ErrHIDTaken
		}
		s.w.write(func() {
			g.hid = hid
			s.groups = toEnd(s.groups, g)
		})
		s.announce("UPDATE_GROUP", uuid, object{{"id", hid}})
		return nil
	})
}

// RerollGroupHID gives a group a new random short id (staff). No event.
func (s *System) RerollGroupHID(uuid string) (hid string, err error) {
	err = s.onGroup(uuid, func(g *group) error {
		hid = s.w.ids.hid(s.w.groupHIDTaken)
		s.w.write(func() {
			g.hid = hid
			s.groups = toEnd(s.groups, g)
		})
		return nil
	})
	return hid, err
}

// BulkGroupPrivacy is the dashboard's: every key of every group (or of those named) at one level. No event.
func (s *System) BulkGroupPrivacy(level string, uuids ...string) error {
	return s.do(func() error {
		if _, ok := privacy(groupPrivacy)(all(groupPrivacy, level)); !ok {
			return ErrBadRequest
		}
		s.w.write(func() {
			for _, g := range slices.Clone(s.groups) {
				if len(uuids) == 0 || slices.Contains(uuids, g.uuid) {
					g.fields["privacy"] = all(groupPrivacy, level)
					s.groups = toEnd(s.groups, g)
				}
			}
		})
		return nil
	})
}

// DeleteGroup removes a group and, silently, its memberships: DELETE_GROUP.
func (s *System) DeleteGroup(uuid string) error {
	return s.onGroup(uuid, func(g *group) error {
		s.w.write(func() {
			s.groups = without(s.groups, g)
			s.unlinkAll(g)
		})
		s.emit("DELETE_GROUP", uuid, nil)
		return nil
	})
}

func (s *System) unlinkAll(g *group) {
	s.links = slices.DeleteFunc(slices.Clone(s.links), func(l membership) bool { return l.group == g })
}

// AddToGroup adds members, by command, dashboard or API; one that is in already stays. No event.
func (s *System) AddToGroup(id string, members ...string) error {
	return s.memberships(id, members, func(g *group, list []*member) {
		for _, m := range list {
			s.link(g, m)
		}
	})
}

// RemoveFromGroup removes members; one that is not in is no error. No event.
func (s *System) RemoveFromGroup(id string, members ...string) error {
	return s.memberships(id, members, func(g *group, list []*member) {
		s.links = slices.DeleteFunc(slices.Clone(s.links), func(l membership) bool {
			return l.group == g && slices.Contains(list, l.member)
		})
	})
}

// SetGroupMembers makes these the group's members, as the API's overwrite does. No event.
func (s *System) SetGroupMembers(id string, members ...string) error {
	return s.memberships(id, members, func(g *group, list []*member) {
		s.unlinkAll(g)
		for _, m := range list {
			s.link(g, m)
		}
	})
}

func (s *System) memberships(id string, members []string, change func(*group, []*member)) error {
	return s.onGroup(id, func(g *group) error {
		list, err := s.resolve(members)
		if err != nil {
			return err
		}
		s.w.write(func() { change(g, list) })
		return nil
	})
}

func (s *System) link(g *group, m *member) {
	if l := (membership{g, m}); !slices.Contains(s.links, l) {
		s.links = append(s.links, l)
	}
}

// resolve finds members by uuid, in the order given.
func (s *System) resolve(uuids []string) ([]*member, error) {
	list := make([]*member, 0, len(uuids))
	for _, id := range uuids {
		m, err := s.member(id)
		if err != nil {
			if s.w.memberAnywhere(id) {
				return nil, errMemberRefNotYours(id)
			}
			return nil, errMemberRefNotFound(id)
		}
		list = append(list, m)
	}
	return list, nil
}

func (w *World) memberAnywhere(uuid string) bool {
	return slices.ContainsFunc(w.systems, func(s *System) bool {
		return find(s.members, func(m *member) bool { return m.uuid == uuid }) != nil
	})
}
