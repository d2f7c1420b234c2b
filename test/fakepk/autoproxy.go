package fakepk

import "time"

// autoproxySetting is a system's autoproxy in one server.
type autoproxySetting struct {
	mode    string // off, front, latch, member
	member  *member
	latched time.Time // zero: never
}

// autoproxyPatch is what one event changes.
type autoproxyPatch struct {
	mode      string // "" unchanged
	setMember bool
	member    *member
	latched   time.Time // zero: unchanged
}

// setAutoproxy sends UPDATE_AUTOPROXY and then writes.
func (s *System) setAutoproxy(guild string, p autoproxyPatch) error {
	data := object{{"guild_id", guild}, {"channel_id", nil}}
	if p.mode != "" {
		data.put("autoproxy_mode", p.mode)
	}
	if p.setMember {
		if p.member == nil {
			data.put("autoproxy_member", nil)
		} else {
			data.put("autoproxy_member", p.member.uuid)
		}
	}
	if !p.latched.IsZero() {
		data.put("last_latch_timestamp", p.latched.Truncate(100*time.Nanosecond)) // C# ticks
	}
	return s.sendFirst(event{kind: "UPDATE_AUTOPROXY", data: data}, func() {
		a := s.readAutoproxy(guild)
		if p.mode != "" {
			a.mode = p.mode
		}
		if p.setMember {
			a.member = p.member
		}
		if !p.latched.IsZero() {
			a.latched = stored(p.latched)
		}
	})
}

func (s *System) readAutoproxy(guild string) *autoproxySetting {
	if s.autoproxy[guild] == nil {
		s.autoproxy[guild] = &autoproxySetting{mode: "off"}
	}
	return s.autoproxy[guild]
}

// Autoproxy is `pk;autoproxy off`, `front` or `latch`: the mode, and no member.
func (s *System) Autoproxy(guild, mode string) error {
	return s.do(func() error {
		if _, ok := oneOf("off", "front", "latch")(mode); !ok {
			return ErrBadRequest
		}
		return s.setAutoproxy(guild, autoproxyPatch{mode: mode, setMember: true})
	})
}

// AutoproxyMember is `pk;autoproxy <member>`.
func (s *System) AutoproxyMember(guild, uuid string) error {
	return s.do(func() error {
		m, err := s.member(uuid)
		if err != nil {
			return err
		}
		return s.setAutoproxy(guild, autoproxyPatch{mode: "member", setMember: true, member: m})
	})
}

// Unlatch is a message that starts with `\\` in latch mode: no member, the mode stays.
func (s *System) Unlatch(guild string) error {
	return s.escape(guild, autoproxyPatch{setMember: true})
}

// AutoproxyOffByMessage is a message that starts with `\\\`: the mode is off, the member stays.
func (s *System) AutoproxyOffByMessage(guild string) error {
	return s.escape(guild, autoproxyPatch{mode: "off"})
}

func (s *System) escape(guild string, p autoproxyPatch) error {
	return s.do(func() error {
		if a := s.autoproxy[guild]; a == nil || a.mode != "latch" {
			return ErrBadRequest
		}
		return s.setAutoproxy(guild, p)
	})
}

// APIAutoproxy is PATCH …/autoproxy: a mode ("" leaves it), a member (nil leaves it, empty clears it).
func (s *System) APIAutoproxy(guild, mode string, member *string) error {
	return s.do(func() error {
		p := autoproxyPatch{mode: mode}
		if _, ok := oneOf("", "off", "front", "latch", "member")(mode); !ok || mode == "" && member == nil {
			return ErrBadRequest
		}
		if member != nil {
			p.setMember = true
			if *member != "" {
				m, err := s.member(*member)
				if err != nil {
					return err
				}
				p.member = m
			}
		}
		switch {
		case mode == "latch" && member != nil:
			return ErrLatchMember
		case mode == "member" && p.member == nil:
			return ErrAutoproxyMember
		}
		return s.setAutoproxy(guild, p)
	})
}
