package fakepk

import (
	"slices"
	"time"
)

type member struct {
	serial  int // grows with each row made; dispatch lists a switch's members by it
	uuid    string
	created time.Time

	hid         string
	fields      Fields // memberColumns
	messages    int
	lastMessage time.Time // zero: none
}

// An Image is attached to a command. PluralKit hosts it again under another address unless Kept.
type Image struct {
	URL  string
	Kept bool
}

const imageHost = "https://cdn.pluralkit.me/images/"

// CreateMember is `pk;member new`: CREATE_MEMBER with the name, the privacy when new members are private, and the
// image. The event says null for an image that was hosted again, though the database has its address.
func (s *System) CreateMember(name string, image *Image) (uuid string, err error) {
	err = s.do(func() error {
		f, err := check(memberColumns, Fields{"name": name})
		if err != nil {
			return err
		}
		m, err := s.newMember(f)
		if err != nil {
			return err
		}
		data := object{{"name", name}}
		if s.settings["member_default_private"] == true {
			m.fields["privacy"] = all(memberPrivacy, "private")
			data.put("privacy", inOrder(memberPrivacy, m.fields["privacy"].(Fields)))
		}
		if image != nil {
			if image.Kept {
				m.fields["avatar_url"] = image.URL
				data.put("avatar_url", image.URL)
			} else {
				m.fields["avatar_url"] = imageHost + m.uuid + ".webp"
				data.put("avatar_url", nil)
			}
		}
		uuid = m.uuid
		s.w.write(func() { s.members = append(s.members, m) })
		s.emit("CREATE_MEMBER", m.uuid, data)
		return nil
	})
	return uuid, err
}

// APICreateMember is POST /members, which the dashboard uses: usually no event, since the dispatcher looks for the row
// before it is committed.
func (s *System) APICreateMember(f Fields) (uuid string, err error) {
	err = s.do(func() error {
		p, err := checkCreate(memberColumns, f)
		if err != nil {
			return err
		}
		m, err := s.newMember(p)
		if err != nil {
			return err
		}
		uuid = m.uuid
		s.w.write(func() { s.members = append(s.members, m) })
		if s.w.chance(s.w.conf.Odds.APICreateSeen) {
			s.emit("CREATE_MEMBER", m.uuid, patch(memberColumns, memberPrivacy, p))
		}
		return nil
	})
	return uuid, err
}

// checkCreate is check for a new entity, which needs a name.
func checkCreate(columns []column, f Fields) (Fields, error) {
	if f["name"] == nil {
		return nil, refused(400, 40001, "Error parsing JSON model: Key 'name' is required when creating new member/group.")
	}
	return checkEdit(columns, f)
}

// newMember makes a row that nobody sees yet.
func (s *System) newMember(f Fields) (*member, error) {
	if len(s.members) >= s.settings["member_limit"].(int) {
		return nil, ErrMemberLimit
	}
	m := &member{serial: s.w.nextSerial(), uuid: s.w.ids.uuid(), created: stored(s.w.now()), fields: Fields{}}
	m.hid = s.w.ids.hid(s.w.memberHIDTaken)
	for _, c := range memberColumns {
		m.fields[c.name] = nil
	}
	delete(m.fields, "id")
	m.fields.merge(Fields{"proxy_tags": []ProxyTag{}, "keep_proxy": false, "tts": false, autoproxyEnabled: true,
		"privacy": all(memberPrivacy, "public")})
	m.fields.merge(f)
	return m, nil
}

func (w *World) memberHIDTaken(hid string) bool {
	return slices.ContainsFunc(w.systems, func(s *System) bool {
		return find(s.members, func(m *member) bool { return m.hid == hid }) != nil
	})
}

// member finds one by uuid.
func (s *System) member(uuid string) (*member, error) {
	if m := find(s.members, func(m *member) bool { return m.uuid == uuid }); m != nil {
		return m, nil
	}
	return nil, ErrNoMember
}

