package fakepk

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"
)

// A State is one system as plain values, canonical and comparable: what is true in the World (Truth), or what a
// receiver believes. Fields are keyed as PluralKit names them; an entity's Fields hold its `id` (the short one),
// `uuid` and `created` too. Times are text as PluralKit writes them, in microseconds. Empty maps are nil.
type State struct {
	Gone         bool                         `json:"gone,omitempty"` // the system is deleted; nothing else is set
	System       Fields                       `json:"system,omitempty"`
	Settings     Fields                       `json:"settings,omitempty"`
	Members      map[string]Fields            `json:"members,omitempty"`       // by uuid
	Groups       map[string]Fields            `json:"groups,omitempty"`        // by uuid
	GroupMembers map[string][]string          `json:"group_members,omitempty"` // member uuids by group uuid, sorted
	Switches     map[string]Switch            `json:"switches,omitempty"`      // by uuid
	Accounts     map[string]bool              `json:"accounts,omitempty"`      // whether autoproxy is allowed, by account
	Guilds       map[string]Fields            `json:"guilds,omitempty"`        // by guild; rows of defaults are left out
	MemberGuilds map[string]map[string]Fields `json:"member_guilds,omitempty"` // by member, guild; the same
	Autoproxy    map[string]Fields            `json:"autoproxy,omitempty"`     // by guild; the same; the member's uuid
	Messages     map[string]MessageState      `json:"messages,omitempty"`      // by id
}

// A Switch is one switch; Members are uuids in front order.
type Switch struct {
	Timestamp string   `json:"timestamp"`
	Members   []string `json:"members"`
}

// A MessageState is a proxied message; Member is empty when the member is gone.
type MessageState struct {
	Timestamp string `json:"timestamp"`
	Original  string `json:"original"`
	Sender    string `json:"sender"`
	Channel   string `json:"channel"`
	Guild     string `json:"guild"`
	Member    string `json:"member,omitempty"`
}

// Truth is the system as it is. Messages that outlived their member or system belong to nobody and are not in it.
func (w *World) Truth(s *System) State {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if s.deleted {
		return State{Gone: true}
	}
	t := State{
		System: s.fields.clone(), Settings: s.settings.clone(),
		Members: map[string]Fields{}, Groups: map[string]Fields{}, GroupMembers: map[string][]string{},
		Switches: map[string]Switch{}, Accounts: map[string]bool{}, Guilds: map[string]Fields{},
		MemberGuilds: map[string]map[string]Fields{}, Autoproxy: map[string]Fields{}, Messages: map[string]MessageState{},
	}
	var webhook any
	if s.webhook != "" {
		webhook = s.webhook
	}
	t.System.merge(Fields{"id": s.hid, "uuid": s.uuid, "created": stamp(s.created), "webhook_url": webhook})
	for _, m := range s.members {
		f := m.fields.clone()
		f.merge(Fields{"id": m.hid, "uuid": m.uuid, "created": stamp(m.created), "message_count": m.messages,
			"last_message_timestamp": stampOrNil(m.lastMessage)})
		t.Members[m.uuid] = f
	}
	for _, g := range s.groups {
		f := g.fields.clone()
		f.merge(Fields{"id": g.hid, "uuid": g.uuid, "created": stamp(g.created)})
		t.Groups[g.uuid] = f
	}
	for _, l := range s.links {
		t.GroupMembers[l.group.uuid] = append(t.GroupMembers[l.group.uuid], l.member.uuid)
	}
	for _, turn := range s.turns {
		t.Switches[turn.uuid] = Switch{stamp(turn.at), frontOrder(turn.members)}
	}
	for _, a := range s.accounts {
		t.Accounts[a.id] = a.allowAutoproxy
	}
	s.truthOfGuilds(&t)
	for _, m := range w.messages {
		if m.system == s {
			t.Messages[m.id] = MessageState{stamp(snowflakeTime(m.id)), m.original, m.sender, m.channel, m.guild, m.member.uuid}
		}
	}
	return t.Canonical()
}

