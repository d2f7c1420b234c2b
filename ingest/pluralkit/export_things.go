package pluralkit

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"switchlog/schemas"
)

// keep is those fields of an object that we know, as an observation has them.
// A null where PluralKit has none is unknown. Files of before 2021 have what is
// private beside the other fields.
func (p *exportParser) keep(o schemas.Object, fields []schemas.Field) (schemas.Object, error) {
	kept, inner := schemas.Object{}, schemas.Object{}
	var nested schemas.Object
	if raw, has := o["privacy"]; has && !isNull(raw) {
		if json.Unmarshal(raw, &nested) != nil {
			return nil, bad("privacy is no object")
		}
	}
	for _, f := range fields {
		from, to := o, kept
		if f.In != "" {
			to = inner
			if _, has := nested[f.Name]; has {
				from = nested
			}
		}
		if raw, has := from[f.Name]; has && (f.Null || !isNull(raw)) {
			to[f.Name] = raw
		}
	}
	if len(inner) > 0 {
		kept["privacy"] = marshal(inner)
	}
	kept = tidy(kept, fields)
	values, err := kept.Fields(fields)
	if err != nil {
		return nil, err
	}
	for _, v := range values {
		if us, is := v.Value.(int64); is && v.Field.Kind == schemas.Time {
			p.moment(us)
		}
	}
	return kept, nil
}

// name reads the ids of an object; the uuid may be missing.
func (p *exportParser) name(o schemas.Object) (id UUID, hid HID, err error) {
	short, err := o.Text("id")
	if err != nil {
		return "", "", err
	}
	if hid, err = looseHID(short); err != nil {
		return "", "", err
	}
	long, err := o.Text("uuid")
	if err == nil && long != "" {
		id, err = ParseUUID(long)
	}
	return id, hid, err
}

// looseHID reads a short id as people write it.
func looseHID(s string) (HID, error) {
	return parseHID(strings.ToLower(strings.ReplaceAll(s, "-", "")))
}

// thing reads a member or a group.
func (p *exportParser) thing(raw json.RawMessage, into *[]ExportedThing, fields []schemas.Field) error {
	var o schemas.Object
	if err := json.Unmarshal(raw, &o); err != nil || o == nil {
		return bad("no object")
	}
	if o["_id"] != nil { // of a MongoDB: whatever else the file says comes later in it
		return foreignFile("Simply Plural")
	}
	var x ExportedThing
	var err error
	if x.UUID, x.HID, err = p.name(o); err != nil {
		return err
	}
	if list, has := o["members"]; has && !isNull(list) {
		if x.Members, err = hids(list); err != nil {
			return err
		}
	}
	if err := oldTag(o); err != nil {
		return err
	}
	if x.Object, err = p.keep(o, fields); err != nil {
		return err
	}
	x.Object["id"] = text(string(x.HID))
	if tags, has := x.Object["proxy_tags"]; has {
		var list []struct{ Prefix, Suffix *string }
		if json.Unmarshal(tags, &list) != nil {
			return bad("proxy_tags are no tags")
		}
	}
	*into = append(*into, x)
	return nil
}

// oldTag makes a list of the one proxy tag that members of the oldest files
// have.
func oldTag(o schemas.Object) error {
	if list, has := o["proxy_tags"]; has && !isNull(list) {
		return nil
	}
	prefix, err := o.Text("prefix")
	if err != nil {
		return err
	}
	suffix, err := o.Text("suffix")
	if err != nil || prefix == "" && suffix == "" {
		return err
	}
	o["proxy_tags"] = marshal([]map[string]string{{"prefix": prefix, "suffix": suffix}})
	return nil
}

func hids(raw json.RawMessage) ([]HID, error) {
	var names []string
	if json.Unmarshal(raw, &names) != nil {
		return nil, bad("members are no list of short ids")
	}
	list := make([]HID, 0, len(names))
	for _, name := range names {
		hid, err := looseHID(name)
		if err != nil {
			return nil, err
		}
		list = append(list, hid)
	}
	return list, nil
}

// maxTurnMembers bounds a switch; PluralKit takes up to 1,000 by its API.
const maxTurnMembers = 5000

