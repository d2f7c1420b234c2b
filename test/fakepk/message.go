package fakepk

import (
	"slices"
	"time"
)

type message struct {
	id, original, sender, channel, guild string
	system                               *System // nil with member
	member                               *member // nil when it or the system is gone
}

// A Message is what somebody writes and PluralKit proxies. Empty ids are made from the clock and the system.
type Message struct {
	Member   string // uuid of whom it is proxied as
	ID       string // of the proxied message
	Original string // of what was written
	Sender   string // account; empty: the system's first
	Channel  string
	Guild    string
	// MemberGone deletes the member between the proxying and its event, which then says null.
	MemberGone bool
}

// Proxy is a message proxied by tags or autoproxy: CREATE_MESSAGE; in latch mode UPDATE_AUTOPROXY; and CREATE_SWITCH or
// UPDATE_SWITCH when the system has proxy_switch on and the member does not front.
func (s *System) Proxy(m Message) (id string, err error) {
	err = s.do(func() error {
		author, err := s.member(m.Member)
		if err != nil {
			return err
		}
		if err := s.complete(&m); err != nil {
			return err
		}
		id = m.ID
		s.w.write(func() {
			s.readGuild(m.Guild)
			s.readMemberGuild(author.uuid, m.Guild)
		})
		s.createMessage(m, author)
		if m.MemberGone {
			return nil
		}
		if a := s.autoproxy[m.Guild]; a != nil && a.mode == "latch" {
			// A failed write of the latch does not undo the message.
			_ = s.setAutoproxy(m.Guild, autoproxyPatch{setMember: true, member: author, latched: s.w.now()})
		}
		s.proxySwitch(author)
		return nil
	})
	return id, err
}

// complete fills the ids that a test has no opinion on.
func (s *System) complete(m *Message) error {
	if m.Sender == "" {
		m.Sender = s.accounts[0].id
	}
	if s.account(m.Sender) == nil {
		return ErrNoAccount
	}
	if m.Guild == "" {
		m.Guild = "1150000000000000001"
	}
	if m.Channel == "" {
		m.Channel = "1150000000000000002"
	}
	if m.Original == "" {
		m.Original = s.w.ids.snowflake(s.w.now().Add(-time.Second))
	}
	if m.ID == "" {
		m.ID = s.w.ids.snowflake(s.w.now())
	}
	if s.w.messages[m.ID] != nil {
		return ErrBadRequest
	}
	return nil
}

// createMessage stores and announces. The event's snapshot of the member is taken before or after its counters.
func (s *System) createMessage(m Message, author *member) {
	row := &message{id: m.ID, original: m.Original, sender: m.Sender, channel: m.Channel, guild: m.Guild, system: s, member: author}
	s.w.write(func() { s.w.messages[m.ID] = row })
	count := func() {
		s.w.write(func() {
			author.messages++
			author.lastMessage = stored(s.w.now())
			s.members = toEnd(s.members, author)
		})
	}
	first := s.w.chance(s.w.conf.Odds.CounterFirst)
	if first {
		count()
	}
	var snapshot any = memberObject(author, nil, true)
	if m.MemberGone {
		s.w.write(func() { s.dropMember(author) })
		s.emit("DELETE_MEMBER", author.uuid, nil)
		snapshot = nil
	}
	s.emit("CREATE_MESSAGE", nil, append(row.head(), pair{"system", systemObject(s, true)}, pair{"member", snapshot}))
	if !first && !m.MemberGone {
		count()
	}
}

// head is a message object without its two snapshots.
func (m *message) head() object {
	return object{{"timestamp", snowflakeTime(m.id)}, {"id", m.id}, {"original", m.original}, {"sender", m.sender},
		{"channel", m.channel}, {"guild", m.guild}}
}

// proxySwitch is the automatic switch while proxying.
func (s *System) proxySwitch(author *member) {
	mode, front := s.settings["proxy_switch"], s.latest()
	if mode == "off" || front != nil && slices.Contains(front.members, author) {
		return
	}
	if mode == "new" || front == nil || len(front.members) == 0 {
		s.createSwitch([]*member{author})
		return
	}
	s.setSwitchMembers(front, append(slices.Clone(front.members), author))
}

// Reproxy replaces a proxied message by one of another member: CREATE_MESSAGE with a new id, whose original is the
// message that held the command; the replaced one is deleted without an event.
func (s *System) Reproxy(id, memberUUID string) (newID string, err error) {
	err = s.do(func() error {
		old := s.w.messages[id]
		if old == nil || old.system != s {
			return ErrNoMessage
		}
		author, err := s.member(memberUUID)
		if err != nil {
			return err
		}
		m := Message{Sender: old.sender, Channel: old.channel, Guild: old.guild}
		if err := s.complete(&m); err != nil {
			return err
		}
		newID = m.ID
		s.w.write(func() { delete(s.w.messages, id) })
		s.createMessage(m, author)
		return nil
	})
	return newID, err
}

// DeleteMessages is a deletion by reaction, command, moderator or purge. No event; the members' counts stay.
func (s *System) DeleteMessages(ids ...string) error {
	return s.do(func() error {
		for _, id := range ids {
			if s.w.messages[id] == nil {
				return ErrNoMessage
			}
		}
		s.w.write(func() {
			for _, id := range ids {
				delete(s.w.messages, id)
			}
		})
		return nil
	})
}
