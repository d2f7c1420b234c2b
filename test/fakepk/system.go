package fakepk

import (
	"maps"
	"slices"
	"time"
)

// A System is one system and everything it has; its methods are what its people do in Discord, on the dashboard or
// through the API. Each is refused where PluralKit refuses it.
type System struct {
	w       *World
	uuid    string
	created time.Time

	// What follows is guarded by World.mu.
	deleted  bool
	hid      string
	fields   Fields // systemColumns
	settings Fields // settingsColumns
	token    string // for the API
	webhook  string // "" when none is registered
	signing  string // the dispatch token of that webhook
	accounts []*account

	members []*member    // in heap order
	groups  []*group     // in heap order
	links   []membership // group memberships in heap order
	turns   []*turn      // switches in heap order

	guilds       map[string]Fields            // by guild
	memberGuilds map[memberGuild]Fields       // by member and guild
	autoproxy    map[string]*autoproxySetting // by guild
}

type account struct {
	id             string
	allowAutoproxy bool
}

type memberGuild struct{ member, guild string }

// A membership is a row of the group membership table.
type membership struct {
	group  *group
	member *member
}

// CreateSystem makes a system for a Discord account, with PluralKit's defaults. No event: there is no webhook yet.
func (w *World) CreateSystem(account string, fields Fields) (*System, error) {
	w.actions.Lock()
	defer w.actions.Unlock()
	w.tick()
	if w.byAccount(account) != nil {
		return nil, ErrAccountTaken
	}
	f, err := check(systemColumns, fields)
	if err != nil {
		return nil, err
	}
	s := &System{
		w: w, uuid: w.ids.uuid(), created: stored(w.now()), fields: Fields{}, settings: defaultSettings(),
		guilds: map[string]Fields{}, memberGuilds: map[memberGuild]Fields{}, autoproxy: map[string]*autoproxySetting{},
	}
	s.hid = w.ids.hid(w.systemHIDTaken)
	s.token = w.ids.token()
	for _, c := range systemColumns {
		s.fields[c.name] = nil
	}
	delete(s.fields, "id")
	s.fields["privacy"] = all(systemPrivacy, "public")
	s.fields.merge(f)
	s.accounts = append(s.accounts, newAccount(account))
	w.write(func() { w.systems = append(w.systems, s) })
	return s, nil
}

func newAccount(id string) *account { return &account{id: id, allowAutoproxy: true} }

func defaultSettings() Fields {
	return Fields{
		"timezone": "UTC", "pings_enabled": true, "latch_timeout": nil, "member_default_private": false,
		"group_default_private": false, "show_private_info": true, "member_limit": 1000, "group_limit": 250,
		"description_templates": []string{}, "case_sensitive_proxy_tags": true, "proxy_error_message_enabled": true,
		"hid_display_split": false, "hid_display_caps": false, "hid_list_padding": "off", "card_show_color_hex": false,
		"proxy_switch": "off", "name_format": nil,
	}
}

func (w *World) systemHIDTaken(hid string) bool {
	return find(w.systems, func(s *System) bool { return s.hid == hid }) != nil
}

func (w *World) byAccount(id string) *System {
	return find(w.systems, func(s *System) bool {
		return slices.ContainsFunc(s.accounts, func(a *account) bool { return a.id == id })
	})
}

// UUID is the system's permanent id.
func (s *System) UUID() string { return s.uuid }

// HID is the system's short id, as it is now.
func (s *System) HID() string {
	s.w.mu.RLock()
	defer s.w.mu.RUnlock()
	return s.hid
}

// Token is the API token, as it is now.
func (s *System) Token() string {
	s.w.mu.RLock()
	defer s.w.mu.RUnlock()
	return s.token
}

// Webhook is the registered address and its signing token, both empty when there is none.
func (s *System) Webhook() (url, signingToken string) {
	s.w.mu.RLock()
	defer s.w.mu.RUnlock()
	return s.webhook, s.signing
}

// Edit changes the system's own fields, by command or API: one UPDATE_SYSTEM with the keys given.
func (s *System) Edit(f Fields) error {
	return s.do(func() error {
		p, err := checkEdit(systemColumns, f)
		if err != nil {
			return err
		}
		s.w.write(func() { s.fields.merge(p) })
		s.announce("UPDATE_SYSTEM", nil, patch(systemColumns, systemPrivacy, p))
		return nil
	})
}

// EditSettings changes settings, by command, staff or API: one UPDATE_SETTINGS with the keys given.
func (s *System) EditSettings(f Fields) error {
	return s.do(func() error {
		p, err := checkEdit(settingsColumns, f)
		if err != nil {
			return err
		}
		s.w.write(func() { s.settings.merge(p) })
		s.announce("UPDATE_SETTINGS", nil, patch(settingsColumns, nil, p))
		return nil
	})
}