// EditMember changes a member, by command (one key) or API (many): UPDATE_MEMBER, sent before it is written.
// autoproxy_enabled is never in the event, and an edit of nothing else sends none.
func (s *System) EditMember(uuid string, f Fields) error {
	return s.do(func() error {
		m, err := s.member(uuid)
		if err != nil {
			return err
		}
		p, err := checkEdit(memberColumns, f)
		if err != nil {
			return err
		}
		e := event{kind: "UPDATE_MEMBER", id: uuid, data: patch(memberColumns, memberPrivacy, p)}
		return s.sendFirst(e, func() {
			m.fields.merge(p)
			s.members = toEnd(s.members, m)
		})
	})
}

// ChangeMemberHID gives a member another short id: UPDATE_MEMBER with the new id.
func (s *System) ChangeMemberHID(uuid, hid string) error {
	return s.do(func() error {
		m, err := s.member(uuid)
		if err != nil {
			return err
		}
		if _, ok := hidText(hid); !ok {
			return ErrBadRequest
		}
		if s.w.memberHIDTaken(hid) {
			return ErrHIDTaken
		}
		return s.sendFirst(event{kind: "UPDATE_MEMBER", id: uuid, data: object{{"id", hid}}}, func() {
			m.hid = hid
			s.members = toEnd(s.members, m)
		})
	})
}

// RerollMemberHID gives a member a new random short id (staff). No event.
func (s *System) RerollMemberHID(uuid string) (hid string, err error) {
	err = s.do(func() error {
		m, err := s.member(uuid)
		if err != nil {
			return err
		}
		hid = s.w.ids.hid(s.w.memberHIDTaken)
		s.w.write(func() {
			m.hid = hid
			s.members = toEnd(s.members, m)
		})
		return nil
	})
	return hid, err
}

// BulkMemberPrivacy is the dashboard's: every key of every member (or of those named) at one level. No event.
func (s *System) BulkMemberPrivacy(level string, uuids ...string) error {
	return s.do(func() error {
		if _, ok := privacy(memberPrivacy)(all(memberPrivacy, level)); !ok {
			return ErrBadRequest
		}
		s.w.write(func() {
			for _, m := range slices.Clone(s.members) {
				if len(uuids) == 0 || slices.Contains(uuids, m.uuid) {
					m.fields["privacy"] = all(memberPrivacy, level)
					s.members = toEnd(s.members, m)
				}
			}
		})
		return nil
	})
}

// DeleteMember removes a member: DELETE_MEMBER. It also vanishes, without another event, from every switch, group,
// server setting and autoproxy, and its messages lose their author.
func (s *System) DeleteMember(uuid string) error {
	return s.do(func() error {
		m, err := s.member(uuid)
		if err != nil {
			return err
		}
		s.w.write(func() { s.dropMember(m) })
		s.emit("DELETE_MEMBER", uuid, nil)
		return nil
	})
}

func (s *System) dropMember(m *member) {
	s.members = without(s.members, m)
	s.links = slices.DeleteFunc(slices.Clone(s.links), func(l membership) bool { return l.member == m })
	for _, t := range s.turns {
		t.members = without(t.members, m)
	}
	for key := range s.memberGuilds {
		if key.member == m.uuid {
			delete(s.memberGuilds, key)
		}
	}
	for _, a := range s.autoproxy {
		if a.member == m {
			a.member = nil
		}
	}
	for _, msg := range s.w.messages {
		if msg.member == m {
			msg.system, msg.member = nil, nil
		}
	}
}

// EditMemberGuild changes a member's settings in one server: UPDATE_MEMBER_GUILD, sent before it is written.
func (s *System) EditMemberGuild(uuid, guild string, f Fields) error {
	return s.do(func() error {
		if _, err := s.member(uuid); err != nil {
			return err
		}
		p, err := checkEdit(memberGuildColumns, f)
		if err != nil {
			return err
		}
		data := append(object{{"guild_id", guild}}, patch(memberGuildColumns, nil, p)...)
		return s.sendFirst(event{kind: "UPDATE_MEMBER_GUILD", id: uuid, data: data}, func() {
			s.readMemberGuild(uuid, guild)
			s.memberGuilds[memberGuild{uuid, guild}].merge(p)
		})
	})
}

func (s *System) readMemberGuild(uuid, guild string) {
	key := memberGuild{uuid, guild}
	if s.memberGuilds[key] == nil {
		s.memberGuilds[key] = defaultMemberGuild.clone()
	}
}
