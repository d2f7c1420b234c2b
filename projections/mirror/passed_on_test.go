package mirror

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"switchlog/schemas"
	"switchlog/test/fakepk"
)

// TestPassedOnAsShown: a webhook that may not have what is private is given of
// each thing what the mirror shows a stranger, and nothing of what it leaves
// out of lists. One that may is given all.
func TestPassedOnAsShown(t *testing.T) {
	p := newPair(t)
	s := p.everything()
	p.guarded(s)
	check := func(systemOpen bool) {
		t.Helper()
		p.look(s)
		in := "systems/" + s.UUID()
		p.passedOn(s, schemas.SystemChanged, "system", p.object(operator, in), p.object("", in))
		if !systemOpen {
			return // its lists are closed: nothing to compare with
		}
		p.passedOn(s, schemas.SettingsChanged, "settings", p.object(operator, in+"/settings"), p.object("", in+"/settings"))
		for _, kind := range []struct{ typ, noun, path string }{
			{schemas.MemberChanged, "member", in + "/members"},
			{schemas.GroupChanged, "group", in + "/groups?with_members=true"},
		} {
			all, shown := p.objects(operator, kind.path), p.objects("", kind.path)
			if len(all) < 3 || len(shown) == 0 || len(shown) == len(all) {
				t.Fatalf("%s: %d of %d are shown, want some", kind.noun, len(shown), len(all))
			}
			for uuid, owners := range all {
				p.passedOn(s, kind.typ, kind.noun, owners, shown[uuid])
			}
		}
		p.passedOnFront(s)
	}
	check(true)
	private := fakepk.Fields{}
	for _, key := range systemShape.privacy {
		private[key] = "private"
	}
	p.w.Must(s.Edit(fakepk.Fields{"privacy": private}))
	check(false)
}

// guarded gives the system members who are in lists, with all but that private.
func (p *pair) guarded(s *fakepk.System) {
	p.t.Helper()
	for _, shown := range []any{nil, "Shown"} {
		levels := fakepk.Fields{}
		for _, key := range memberShape.privacy[1:] {
			levels[key] = "private"
		}
		uuid, err := s.CreateMember("Guarded", nil)
		p.w.Must(err)
		p.w.Must(s.EditMember(uuid, fakepk.Fields{"display_name": shown, "privacy": levels, "birthday": "0004-02-29", "color": "aabbcc",
			"description": "hidden", "pronouns": "it/its", "avatar_url": "https://example.org/a.png", "banner": "https://example.org/b.png",
			"webhook_avatar_url": "https://example.org/w.png", "proxy_tags": []fakepk.ProxyTag{fakepk.Tag("g:", "")}}))
		_, err = s.Proxy(fakepk.Message{Member: uuid})
		p.w.Must(err)
	}
}

type anyObject = map[string]json.RawMessage

func (p *pair) object(token, path string) anyObject {
	p.t.Helper()
	return parsed[anyObject](p.t, p.get(token, path))
}

func (p *pair) objects(token, path string) map[string]anyObject {
	p.t.Helper()
	of := map[string]anyObject{}
	for _, o := range parsed[[]anyObject](p.t, p.get(token, path)) {
		of[parsed[string](p.t, o["uuid"])] = o
	}
	return of
}

func (p *pair) get(token, path string) []byte {
	p.t.Helper()
	w := send(p.mirror, "GET", token, path)
	if w.Code != 200 {
		p.t.Fatalf("%s: got %d %s, want 200", path, w.Code, w.Body)
	}
	return w.Body.Bytes()
}

func parsed[T any](t testing.TB, b []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return v
}