// checkEdit is check for a user, who cannot set a short id with an edit and cannot send an empty one.
func checkEdit(columns []column, f Fields) (Fields, error) {
	if _, ok := f["id"]; ok || len(f) == 0 {
		return nil, ErrBadRequest
	}
	return check(columns, f)
}

// ChangeHID gives the system another short id (staff; subscribers): UPDATE_SYSTEM with the new id.
func (s *System) ChangeHID(hid string) error {
	return s.do(func() error {
		if _, ok := hidText(hid); !ok {
			return ErrBadRequest
		}
		if s.w.systemHIDTaken(hid) {
			return ErrHIDTaken
		}
		s.w.write(func() { s.hid = hid })
		s.announce("UPDATE_SYSTEM", nil, object{{"id", hid}})
		return nil
	})
}

// RerollHID gives the system a new random short id (staff). No event.
func (s *System) RerollHID() (hid string, err error) {
	err = s.do(func() error {
		hid = s.w.ids.hid(s.w.systemHIDTaken)
		s.w.write(func() { s.hid = hid })
		return nil
	})
	return hid, err
}

// RefreshToken makes a new API token; the old one is anonymous from now on. No event.
func (s *System) RefreshToken() (token string, err error) {
	err = s.do(func() error {
		token = s.w.ids.token()
		s.w.write(func() { s.token = token })
		return nil
	})
	return token, err
}

// Delete removes the system for good. No event, ever again; its messages stay, without system and member.
func (s *System) Delete() error {
	return s.do(func() error {
		s.w.write(func() {
			s.deleted = true
			s.w.systems = without(s.w.systems, s)
			for _, m := range s.w.messages {
				if m.system == s {
					m.system, m.member = nil, nil
				}
			}
		})
		return nil
	})
}

// Link adds a Discord account: LINK_ACCOUNT.
func (s *System) Link(id string) error {
	return s.do(func() error {
		if s.w.byAccount(id) != nil {
			return ErrAccountTaken
		}
		s.w.write(func() { s.accounts = append(s.accounts, newAccount(id)) })
		s.emit("LINK_ACCOUNT", id, nil)
		return nil
	})
}

// Unlink removes a Discord account: UNLINK_ACCOUNT.
func (s *System) Unlink(id string) error {
	return s.do(func() error {
		a := s.account(id)
		if a == nil {
			return ErrNoAccount
		}
		if len(s.accounts) == 1 {
			return ErrLastAccount
		}
		s.w.write(func() { s.accounts = without(s.accounts, a) })
		s.emit("UNLINK_ACCOUNT", id, nil)
		return nil
	})
}

func (s *System) account(id string) *account {
	return find(s.accounts, func(a *account) bool { return a.id == id })
}

// AccountAutoproxy is the toggle of an account: UPDATE_MEMBER_GUILD, mislabelled, sent before it is written.
func (s *System) AccountAutoproxy(id string, allow bool) error {
	return s.do(func() error {
		a := s.account(id)
		if a == nil {
			return ErrNoAccount
		}
		return s.sendFirst(s.accountEvent(id, object{{"allow_autoproxy", allow}}), func() { a.allowAutoproxy = allow })
	})
}

// DM is any direct message of a linked account to the bot: an UPDATE_MEMBER_GUILD about nothing.
func (s *System) DM(id string) error {
	return s.do(func() error { return s.dm(id) })
}

func (s *System) dm(id string) error {
	if s.account(id) == nil {
		return ErrNoAccount
	}
	s.send(s.accountEvent(id, object{}))
	return nil
}

func (s *System) accountEvent(id string, data object) event {
	return event{kind: "UPDATE_MEMBER_GUILD", id: id, data: data, noSystem: s.w.conf.Old}
}

// EditGuild changes the system's settings in one server: UPDATE_SYSTEM_GUILD.
func (s *System) EditGuild(guild string, f Fields) error {
	return s.do(func() error {
		p, err := checkEdit(systemGuildColumns, f)
		if err != nil {
			return err
		}
		s.w.write(func() {
			s.readGuild(guild)
			s.guilds[guild].merge(p)
		})
		s.emit("UPDATE_SYSTEM_GUILD", nil, append(object{{"guild_id", guild}}, patch(systemGuildColumns, nil, p)...))
		return nil
	})
}

// ReadGuild is the bot looking at its settings for a server, which makes a row of defaults. No event.
func (s *System) ReadGuild(guild string) error {
	return s.do(func() error {
		s.w.write(func() { s.readGuild(guild) })
		return nil
	})
}

func (s *System) readGuild(guild string) {
	if s.guilds[guild] == nil {
		s.guilds[guild] = maps.Clone(defaultSystemGuild)
	}
}

var (
	defaultSystemGuild = Fields{"proxying_enabled": true, "tag": nil, "tag_enabled": true, "avatar_url": nil,
		"display_name": nil, "name_format": nil}
	defaultMemberGuild = Fields{"display_name": nil, "avatar_url": nil, "keep_proxy": nil}
)