func (s *System) truthOfGuilds(t *State) {
	for guild, f := range s.guilds {
		t.Guilds[guild] = f.clone()
	}
	for key, f := range s.memberGuilds {
		if t.MemberGuilds[key.member] == nil {
			t.MemberGuilds[key.member] = map[string]Fields{}
		}
		t.MemberGuilds[key.member][key.guild] = f.clone()
	}
	for guild, a := range s.autoproxy {
		f := Fields{"autoproxy_mode": a.mode, "autoproxy_member": nil, "last_latch_timestamp": stampOrNil(a.latched)}
		if a.member != nil {
			f["autoproxy_member"] = a.member.uuid
		}
		t.Autoproxy[guild] = f
	}
}

var defaultAutoproxy = Fields{"autoproxy_mode": "off", "autoproxy_member": nil, "last_latch_timestamp": nil}

func stampOrNil(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stamp(t)
}

func frontOrder(list []*member) []string {
	uuids := make([]string, 0, len(list))
	for _, m := range list {
		uuids = append(uuids, m.uuid)
	}
	return uuids
}

// Canonical is the state with JSON's kinds of values, its sets sorted, and rows that say nothing left out: a missing
// settings row in a server means the defaults, since PluralKit makes such rows whenever it looks.
func (s State) Canonical() State {
	b, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("fakepk: state is no JSON: %v", err))
	}
	var c State
	if err := json.Unmarshal(b, &c); err != nil {
		panic(fmt.Sprintf("fakepk: state does not come back: %v", err))
	}
	for id, list := range c.GroupMembers {
		if len(list) == 0 {
			delete(c.GroupMembers, id)
			continue
		}
		slices.Sort(list)
		c.GroupMembers[id] = slices.Compact(list)
	}
	for id, t := range c.Switches {
		if t.Members == nil {
			c.Switches[id] = Switch{t.Timestamp, []string{}}
		}
	}
	dropDefaults(c.Guilds, defaultSystemGuild)
	dropDefaults(c.Autoproxy, defaultAutoproxy)
	for id, rows := range c.MemberGuilds {
		if dropDefaults(rows, defaultMemberGuild); len(rows) == 0 {
			delete(c.MemberGuilds, id)
		}
	}
	return c
}

func dropDefaults(rows map[string]Fields, defaults Fields) {
	maps.DeleteFunc(rows, func(_ string, f Fields) bool { return reflect.DeepEqual(f, defaults) })
}

// Front are the switches with the greatest timestamp: usually one. When they are several PluralKit itself may answer
// with any of them. Empty when there are no switches.
func (s State) Front() []string {
	var front []string
	var latest time.Time
	for id, t := range s.Switches {
		at, err := time.Parse(time.RFC3339Nano, t.Timestamp)
		if err != nil {
			continue
		}
		switch at.Compare(latest) {
		case 1:
			front, latest = []string{id}, at
		case 0:
			front = append(front, id)
		}
	}
	slices.Sort(front)
	return front
}

// Diff says how s differs from want, a line for each value as "path: got X, want Y", sorted; empty when they are the
// same.
func (s State) Diff(want State) []string {
	var lines []string
	diff(&lines, "", s.Canonical().tree(), want.Canonical().tree())
	slices.Sort(lines)
	return lines
}

func (s State) tree() any {
	b, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprintf("fakepk: state is no JSON: %v", err))
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		panic(fmt.Sprintf("fakepk: state does not come back: %v", err))
	}
	return v
}

// absent is how Diff shows a key that one side does not have.
type absent struct{}

func (absent) String() string { return "(absent)" }

func diff(lines *[]string, path string, got, want any) {
	g, gotMap := got.(map[string]any)
	w, wantMap := want.(map[string]any)
	if !gotMap || !wantMap {
		if !reflect.DeepEqual(got, want) {
			*lines = append(*lines, fmt.Sprintf("%s: got %v, want %v", path, got, want))
		}
		return
	}
	keys := maps.Clone(g)
	maps.Copy(keys, w)
	for k := range keys {
		gv, ok := g[k]
		if !ok {
			gv = absent{}
		}
		wv, ok := w[k]
		if !ok {
			wv = absent{}
		}
		sub := k
		if path != "" {
			sub = path + "." + k
		}
		diff(lines, sub, gv, wv)
	}
}
