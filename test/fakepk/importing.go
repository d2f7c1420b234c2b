package fakepk

import (
	"slices"
	"time"
)

// A File is what a user imports: PluralKit's own format, or Tupperbox's, which knows nothing of the system.
type File struct {
	Tupperbox bool
	System    Fields // nil: the file has none; otherwise every key it has is announced in one UPDATE_SYSTEM
	Config    Fields // nil: no config section
	Members   []FileMember
	Groups    []FileGroup
	Switches  []FileSwitch
}

// A FileMember is matched by short id, else by name; else it is new.
type FileMember struct {
	ID     string
	Fields Fields
}

// A FileGroup is matched like a member; its members are ids of the file.
type FileGroup struct {
	ID      string
	Fields  Fields
	Members []string
}

// A FileSwitch has members by the ids of the file.
type FileSwitch struct {
	Timestamp time.Time
	Members   []string
}

const maxImportedSwitches = 100_000

// Import is `pk;import`: UPDATE_SYSTEM and UPDATE_SETTINGS while its transaction is open, SUCCESSFUL_IMPORT after it;
// nothing about members, groups and switches. With fail, the transaction is rolled back after the updates were sent,
// nothing is announced and ErrImportFailed is returned.
func (s *System) Import(f File, fail bool) error {
	return s.do(func() error {
		plan, err := s.planImport(f)
		if err != nil {
			return err
		}
		if f.System != nil {
			s.announceEvent(event{kind: "UPDATE_SYSTEM", data: patch(systemColumns, systemPrivacy, plan.system), first: true})
		}
		if f.Config != nil {
			s.announceEvent(event{kind: "UPDATE_SETTINGS", data: patch(settingsColumns, nil, plan.config), first: true})
		}
		if fail {
			return ErrImportFailed
		}
		s.w.write(plan.apply)
		s.emit("SUCCESSFUL_IMPORT", nil, nil)
		return nil
	})
}

// importPlan is a checked file, its new rows made and not yet seen.
type importPlan struct {
	s              *System
	system, config Fields
	members        []rowPatch[member]
	groups         []rowPatch[group]
	links          []membership
	turns          []*turn
}

type rowPatch[T any] struct {
	row    *T
	isNew  bool
	fields Fields
}

func (s *System) planImport(f File) (p *importPlan, err error) {
	if f.Tupperbox && (f.System != nil || f.Config != nil) || len(f.Switches) > maxImportedSwitches {
		return nil, ErrBadRequest
	}
	p = &importPlan{s: s}
	if p.system, err = check(systemColumns, f.System); err != nil {
		return nil, err
	}
	if p.config, err = check(settingsColumns, f.Config); err != nil {
		return nil, err
	}
	byID := map[string]*member{}
	for _, in := range f.Members {
		fields, err := check(memberColumns, in.Fields)
		if err != nil {
			return nil, err
		}
		row := match(s.members, func(m *member) bool { return m.hid == in.ID },
			func(m *member) bool { return m.fields["name"] == fields["name"] })
		isNew := row == nil
		if isNew {
			if row, err = s.newMember(fields); err != nil {
				return nil, err
			}
		}
		byID[in.ID] = row
		p.members = append(p.members, rowPatch[member]{row, isNew, fields})
	}
	if err := p.planGroups(f.Groups, byID); err != nil {
		return nil, err
	}
	return p, p.planSwitches(f.Switches, byID)
}

// match prefers the row with the same id to one with the same name.
func match[T any](list []*T, byID, byName func(*T) bool) *T {
	if row := find(list, byID); row != nil {
		return row
	}
	return find(list, byName)
}

func (p *importPlan) planGroups(groups []FileGroup, byID map[string]*member) error {
	for _, in := range groups {
		fields, err := check(groupColumns, in.Fields)
		if err != nil {
			return err
		}
		row := match(p.s.groups, func(g *group) bool { return g.hid == in.ID },
			func(g *group) bool { return g.fields["name"] == fields["name"] })
		isNew := row == nil
		if isNew {
			if row, err = p.s.newGroup(fields); err != nil {
				return err
			}
		}
		p.groups = append(p.groups, rowPatch[group]{row, isNew, fields})
		for _, id := range in.Members {
			if byID[id] == nil {
				return errMemberRefNotFound(id)
			}
			p.links = append(p.links, membership{row, byID[id]})
		}
	}
	return nil
}

// planSwitches skips timestamps that exist. Those doubled within the file are all inserted, and all get the members of
// the last of them.
func (p *importPlan) planSwitches(switches []FileSwitch, byID map[string]*member) error {
	last := map[time.Time][]*member{}
	for _, in := range switches {
		at := stored(in.Timestamp)
		if p.s.timestampTaken(at) {
			continue
		}
		var list []*member
		for _, id := range in.Members {
			if byID[id] == nil {
				return errMemberRefNotFound(id)
			}
			list = append(list, byID[id])
		}
		last[at] = list
		p.turns = append(p.turns, &turn{uuid: p.s.w.ids.uuid(), at: at})
	}
	for _, t := range p.turns {
		t.members = slices.Clone(last[t.at])
	}
	return nil
}

// apply commits; the world's write lock is held.
func (p *importPlan) apply() {
	s := p.s
	s.fields.merge(p.system)
	s.settings.merge(p.config)
	for _, m := range p.members {
		if m.isNew {
			s.members = append(s.members, m.row)
			continue
		}
		m.row.fields.merge(m.fields)
		s.members = toEnd(s.members, m.row)
	}
	for _, g := range p.groups {
		if g.isNew {
			s.groups = append(s.groups, g.row)
			continue
		}
		g.row.fields.merge(g.fields)
		s.groups = toEnd(s.groups, g.row)
	}
	for _, l := range p.links {
		s.link(l.group, l.member)
	}
	s.turns = append(s.turns, p.turns...)
}