// turn reads a switch. Should two have one time, they are one.
func (p *exportParser) turn(raw json.RawMessage) error {
	var s struct {
		Timestamp *string         `json:"timestamp"`
		Members   json.RawMessage `json:"members"`
	}
	if json.Unmarshal(raw, &s) != nil || s.Timestamp == nil || s.Members == nil {
		return bad("no switch: timestamp or members is missing")
	}
	us, err := schemas.ParseTime(*s.Timestamp)
	if err != nil {
		return err
	}
	list, err := hids(s.Members)
	if err != nil {
		return err
	}
	if len(list)+len(p.turns[us]) > maxTurnMembers {
		return bad("more than %d members in one switch", maxTurnMembers)
	}
	p.moment(us)
	for _, hid := range list {
		if !slices.Contains(p.turns[us], hid) {
			p.turns[us] = append(p.turns[us], hid)
		}
	}
	if _, has := p.turns[us]; !has {
		p.turns[us] = []HID{}
	}
	return nil
}

// account reads the Discord id of one: a number too large for a float.
func (p *exportParser) account(raw json.RawMessage) error {
	id := strings.Trim(string(raw), `"`)
	if !schemas.IsSnowflake(id) {
		return bad("no Discord id")
	}
	p.x.Accounts = append(p.x.Accounts, id)
	return nil
}

func (p *exportParser) config(raw json.RawMessage) (err error) {
	var o schemas.Object
	if json.Unmarshal(raw, &o) != nil {
		return bad("config is no object")
	}
	if p.x.Settings, err = p.keep(o, schemas.PKSettingsFields); err != nil {
		return bad("config: %w", err)
	}
	return nil
}

// finish makes of the pieces what they are together.
func (p *exportParser) finish() (err error) {
	if !p.seen["members"] || !p.seen["switches"] {
		return p.other()
	}
	x := &p.x
	if x.UUID, x.HID, err = p.name(p.top); err != nil {
		return bad("the system: %w", err)
	}
	if x.Name, err = p.top.Text("name"); err != nil {
		return bad("the system: %w", err)
	}
	if x.System, err = p.keep(p.top, schemas.PKSystemObjectFields); err != nil {
		return bad("the system: %w", err)
	}
	x.System["id"] = text(string(x.HID))
	if zone, has := p.top["timezone"]; has && !isNull(zone) && x.Settings["timezone"] == nil {
		if x.Settings == nil {
			x.Settings = schemas.Object{}
		}
		x.Settings["timezone"] = zone
		if _, err := x.Settings.Fields(schemas.PKSettingsFields); err != nil {
			return err
		}
	}
	if err := unique(x.Members, "members"); err != nil {
		return err
	}
	if err := unique(x.Groups, "groups"); err != nil {
		return err
	}
	x.Switches = make([]ExportedSwitch, 0, len(p.turns))
	for us, members := range p.turns {
		x.Switches = append(x.Switches, ExportedSwitch{us, members})
	}
	slices.SortFunc(x.Switches, func(a, b ExportedSwitch) int { return cmp.Compare(b.AtUS, a.AtUS) })
	// Nothing of PluralKit's is older than Discord.
	x.AsOf = time.UnixMicro(max(p.newUS, discordEpoch*1000)).UTC()
	return nil
}

// other says what a JSON object is that has no members or no switches.
func (p *exportParser) other() error {
	if _, has := p.top["uuid"]; has && p.top["id"] != nil {
		return bad("the file is one answer of PluralKit's API, without members and switches (hint: give the whole file of pk;export; with an API token switchlog asks PluralKit itself)")
	}
	return bad("the file has no members or no switches (hint: is it one that pk;export made?)")
}

// unique refuses two things of one id: nobody could tell which is meant.
func unique(things []ExportedThing, what string) error {
	seen := map[string]bool{}
	for _, x := range things {
		for _, id := range []string{string(x.HID), string(x.UUID)} {
			if id != "" && seen[id] {
				return bad("two %s have the id %s", what, id)
			}
			seen[id] = true
		}
	}
	return nil
}
