package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"switchlog/schemas"
)

// MaxPluralKitSwitches is how many switches PluralKit takes from a file.
const MaxPluralKitSwitches = 100_000

// pkFormat is the version of the format that PluralKit writes.
const pkFormat = 2

// object is a JSON object without its nulls.
type object map[string]any

// PluralKit is the file that pk;export sends and pk;import takes. Keys whose
// value is null are left out: PluralKit takes null for "clear it", and for
// "public" in a privacy setting, and null may mean here that nobody knows. In
// groups and switches are only members that are in the file; PluralKit refuses
// others. Accounts are left out; it ignores them, and none would say that none is
// linked. Switches of one moment become one, as in PluralKit's own files.
func PluralKit(a Answers) ([]byte, error) {
	top, err := withoutNulls(a.System)
	if err != nil {
		return nil, fmt.Errorf("the system: %w", err)
	}
	top["version"] = pkFormat
	if a.Settings != nil {
		config, err := withoutNulls(a.Settings)
		if err != nil {
			return nil, fmt.Errorf("the settings: %w", err)
		}
		top["config"] = config
	}
	members, ids, err := things(a.Members)
	if err != nil {
		return nil, fmt.Errorf("a member: %w", err)
	}
	groups, _, err := things(a.Groups)
	if err != nil {
		return nil, fmt.Errorf("a group: %w", err)
	}
	for i, g := range groups {
		var in struct {
			Members []string `json:"members"`
		}
		if err := json.Unmarshal(a.Groups[i], &in); err != nil {
			return nil, fmt.Errorf("a group: %w", err)
		}
		g["members"] = idsOf(nil, in.Members, ids)
	}
	top["members"], top["groups"], top["switches"] = members, groups, pkSwitches(a.Switches, ids)
	return indented(top)
}

// things are members or groups as PluralKit wants them, and their ids in the
// file, by uuid: the short id, or the uuid where that is not known or taken.
func things(raws []json.RawMessage) ([]object, map[string]string, error) {
	list, ids, taken := []object{}, map[string]string{}, map[string]bool{}
	for _, raw := range raws {
		o, err := withoutNulls(raw)
		if err != nil {
			return nil, nil, err
		}
		var m member
		if err := json.Unmarshal(raw, &m); err != nil {
			return nil, nil, err
		}
		id := m.UUID
		if m.ID != nil && *m.ID != "" && !taken[*m.ID] {
			id = *m.ID
		}
		taken[id], ids[m.UUID], o["id"] = true, id, id
		if _, has := o["name"]; !has { // it has to have one
			if o["name"] = m.name(); o["name"] == "" {
				o["name"] = id
			}
		}
		delete(o, "system")
		list = append(list, o)
	}
	return list, ids, nil
}

// idsOf adds the ids of members that have one, each once.
func idsOf(list, uuids []string, ids map[string]string) []string {
	list = append([]string{}, list...)
	for _, uuid := range uuids {
		if id, known := ids[uuid]; known && !slices.Contains(list, id) {
			list = append(list, id)
		}
	}
	return list
}

// pkSwitch is a switch in PluralKit's file.
type pkSwitch struct {
	Timestamp string   `json:"timestamp"`
	Members   []string `json:"members"`
}

func pkSwitches(switches []Switch, ids map[string]string) []pkSwitch {
	list := []pkSwitch{}
	for i, s := range switches {
		if i > 0 && switches[i-1].TimestampUS == s.TimestampUS {
			last := &list[len(list)-1]
			last.Members = idsOf(last.Members, s.Members, ids)
			continue
		}
		list = append(list, pkSwitch{schemas.FormatTime(time.UnixMicro(s.TimestampUS)), idsOf(nil, s.Members, ids)})
	}
	return list
}

// withoutNulls reads an object without its members that are null, and those of
// the objects in it. nil is an empty one.
func withoutNulls(raw json.RawMessage) (object, error) {
	o := object{}
	if raw == nil {
		return o, nil
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, err
	}
	for name, value := range all {
		switch value = bytes.TrimSpace(value); {
		case string(value) == "null":
		case value[0] == '{':
			inner, err := withoutNulls(value)
			if err != nil {
				return nil, err
			}
			o[name] = inner
		default:
			o[name] = value
		}
	}
	return o, nil
}