func encoded(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// seen is the after of a change from nothing to an object, as a webhook is given
// it; empty if it is given nothing.
func (p *pair) seen(s *fakepk.System, typ, noun string, owner bool, after any) string {
	p.t.Helper()
	change, err := schemas.NewChange(typ, noun, "x", schemas.Recorded{Event: schemas.Event{ID: "cause", Time: p.w.Clock.Now(),
		Route: schemas.Route{Source: schemas.PluralKit, Tenant: s.UUID()}}}, nil, json.RawMessage(encoded(p.t, after)))
	if err != nil {
		p.t.Fatal(err)
	}
	matches, err := p.db.Matcher(schemas.Subscription{ID: "w", Events: []string{noun + ".changed"}, OwnerOnly: owner})
	if err != nil {
		p.t.Fatal(err)
	}
	shown, some, err := matches(p.t.Context(), change)
	if err != nil {
		p.t.Fatal(err)
	}
	if !some {
		return ""
	}
	return encoded(p.t, parsed[any](p.t, parsed[schemas.Change](p.t, shown.Data).After))
}

// passedOn holds what is given of an object, that the owner is shown so, against
// what others are shown; nil: it is hidden from them.
func (p *pair) passedOn(s *fakepk.System, typ, noun string, owners, others anyObject) {
	p.t.Helper()
	owners, others = maps.Clone(owners), maps.Clone(others)
	for _, not := range []string{"system", "webhook_url"} { // no part of a change
		delete(owners, not)
		delete(others, not)
	}
	want := ""
	if others != nil {
		want = encoded(p.t, parsed[any](p.t, []byte(encoded(p.t, others))))
	}
	if got := p.seen(s, typ, noun, false, owners); got != want {
		p.t.Errorf("%s %s:\n got %s\nwant %s", noun, owners["uuid"], got, want)
	}
	want = encoded(p.t, parsed[any](p.t, []byte(encoded(p.t, owners))))
	if got := p.seen(s, typ, noun, true, owners); got != want {
		p.t.Errorf("%s %s, to its owner:\n got %s\nwant %s", noun, owners["uuid"], got, want)
	}
}

// passedOnFront does the same of who fronts.
func (p *pair) passedOnFront(s *fakepk.System) {
	p.t.Helper()
	front := func(token string) string {
		f := schemas.Front{System: s.UUID(), Switch: "x"}
		f.Members = parsed[struct{ Members []schemas.Fronter }](p.t, p.get(token, "systems/"+s.UUID()+"/fronters")).Members
		return encoded(p.t, parsed[any](p.t, []byte(encoded(p.t, f))))
	}
	owners, want := front(operator), front("")
	if owners == want || len(parsed[schemas.Front](p.t, []byte(want)).Members) < 3 {
		p.t.Fatalf("nothing private in the front %s", owners)
	}
	if got := p.seen(s, schemas.FrontChanged, "front", false, json.RawMessage(owners)); got != want {
		p.t.Errorf("front:\n got %s\nwant %s", got, want)
	}
	if got := p.seen(s, schemas.FrontChanged, "front", true, json.RawMessage(owners)); got != owners {
		p.t.Errorf("front, to its owner:\n got %s\nwant %s", got, owners)
	}
	var stranger schemas.Front
	stranger.Members = []schemas.Fronter{{UUID: "nobody-knows", Name: new(string), Pronouns: new(string)}}
	got := p.seen(s, schemas.FrontChanged, "front", false, stranger)
	if m := parsed[schemas.Front](p.t, []byte(got)).Members; len(m) != 1 || m[0].Name == nil || *m[0].Name != "nobody-knows" || m[0].Pronouns != nil {
		p.t.Errorf("of a member nobody knows: got %s, want its uuid alone", got)
	}
}

// TestPrivateChangesAreNone: what changes only of what is hidden is not passed
// on at all; what becomes hidden goes, and what becomes visible comes.
func TestPrivateChangesAreNone(t *testing.T) {
	p := newPair(t)
	s := p.system(account, fakepk.Fields{"name": "Harbour House"})
	sub := schemas.Subscription{ID: "w", Provider: schemas.ProviderStandard, Events: []string{"member.changed"}, Enabled: true}
	p.fold(schemas.Event{ID: "sub", Source: schemas.SelfURI, Type: schemas.SubscriptionCreated, Subject: "w",
		Data: json.RawMessage(encoded(t, sub)), Route: schemas.RegistryRoute("subscription", "created")})
	p.w.Must(s.Edit(fakepk.Fields{"privacy": fakepk.Fields{"member_list_privacy": "public"}}))
	m, err := s.CreateMember("Ann", nil)
	p.w.Must(err)
	var got []string
	step := func(f fakepk.Fields) {
		t.Helper()
		if f != nil {
			p.w.Must(s.EditMember(m, f))
		}
		p.deliver()
		rows, total, err := p.db.Deliveries(t.Context(), "w", 100, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range slices.Backward(rows[:total-len(got)]) {
			c := parsed[struct{ Data schemas.Change }](t, r.Payload).Data
			got = append(got, kindOf(c.Before)+kindOf(c.After))
		}
	}
	step(nil)
	for _, f := range []fakepk.Fields{
		{"privacy": fakepk.Fields{"description_privacy": "private"}},
		{"description": "nobody's business"},
		{"name": "Anna"},
		{"privacy": fakepk.Fields{"visibility": "private"}},
		{"name": "Hannah"},
		{"privacy": fakepk.Fields{"visibility": "public"}},
	} {
		step(f)
	}
	if want := []string{"-+", "++", "+-", "-+"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v: made, renamed, hidden, shown", got, want)
	}
}

func kindOf(object json.RawMessage) string {
	if string(object) == "null" {
		return "-"
	}
	return "+"
}
