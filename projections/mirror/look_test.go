package mirror

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"switchlog/schemas"
	"switchlog/test/fakepk"
)

// A look at PluralKit's API with a system's token, as a reconciler does it,
// and what it has to tell.
type look struct {
	*pair
	s      *fakepk.System
	asked  time.Time
	events []schemas.Event
	uuids  map[string]string // of members by short id
}

type object map[string]any

// look asks PluralKit for everything and folds the answers.
func (p *pair) look(s *fakepk.System) {
	p.t.Helper()
	p.deliver()
	p.w.Clock.Advance(time.Minute) // whatever was sent came before
	l := &look{pair: p, s: s, asked: p.w.Clock.Now(), uuids: map[string]string{}}
	var system, settings object
	l.get("systems/@me", &system)
	l.observed(schemas.SystemObserved, s.UUID(), system)
	l.get("systems/@me/settings", &settings)
	l.observed(schemas.SettingsObserved, s.UUID(), settings)
	var members, groups []object
	l.get("systems/@me/members", &members)
	l.get("systems/@me/groups?with_members=true", &groups)
	l.absent(schemas.MemberAbsent, "members", l.each(schemas.MemberObserved, "uuid", members))
	for _, m := range members {
		l.uuids[m["id"].(string)] = m["uuid"].(string)
	}
	l.absent(schemas.GroupAbsent, "groups", l.each(schemas.GroupObserved, "uuid", groups))
	l.absent(schemas.SwitchAbsent, "switches", l.each(schemas.SwitchObserved, "id", l.switches()))
	l.guilds(members)
	l.accounts()
	l.messages()
	p.w.Clock.Advance(time.Minute)
	p.fold(l.events...)
}

// get reads an answer, and reports whether there was one.
func (l *look) get(path string, into any) bool {
	l.t.Helper()
	w := send(l.api, http.MethodGet, l.s.Token(), path)
	if w.Code != http.StatusOK {
		return false
	}
	d := json.NewDecoder(w.Body)
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		l.t.Fatalf("%s: %v", path, err)
	}
	return true
}

func (l *look) observed(typ, subject string, o object) {
	l.t.Helper()
	delete(o, "webhook_url")
	delete(o, "system")
	e, err := schemas.NewObserved(typ, l.s.UUID(), subject, l.asked, o)
	if err != nil {
		l.t.Fatal(err)
	}
	l.events = append(l.events, e)
}

// each tells of every object, and gives their ids.
func (l *look) each(typ, id string, objects []object) (ids []string) {
	l.t.Helper()
	for _, o := range objects {
		ids = append(ids, o[id].(string))
		l.observed(typ, o[id].(string), o)
	}
	return ids
}

// absent tells of what is held and was not seen.
func (l *look) absent(typ, table string, seen []string) {
	l.t.Helper()
	key := map[string]string{"accounts": "id", "messages": "id"}[table]
	if key == "" {
		key = "uuid"
	}
	_, rows, _, err := l.db.SQL(l.t.Context(), `SELECT `+key+` FROM `+table+` WHERE system_uuid = '`+l.s.UUID()+`'`, 0)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, row := range rows {
		if slices.Contains(seen, row[0].(string)) {
			continue
		}
		e, err := schemas.NewAbsent(typ, l.s.UUID(), row[0].(string), l.asked, "")
		if err != nil {
			l.t.Fatal(err)
		}
		l.events = append(l.events, e)
	}
}

// switches is all of history and the future, members by uuid.
func (l *look) switches() (all []object) {
	l.t.Helper()
	before, seen := "9999-12-31T23:59:59Z", map[any]bool{}
	for {
		var page []object
		l.get("systems/@me/switches?before="+before, &page)
		fresh := 0
		for _, o := range page {
			us, err := schemas.ParseTime(o["timestamp"].(string))
			if err != nil {
				l.t.Fatal(err)
			}
			before = schemas.FormatTime(time.UnixMicro(us + 1))
			if seen[o["id"]] {
				continue
			}
			fresh++
			seen[o["id"]] = true
			for i, id := range o["members"].([]any) {
				o["members"].([]any)[i] = l.uuids[id.(string)]
			}
			all = append(all, o)
		}
		if fresh == 0 {
			return all
		}
	}
}

func (l *look) guilds(members []object) {
	l.t.Helper()
	for _, id := range []string{guild, otherGuild} {
		var o, a object
		if l.get("systems/@me/guilds/"+id, &o) {
			o["guild_id"] = id
			l.observed(schemas.SystemGuildObserved, l.s.UUID(), o)
		}
		if l.get("systems/@me/autoproxy?guild_id="+id, &a) {
			a["guild_id"], a["channel_id"] = id, nil
			if hid, is := a["autoproxy_member"].(string); is {
				a["autoproxy_member"] = l.uuids[hid]
			}
			l.observed(schemas.AutoproxyObserved, l.s.UUID(), a)
		}
		for _, m := range members {
			var o object
			if uuid := m["uuid"].(string); l.get("members/"+uuid+"/guilds/"+id, &o) {
				o["guild_id"] = id
				l.observed(schemas.MemberGuildObserved, uuid, o)
			}
		}
	}
}

