package ui

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// perPage is how many members a page of the list has.
const perPage = 100

// membersData is a page of the list.
type membersData struct {
	Query   string
	Members []person
	IDs     map[string]string // short ids by uuid
	Found   int
	All     int
	Pages   []link
}

// membersPage lists the members, or those that a search finds.
func (h *Handler) membersPage(v *visit) error {
	system, err := h.choose(v, "members", v.view.Words.Title())
	if err != nil {
		return err
	}
	all, err := h.members(v.r.Context(), system)
	if err != nil {
		return err
	}
	q := v.r.URL.Query()
	d := membersData{Query: strings.TrimSpace(q.Get("q")), All: len(all), IDs: map[string]string{}}
	found := slices.DeleteFunc(all, func(m member) bool { return !m.matches(d.Query) })
	d.Found = len(found)
	page := 1
	if text := q.Get("page"); text != "" {
		if page, err = strconv.Atoi(text); err != nil || page < 1 {
			return badRequest("A page is a number from 1 on.")
		}
	}
	pages := (len(found) + perPage - 1) / perPage
	for i := 1; i <= pages && pages > 1; i++ {
		to := fmt.Sprintf("%s/members?page=%d", v.view.Base, i)
		if d.Query != "" {
			to += "&q=" + url.QueryEscape(d.Query)
		}
		d.Pages = append(d.Pages, link{Text: strconv.Itoa(i), To: to, Here: i == page})
	}
	begin := min((page-1)*perPage, len(found))
	for _, m := range found[begin:min(begin+perPage, len(found))] {
		d.Members = append(d.Members, v.view.person(m))
		d.IDs[m.UUID] = m.ID
	}
	h.render(v, 200, "members", d)
	return nil
}

// matches reports whether a search finds the member, in names, pronouns or id.
func (m member) matches(query string) bool {
	query = strings.ToLower(query)
	for _, text := range []string{m.Name, m.DisplayName, m.Pronouns, m.ID} {
		if strings.Contains(strings.ToLower(text), query) {
			return true
		}
	}
	return query == ""
}

// memberData is one member's page.
type memberData struct {
	Person  person
	Member  member
	Created moment
	Groups  []link
	Fronts  []frontTime
	More    bool // there may be older fronts than were read
	Hidden  bool // discreet mode: no more than initials and times
}

// frontTime is a run of a member through consecutive switches.
type frontTime struct {
	From, To moment // To is empty while it goes on
	For      string
}

// maxRun is how many switches back a member's fronts are looked for.
const maxRun = 1000

// maxFronts is how many runs a member's page has.
const maxFronts = 30

func (h *Handler) memberPage(v *visit) error {
	system, err := h.choose(v, "members", v.view.Words.Title())
	if err != nil {
		return err
	}
	var m member
	if err := h.ask(v.r.Context(), system, "member", map[string]string{"ref": v.r.PathValue("ref")}, &m); err != nil {
		return err
	}
	groups, err := h.groups(v.r.Context(), system)
	if err != nil {
		return err
	}
	d := memberData{Member: m, Person: v.view.person(m), Hidden: v.view.Discreet}
	d.Person.Link = ""
	for _, g := range groups {
		if slices.Contains(g.Members, m.UUID) {
			d.Groups = append(d.Groups, v.view.groupLink(g))
		}
	}
	if created, err := time.Parse(time.RFC3339Nano, m.Created); err == nil {
		d.Created = v.view.At(created)
	}
	switches, err := h.timeline(v.r.Context(), system, time.Time{}, v.view.Now, maxRun)
	if err != nil {
		return err
	}
	d.Fronts = v.view.fronts(switches, m.UUID)
	d.More = len(switches) == maxRun || len(d.Fronts) > maxFronts
	d.Fronts = d.Fronts[:min(len(d.Fronts), maxFronts)]
	v.view.Title = d.Person.Name
	h.render(v, 200, "member", d)
	return nil
}

// fronts are the runs of a member in the switches, which are newest first.
func (v *view) fronts(switches []stretch, uuid string) []frontTime {
	var all []frontTime
	var begin, end time.Time
	running := false
	flush := func() {
		if !running {
			return
		}
		f := frontTime{From: v.At(begin), For: span(v.Now.Sub(begin))}
		if !end.IsZero() {
			f.To, f.For = v.At(end), span(end.Sub(begin))
		}
		all, running = append(all, f), false
	}
	for _, s := range switches {
		if !s.Ended.IsZero() && s.Ended.Equal(s.Started) {
			continue
		}
		if !slices.ContainsFunc(s.Members, func(m member) bool { return m.UUID == uuid }) {
			flush()
			continue
		}
		if !running {
			end, running = s.Ended, true
		}
		begin = s.Started
	}
	flush()
	return all
}

// groupRow is a group in the list.
type groupRow struct {
	Link  link
	Count int
}

func (v *view) groupName(g group) string {
	name := g.DisplayName
	if name == "" {
		name = g.Name
	}
	if v.Discreet {
		return initials(name)
	}
	return visible(name)
}

func (v *view) groupLink(g group) link {
	return link{Text: v.groupName(g), To: v.Base + "/groups/" + g.UUID}
}

func (h *Handler) groupsPage(v *visit) error {
	system, err := h.choose(v, "groups", "Groups")
	if err != nil {
		return err
	}
	groups, err := h.groups(v.r.Context(), system)
	if err != nil {
		return err
	}
	var rows []groupRow
	for _, g := range groups {
		rows = append(rows, groupRow{v.view.groupLink(g), len(g.Members)})
	}
	h.render(v, 200, "groups", rows)
	return nil
}

// groupData is one group's page.
type groupData struct {
	Name        string
	ID          string
	Description string
	Members     []person
}

func (h *Handler) groupPage(v *visit) error {
	system, err := h.choose(v, "groups", "Groups")
	if err != nil {
		return err
	}
	var g group
	if err := h.ask(v.r.Context(), system, "group", map[string]string{"ref": v.r.PathValue("ref")}, &g); err != nil {
		return err
	}
	members, err := h.members(v.r.Context(), system)
	if err != nil {
		return err
	}
	d := groupData{Name: v.view.groupName(g), ID: g.ID, Description: g.Description}
	if v.view.Discreet {
		d.Description = ""
	}
	for _, m := range members {
		if slices.Contains(g.Members, m.UUID) {
			d.Members = append(d.Members, v.view.person(m))
		}
	}
	v.view.Title = d.Name
	h.render(v, 200, "group", d)
	return nil
}
