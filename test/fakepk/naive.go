package fakepk

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
)

// Naive is a receiver as a quick author would write it: it believes each body as it comes, the last to arrive wins, and
// nothing is asked of the API. It is right as long as nothing is lost, late, doubled or silent; tests use it to show
// what each hazard does. The zero value works.
type Naive struct {
	// DropEqual ignores a body that was seen before: content de-duplication, which loses A→B→A.
	DropEqual bool

	state State
	seen  map[[sha256.Size]byte]bool
}

// Load gives the receiver a state to start from, such as what it read from the API when it was installed.
func (n *Naive) Load(s State) { n.state = s.Canonical() }

// State is what the receiver believes.
func (n *Naive) State() State { return n.state.Canonical() }

type naiveEnvelope struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Data Fields `json:"data"`
}

// Apply takes one body. PINGs and unknown types change nothing.
func (n *Naive) Apply(body []byte) error {
	if sum := sha256.Sum256(body); n.DropEqual {
		if n.seen[sum] {
			return nil
		}
		if n.seen == nil {
			n.seen = map[[sha256.Size]byte]bool{}
		}
		n.seen[sum] = true
	}
	var e naiveEnvelope
	if err := json.Unmarshal(body, &e); err != nil {
		return fmt.Errorf("naive receiver: %w", err)
	}
	s := &n.state
	switch e.Type {
	case "UPDATE_SYSTEM":
		set(&s.System, e.Data)
	case "UPDATE_SETTINGS":
		set(&s.Settings, e.Data)
	case "CREATE_MEMBER":
		f := naiveMember(e.ID)
		set(&f, e.Data)
		put(&s.Members, e.ID, f)
	case "UPDATE_MEMBER":
		upsert(&s.Members, e.ID, e.Data)
	case "DELETE_MEMBER":
		delete(s.Members, e.ID)
	case "CREATE_GROUP":
		f := naiveGroup(e.ID)
		set(&f, e.Data)
		put(&s.Groups, e.ID, f)
	case "UPDATE_GROUP":
		upsert(&s.Groups, e.ID, e.Data)
	case "DELETE_GROUP":
		delete(s.Groups, e.ID)
	case "LINK_ACCOUNT":
		put(&s.Accounts, e.ID, true)
	case "UNLINK_ACCOUNT":
		delete(s.Accounts, e.ID)
	default:
		n.applyRest(e)
	}
	return nil
}

// applyRest is for what is not a field of the system, a member or a group.
func (n *Naive) applyRest(e naiveEnvelope) {
	s := &n.state
	guild, _ := e.Data["guild_id"].(string)
	delete(e.Data, "guild_id")
	switch e.Type {
	case "UPDATE_SYSTEM_GUILD":
		f := s.Guilds[guild]
		if f == nil {
			f = defaultSystemGuild.clone()
		}
		set(&f, e.Data)
		put(&s.Guilds, guild, f)
	case "UPDATE_MEMBER_GUILD": // also when it is about an account
		rows := s.MemberGuilds[e.ID]
		f := rows[guild]
		if f == nil {
			f = defaultMemberGuild.clone()
		}
		set(&f, e.Data)
		put(&rows, guild, f)
		put(&s.MemberGuilds, e.ID, rows)
	case "UPDATE_AUTOPROXY":
		delete(e.Data, "channel_id")
		f := s.Autoproxy[guild]
		if f == nil {
			f = defaultAutoproxy.clone()
		}
		set(&f, e.Data)
		put(&s.Autoproxy, guild, f)
	case "CREATE_SWITCH", "UPDATE_SWITCH":
		t := s.Switches[e.ID]
		if at, ok := e.Data["timestamp"].(string); ok {
			t.Timestamp = at
		}
		if list, ok := e.Data["members"].([]any); ok {
			t.Members = []string{}
			for _, m := range list {
				t.Members = append(t.Members, m.(string))
			}
		}
		put(&s.Switches, e.ID, t)
	case "DELETE_SWITCH":
		delete(s.Switches, e.ID)
	case "DELETE_ALL_SWITCHES":
		s.Switches = nil
	case "CREATE_MESSAGE":
		n.applyMessage(e.Data)
	}
}

func (n *Naive) applyMessage(d Fields) {
	text := func(k string) string { s, _ := d[k].(string); return s }
	m := MessageState{text("timestamp"), text("original"), text("sender"), text("channel"), text("guild"), ""}
	if author, ok := d["member"].(map[string]any); ok {
		m.Member, _ = author["uuid"].(string)
	}
	put(&n.state.Messages, text("id"), m)
}

// naiveMember is a new member with the defaults that its event does not carry.
func naiveMember(uuid string) Fields {
	f := Fields{}
	for _, c := range memberColumns {
		f[c.name] = nil
	}
	f.merge(Fields{"uuid": uuid, "proxy_tags": []any{}, "keep_proxy": false, "tts": false, autoproxyEnabled: true,
		"message_count": 0, "last_message_timestamp": nil, "privacy": all(memberPrivacy, "public")})
	return f
}

func naiveGroup(uuid string) Fields {
	f := Fields{}
	for _, c := range groupColumns {
		f[c.name] = nil
	}
	f.merge(Fields{"uuid": uuid, "privacy": all(groupPrivacy, "public")})
	return f
}

// set merges what came as JSON, where objects within are maps.
func set(f *Fields, data Fields) {
	if *f == nil {
		*f = Fields{}
	}
	for k, v := range data {
		more, ok := v.(map[string]any)
		if !ok {
			(*f)[k] = v
			continue
		}
		have := Fields{}
		switch old := (*f)[k].(type) {
		case Fields:
			have = old
		case map[string]any:
			have = old
		}
		have.merge(more)
		(*f)[k] = have
	}
}

func upsert(rows *map[string]Fields, id string, data Fields) {
	f := (*rows)[id]
	set(&f, data)
	put(rows, id, f)
}

func put[T any](rows *map[string]T, id string, row T) {
	if *rows == nil {
		*rows = map[string]T{}
	}
	(*rows)[id] = row
}

// ApplyAll applies deliveries in the order given and stops at the first that is no JSON.
func (n *Naive) ApplyAll(ds []Delivery) error {
	for _, d := range ds {
		if err := n.Apply(d.Body); err != nil {
			return err
		}
	}
	return nil
}