func (l *look) accounts() {
	l.t.Helper()
	var linked []string
	for id := range l.w.Truth(l.s).Accounts {
		linked = append(linked, id)
		l.observed(schemas.AccountObserved, id, object{})
	}
	l.absent(schemas.AccountAbsent, "accounts", linked)
}

func (l *look) messages() {
	l.t.Helper()
	var there []string
	for _, id := range l.column(`SELECT id FROM messages WHERE system_uuid = '` + l.s.UUID() + `'`) {
		var o object
		if l.get("messages/"+id, &o) {
			there = append(there, id)
		}
	}
	l.absent(schemas.MessageAbsent, "messages", there)
}

// column is the first column of a query.
func (p *pair) column(query string) (texts []string) {
	p.t.Helper()
	_, rows, _, err := p.db.SQL(p.t.Context(), query, 0)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, row := range rows {
		texts = append(texts, row[0].(string))
	}
	return texts
}

// paths is every path there is about a system.
func (p *pair) paths(s *fakepk.System) []string {
	p.t.Helper()
	own := []string{"", "/settings", "/members", "/groups", "/groups?with_members=true", "/groups?with_members=False",
		"/switches", "/switches?limit=3", "/switches?limit=1000", "/switches?limit=0", "/fronters",
		"/switches?before=2026-01-01T00:00:00Z", "/guilds/" + guild, "/guilds/" + otherGuild, "/guilds/1",
		"/autoproxy?guild_id=" + guild, "/autoproxy?guild_id=" + otherGuild, "/autoproxy?guild_id=1"}
	truth := p.w.Truth(s)
	for id := range truth.Switches {
		own = append(own, "/switches/"+id)
	}
	var paths []string
	refs := []string{s.UUID(), s.HID(), strings.ToUpper(s.HID())}
	for id := range truth.Accounts {
		refs = append(refs, id)
	}
	for _, ref := range refs {
		for _, path := range own {
			paths = append(paths, "systems/"+ref+path)
		}
	}
	for _, path := range own {
		paths = append(paths, "systems/@me"+path)
	}
	for uuid, m := range truth.Members {
		for _, ref := range []string{uuid, m["id"].(string)} {
			paths = append(paths, "members/"+ref, "members/"+ref+"/groups", "members/"+ref+"/guilds/"+guild,
				"members/"+ref+"/guilds/"+otherGuild, "members/"+ref+"/guilds/1")
		}
	}
	for uuid, g := range truth.Groups {
		for _, ref := range []string{uuid, g["id"].(string)} {
			paths = append(paths, "groups/"+ref, "groups/"+ref+"/members")
		}
	}
	for _, id := range p.column(`SELECT id FROM messages WHERE system_uuid = '` + s.UUID() + `'
		UNION SELECT original FROM messages WHERE seen_us > 0 AND system_uuid = '` + s.UUID() + `'`) {
		paths = append(paths, "messages/"+id)
	}
	slices.Sort(paths)
	return paths
}

// same asks PluralKit and the mirror, and holds one answer against the other.
func (p *pair) same(token, path string) {
	p.t.Helper()
	got, want := canonical(path, ask(p.mirror, token, path)), canonical(path, ask(p.api, token, path))
	if got != want {
		p.t.Errorf("%s\ngot  %s\nwant %s", path, got, want)
	}
}

// canonical puts into one order what PluralKit has in none, and takes off what
// is a secret.
func canonical(path, answer string) string {
	answer = strings.ReplaceAll(answer, `"webhook_url":"https://hooks.example.org/pk"`, `"webhook_url":null`)
	status, body, _ := strings.Cut(answer, " [")
	if body == "" || strings.Contains(path, "/switches") {
		return answer
	}
	var list []json.RawMessage
	if err := json.Unmarshal([]byte("["+body), &list); err != nil {
		return answer
	}
	texts := make([]string, len(list))
	for i, raw := range list {
		texts[i] = sortMembers(string(raw))
	}
	slices.Sort(texts)
	return status + " [" + strings.Join(texts, ",") + "]"
}

// sortMembers sorts the uuids in a group.
func sortMembers(group string) string {
	before, rest, has := strings.Cut(group, `,"members":[`)
	if !has {
		return group
	}
	list, after, _ := strings.Cut(rest, "]")
	uuids := strings.Split(list, ",")
	slices.Sort(uuids)
	return before + `,"members":[` + strings.Join(uuids, ",") + "]" + after
}
