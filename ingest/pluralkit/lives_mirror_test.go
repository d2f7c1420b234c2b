package pluralkit_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"switchlog/projections/mirror"
	"switchlog/schemas"
	"switchlog/test/fakepk"
)

// An answer is all of one that a client reads.
type answer struct {
	status int
	body   string
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

// A twin is PluralKit and the mirror of what we hold, to be asked the same.
// The mirror's answers are compared as they are; where it promises something
// else than PluralKit says, that is made of PluralKit's answer in one place:
// expected.
type twin struct {
	*live
	rng    *rand.Rand
	asked  int
	owners map[string]string // uuids of systems by token
	api    http.Handler
	mirror http.Handler
}

// sameAnswers walks every path there is about some systems, and gives how often
// it asked. Each thing is asked for by one of its refs, which rng chooses; by
// everyone, the owner, another and anybody, or by one of them whom rng chooses.
func (l *live) sameAnswers(rng *rand.Rand, everyone bool, subjects ...*subject) int {
	l.t.Helper()
	owners := map[string]string{}
	for _, s := range subjects {
		owners[s.Token()] = s.UUID()
	}
	t := &twin{live: l, rng: rng, owners: owners, api: fakepk.NewAPI(l.t, l.world, fakepk.APIConfig{Unlimited: true})}
	t.mirror = mirror.NewHandler(mirror.Config{Store: l.db, Now: time.Now,
		Authorize: func(token string) (mirror.Reader, bool) {
			uuid, known := owners[token]
			return mirror.Reader{Tenant: uuid}, known
		}})
	for i, s := range subjects {
		v := t.view(s)
		readers := []string{s.Token(), "", "nobody's"}
		if len(subjects) > 1 {
			readers[2] = subjects[(i+1)%len(subjects)].Token()
		}
		for _, path := range v.paths() {
			for _, token := range v.some(everyone, readers) {
				v.compare(token, path)
			}
		}
	}
	return t.asked
}

func ask(h http.Handler, token, path string) answer {
	r := httptest.NewRequest(http.MethodGet, "/v2/"+path, nil)
	r.Header.Set("User-Agent", "lives/1")
	r.Header.Set("Authorization", token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return answer{w.Code, w.Body.String()}
}

// A view is one system and what can be known of it.
type view struct {
	*twin
	s        *subject
	truth    fakepk.State
	made     map[string]int  // place in the order in which they were made: of members and groups, by short id
	told     map[string]bool // ids of messages that a webhook told of
	gone     []string        // paths of what was there, and perhaps still is
	guilds   []string        // servers that something has told of
	accounts []string        // and accounts
}

func (t *twin) view(s *subject) *view {
	t.t.Helper()
	held, switches := s.held(t.db)
	v := &view{twin: t, s: s, truth: t.world.Truth(s.System), made: map[string]int{}, told: map[string]bool{}, guilds: held.Guilds}
	for _, list := range [][]schemas.HeldEntity{held.SystemGuilds, held.MemberGuilds, held.Autoproxy} {
		for _, h := range list {
			v.guilds = append(v.guilds, h.Guild)
		}
	}
	for _, h := range held.Accounts {
		v.accounts = append(v.accounts, h.ID)
	}
	for _, h := range held.Members {
		v.gone = append(v.gone, "members/"+h.ID, "members/"+h.ID+"/groups")
	}
	for _, h := range held.Groups {
		v.gone = append(v.gone, "groups/"+h.ID)
	}
	for _, w := range switches {
		v.gone = append(v.gone, "systems/"+s.UUID()+"/switches/"+w.ID)
	}
	for _, e := range t.log {
		if e.Type == schemas.PKMessageCreate && e.Source == schemas.PluralKitSystemURL+s.UUID() {
			v.told[e.Subject] = true
			v.gone = append(v.gone, "messages/"+e.Subject)
		}
	}
	var list []fakepk.Fields
	for _, m := range v.truth.Members {
		list = append(list, m)
	}
	for _, g := range v.truth.Groups {
		list = append(list, g)
	}
	slices.SortFunc(list, func(a, b fakepk.Fields) int {
		return cmp.Or(v.instant(a["created"].(string)).Compare(v.instant(b["created"].(string))),
			cmp.Compare(a["uuid"].(string), b["uuid"].(string)))
	})
	for i, f := range list {
		v.made[f["id"].(string)] = i
	}
	return v
}

func (v *view) instant(text string) time.Time {
	v.t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		v.t.Fatal(err)
	}
	return at
}

// ref is one of some names for the same.
func (v *view) ref(names ...string) string { return names[v.rng.IntN(len(names))] }

// some is everyone, or one of them.
func (v *view) some(everyone bool, readers []string) []string {
	if everyone {
		return readers
	}
	return []string{v.ref(readers...)}
}

// paths is every path there is about the system, and some that are not.
func (v *view) paths() (paths []string) {
	own := []string{"", "/settings", "/members", "/groups", "/groups?with_members=true",
		"/switches", "/switches?limit=3", "/switches?limit=0", "/fronters", "/autoproxy",
		"/switches/00000000-0000-4000-8000-000000000000"}
	for _, guild := range append(guilds(), "1") {
		own = append(own, "/guilds/"+guild, "/autoproxy?guild_id="+guild)
	}
	for id, w := range v.truth.Switches {
		own = append(own, "/switches/"+id, "/switches?limit=2&before="+w.Timestamp)
	}
	hid := v.truth.System["id"].(string)
	for _, path := range own {
		paths = append(paths, "systems/"+v.ref("@me", v.s.UUID(), hid, strings.ToUpper(hid), hid[:3]+"-"+hid[3:])+path)
	}
	for id := range v.truth.Accounts {
		paths = append(paths, "systems/"+id)
	}
	paths = append(paths, "systems/@me")
	for uuid, m := range v.truth.Members {
		ref := v.ref(uuid, m["id"].(string))
		paths = append(paths, "members/"+ref, "members/"+ref+"/groups")
		for _, guild := range guilds() {
			paths = append(paths, "members/"+ref+"/guilds/"+guild)
		}
	}
	for uuid, g := range v.truth.Groups {
		ref := v.ref(uuid, g["id"].(string))
		paths = append(paths, "groups/"+ref, "groups/"+ref+"/members")
	}
	for id, m := range v.truth.Messages {
		paths = append(paths, "messages/"+id, "messages/"+m.Original)
	}
	paths = append(paths, v.gone...)
	slices.Sort(paths)
	return slices.Compact(paths)
}

func guilds() []string { return []string{"1150000000000000001", "1150000000000000011"} }

// compare asks both, and holds what the mirror said against what it promises.
func (v *view) compare(token, path string) {
	v.t.Helper()
	if owns := v.owners[token]; owns != "" && owns != v.s.UUID() && path != "systems/@me" {
		path = strings.Replace(path, "@me", v.s.UUID(), 1) // theirs is another system
	}
	v.asked++
	got, want := ask(v.mirror, token, path), v.expected(token, path)
	if slices.Contains(want, got) {
		return
	}
	v.t.Errorf("as %q: %s\ngot  %v\nwant %v", token, path, got, want)
}

// expected is PluralKit's answer, but for these, which are all there are:
//
//   - webhook_url is null: it is a secret and not kept.
//   - What PluralKit has in no order is in the one that the mirror promises.
//   - PluralKit makes rows of defaults in a server when it looks, and tells
//     nobody: then it may also be 404.
//   - A server or account that nothing has told of cannot be asked for.
//   - Messages cannot be listed, and PluralKit deletes them in silence: one
//     whose webhook was lost is not there.
func (v *view) expected(token, path string) []answer {
	v.t.Helper()
	want := ask(v.api, token, path)
	want.body = strings.ReplaceAll(want.body, `"webhook_url":"`+hook+`"`, `"webhook_url":null`)
	parts := strings.Split(path, "/")
	what, _, _ := strings.Cut(parts[len(parts)-1], "?")
	switch {
	case parts[0] == "messages" && want.status == http.StatusNotFound && v.told[parts[1]]:
		return []answer{ask(v.mirror, token, path)} // deleted in silence
	case want.status != http.StatusOK:
		return []answer{want}
	case parts[0] == "messages":
		return []answer{v.message(token, want)}
	case len(parts) == 2 && slices.Contains([]string{"members", "groups"}, parts[0]):
	case what == "members", what == "groups":
		want.body = v.inOrder(want.body)
	case what == "switches":
		want.body = v.page(token, path, want.body)
	case what == "fronters":
		return []answer{v.front(token, parts[1])}
	case len(parts) == 4 && parts[2] == "guilds":
		return v.inGuild(token, parts, want)
	case what == "autoproxy":
		_, guild, _ := strings.Cut(path, "=")
		if !slices.Contains(v.guilds, guild) {
			want = ask(v.api, token, parts[0]+"/"+parts[1]+"/autoproxy?guild_id=1")
		}
	case len(parts) == 2 && v.unheard(parts[1]):
		want = ask(v.api, token, "systems/1")
	}
	return []answer{want}
}

// unheard reports whether a ref is an account that nothing has told of.
func (v *view) unheard(ref string) bool {
	_, linked := v.truth.Accounts[ref]
	return linked && !slices.Contains(v.accounts, ref)
}

// message is not there unless a webhook told of it.
func (v *view) message(token string, want answer) answer {
	v.t.Helper()
	var m struct{ ID string }
	v.read(want.body, &m)
	if v.told[m.ID] {
		return want
	}
	return ask(v.api, token, "messages/1")
}

func (v *view) read(body string, into any) {
	v.t.Helper()
	if err := json.Unmarshal([]byte(body), into); err != nil {
		v.t.Fatalf("%v: %s", err, body)
	}
}

// inOrder has members or groups as they were made, and the uuids in a group in
// their own order.
func (v *view) inOrder(body string) string {
	v.t.Helper()
	type entity struct {
		ID      string
		Members []string
		raw     string
	}
	var raws []json.RawMessage
	v.read(body, &raws)
	list := make([]entity, len(raws))
	for i, raw := range raws {
		v.read(string(raw), &list[i])
		list[i].raw = string(raw)
		if before, rest, has := strings.Cut(list[i].raw, `,"members":[`); has {
			_, after, _ := strings.Cut(rest, "]")
			slices.Sort(list[i].Members)
			list[i].raw = before + `,"members":` + quoted(list[i].Members) + after
		}
	}
	slices.SortFunc(list, func(a, b entity) int { return cmp.Compare(v.made[a.ID], v.made[b.ID]) })
	raw := make([]string, len(list))
	for i, e := range list {
		raw[i] = e.raw
	}
	return "[" + strings.Join(raw, ",") + "]"
}

// quoted is a JSON list of uuids.
func quoted(uuids []string) string {
	if len(uuids) == 0 {
		return "[]"
	}
	return `["` + strings.Join(uuids, `","`) + `"]`
}

// A turn is a switch in a page.
type turn struct {
	ID, Timestamp string
	raw           string
}

// page is a page of switches; of those with one timestamp the one with the
// greater uuid is first, so the page is cut out of all of history.
func (v *view) page(token, path, body string) string {
	v.t.Helper()
	var n []json.RawMessage
	v.read(body, &n)
	all, _, _ := strings.Cut(path, "limit=")
	if _, rest, has := strings.Cut(path, "before="); has {
		all = strings.TrimSuffix(all, "?") + "?before=" + rest
	}
	var raws []json.RawMessage
	v.read(ask(v.api, token, strings.TrimSuffix(all, "?")).body, &raws)
	if len(raws) == 100 {
		v.t.Fatalf("%s has more history than is compared", path)
	}
	list := make([]turn, len(raws))
	for i, raw := range raws {
		v.read(string(raw), &list[i])
		list[i].raw = string(raw)
	}
	slices.SortStableFunc(list, func(a, b turn) int {
		return cmp.Or(v.instant(b.Timestamp).Compare(v.instant(a.Timestamp)), cmp.Compare(b.ID, a.ID))
	})
	texts := make([]string, len(n))
	for i := range n {
		texts[i] = list[i].raw
	}
	return "[" + strings.Join(texts, ",") + "]"
}

// front is the latest switch, the one with the greater uuid if two are.
// PluralKit shows the members of a front alike wherever it shows them, except
// that the history may be hidden when the front is not.
func (v *view) front(token, ref string) answer {
	v.t.Helper()
	want := ask(v.api, token, "systems/"+ref+"/fronters")
	ids := v.truth.Front()
	if len(ids) == 1 {
		return want
	}
	return ask(v.api, token, "systems/"+ref+"/switches/"+ids[len(ids)-1])
}

// inGuild is what is set in a server.
func (v *view) inGuild(token string, parts []string, want answer) []answer {
	v.t.Helper()
	nothing := ask(v.api, token, strings.Join(parts[:3], "/")+"/1")
	var set fakepk.Fields
	v.read(want.body, &set)
	if parts[0] == "members" {
		_, isSet := v.truth.MemberGuilds[v.member(parts[1])][parts[3]]
		return known(slices.Contains(v.guilds, parts[3]), isSet, want, nothing)
	}
	_, isSet := v.truth.Guilds[parts[3]]
	return known(slices.Contains(v.guilds, parts[3]), isSet, want, nothing)
}

// member is the uuid of a member that a ref means.
func (v *view) member(ref string) string {
	for uuid, m := range v.truth.Members {
		if ref == m["id"] {
			return uuid
		}
	}
	return ref
}

func known(told, isSet bool, want, nothing answer) []answer {
	switch {
	case !told:
		return []answer{nothing}
	case !isSet:
		return []answer{want, nothing}
	}
	return []answer{want}
}
