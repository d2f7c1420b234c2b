package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"switchlog/projections/engine"
	"switchlog/schemas"
	"switchlog/test/fakepk"
)

const nobodys = "0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1" // a uuid that nothing has

// TestRefusals: every refusal of PluralKit's, in its words and to the byte.
func TestRefusals(t *testing.T) {
	p := newPair(t)
	s, stranger := p.everything(), p.system(otherAccount, nil)
	p.look(s)
	p.look(stranger)
	member := p.column(`SELECT uuid FROM members WHERE deleted_us IS NULL`)[0]
	gone := p.column(`SELECT uuid FROM members WHERE deleted_us > 0`)[0]
	turn := p.column(`SELECT uuid FROM switches`)[0]
	for _, path := range []string{
		"systems/zzzzz", "systems/zzz-zz", "systems/" + nobodys, "systems/1", "systems/x", "systems/é23456", "systems/@you",
		"members/zzzzz", "members/" + nobodys, "members/" + gone, "members/1", "members/@me", "groups/zzzzz", "groups/" + member,
		"messages/1", "messages/x", "messages/99999999999999999999999999", "messages/-1",
		"nothing", "", "systems", "systems/", "systems/@me/", "systems/@me/nothing", "systems//members", "systems/@me/members/x",
		"systems/pe--duep", "systems/123-45", "members/z-zzzz", "members/-----", "members/abcdefgh", "systems/{" + s.UUID() + "}", "systems/{" + s.UUID(),
		"members/" + strings.ReplaceAll(member, "-", ""), "systems/@me/switches/" + strings.ReplaceAll(turn, "-", ""), "members/" + member[:35],
		"systems/%40me", "systems/%2540me", "members/" + member + "/", "members/" + member + "/guilds", "%2F",
		"systems/@me/switches/nonsense", "systems/@me/switches/" + nobodys, "systems/@me/switches/" + turn,
		"systems/" + s.HID() + "/switches/" + strings.ToUpper(turn), "systems/" + s.HID() + "/switches/x",
		"systems/@me/switches?limit=0", "systems/@me/switches?limit=-1", "systems/@me/switches?limit=x", "systems/@me/switches?limit=",
		"systems/@me/switches?limit=3&limit=x", "systems/@me/switches?limit=3.0",
		"systems/@me/switches?before=2025-11-28T17:01:45Z", "systems/@me/switches?before=2025-11-28", "systems/@me/switches?before=",
		"systems/@me/switches?before=2025-11-28T12:30:00.123456789Z", "systems/@me/switches?before=2025-11-28T12:30:00.1234567891Z",
		"systems/@me/switches?before=2025-11-28T18:01:45%2B01:00", "systems/@me/switches?before=2025-11-28T18:01:45+01:00",
		"systems/@me/switches?before=2025-13-28T18:01:45Z", "systems/@me/switches?before=2025-11-28t18:01:45z",
		"systems/@me/groups?with_members=1", "systems/@me/groups?with_members=", "systems/@me/groups?with_members=TRUE",
		"systems/" + s.HID() + "/guilds/" + guild, "systems/@me/guilds/x", "systems/@me/guilds/0",
		"members/" + member + "/guilds/" + guild, "members/" + member + "/guilds/x", "members/zzzzz/guilds/1",
		"systems/@me/autoproxy", "systems/@me/autoproxy?guild_id=1&channel_id=2", "systems/@me/autoproxy?guild_id=x",
		"systems/" + s.HID() + "/autoproxy?guild_id=1", "systems/" + s.HID() + "/autoproxy",
	} {
		for _, token := range []string{s.Token(), stranger.Token(), "", "nobody's"} {
			p.same(token, path)
		}
	}
}

// TestWords: each refusal has PluralKit's words and status. The list is the fake's
// own, from PluralKit.
func TestWords(t *testing.T) {
	for _, r := range []*refusal{
		errNoSystem, errNoMember, errNoGroup, errNoMessage, errNoSwitch, errSwitchHidden, errNoSystemGuild, errNoMemberGuild,
		errMembersHidden, errGroupsHidden, errGroupMembersHidden, errFrontersHidden, errHistoryHidden, errMemberNotYours, errUnimplemented,
	} {
		if want := fakepk.Words(r.code); r.message != want || want == "" {
			t.Errorf("%d: got %q, want %q", r.code, r.message, want)
		}
		if want := map[int]int{2: 404, 3: 403, 5: 501}[r.code/10000]; r.status != want {
			t.Errorf("%d: got status %d, want %d", r.code, r.status, want)
		}
	}
}

// TestRefs: one system and one member, by all their names.
func TestRefs(t *testing.T) {
	p := newPair(t)
	s := p.everything()
	p.look(s)
	hid := s.HID()
	m := p.column(`SELECT id FROM members WHERE deleted_us IS NULL ORDER BY created_us`)[0]
	uuid := p.column(`SELECT uuid FROM members WHERE id = '` + m + `'`)[0]
	for want, refs := range map[string][]string{
		"systems/" + s.UUID(): {hid, strings.ToUpper(hid), hid[:3] + "-" + hid[3:], hid[:2] + "-" + hid[2:], "-" + hid, hid + "-", strings.ToUpper(s.UUID()),
			strings.ReplaceAll(s.UUID(), "-", ""), "{" + s.UUID() + "}", account, "1150000000000000009", "@me"},
		"members/" + uuid: {m, strings.ToUpper(m), m[:3] + "-" + m[3:], m[:1] + "-" + m[1:], m[:4] + "-" + strings.ToUpper(m[4:]), strings.ToUpper(uuid), strings.ReplaceAll(uuid, "-", "")},
	} {
		kind, _, _ := strings.Cut(want, "/")
		for _, ref := range refs {
			if got, want := ask(p.mirror, s.Token(), kind+"/"+ref), ask(p.mirror, s.Token(), want); got != want || got[:2] != "OK" {
				t.Errorf("%s/%s\ngot  %s\nwant %s", kind, ref, got, want)
			}
			p.same(s.Token(), kind+"/"+ref)
		}
	}
	// However the token comes.
	for _, authorization := range []string{"Bearer " + s.Token(), "bearer  " + s.Token() + " ", " " + s.Token(), operator} {
		if got, want := ask(p.mirror, authorization, "systems/@me"), ask(p.mirror, s.Token(), "systems/@me"); got != want {
			t.Errorf("%.10s…\ngot  %s\nwant %s", authorization, got, want)
		}
	}
	for _, authorization := range []string{"", "Bearer", "Bearer ", "Basic " + s.Token(), s.Token() + "x"} {
		if got := ask(p.mirror, authorization, "systems/@me"); !strings.HasPrefix(got, "Unauthorized") {
			t.Errorf("%.10s…: got %s, want 401", authorization, got)
		}
	}
	// A short id that another system's member has had lately is not taken from its owner.
	other := p.system(otherAccount, nil)
	stolen, err := other.CreateMember("Thief", nil)
	p.w.Must(err)
	p.deliver()
	p.fold(schemas.Event{ID: schemas.NewID(), Source: schemas.PluralKitSystemURL + other.UUID(), Type: schemas.PKMemberUpdate,
		Subject: stolen, Data: json.RawMessage(`{"id":"` + m + `"}`), Route: schemas.PluralKitRoute(schemas.PKMemberUpdate, other.UUID())})
	if got := ask(p.mirror, s.Token(), "members/"+m); !strings.Contains(got, uuid) {
		t.Errorf("got %s, want the owner's own", got)
	}
	if got := ask(p.mirror, "", "members/"+m); !strings.Contains(got, uuid) {
		t.Errorf("got %s, want the one that PluralKit's API has confirmed", got)
	}
	if got := ask(p.mirror, operator, "systems/@me"); !strings.HasPrefix(got, "Unauthorized") {
		t.Errorf("got %s, want no @me among two systems", got)
	}
}

// TestClosedByDefault: before PluralKit has said or implied what is public, others
// see nothing that a setting could hide. The events that made the member and the
// group are late: they imply that both are public.
func TestClosedByDefault(t *testing.T) {
	p := newPair(t)
	s := p.system(account, fakepk.Fields{"name": "Harbour House", "description": "secret"})
	m, err := s.CreateMember("Alder", nil) // which makes it public at PluralKit
	p.w.Must(err)
	p.w.Must(s.EditMember(m, fakepk.Fields{"pronouns": "she/her", "description": "secret", "color": "ffffff"}))
	g, err := s.CreateGroup("Gardeners")
	p.w.Must(err)
	turn, err := s.Switch(m)
	p.w.Must(err)
	p.w.Must(s.Edit(fakepk.Fields{"name": "Harbour", "pronouns": "they/them", "tag": "| H"}))
	late := p.deliverAllBut("CREATE_MEMBER", "CREATE_GROUP")
	p.w.Must(s.EditMember(m, fakepk.Fields{"name": "Alder"}))
	p.w.Must(s.EditGroup(g, fakepk.Fields{"name": "Gardeners"}))
	p.deliver()
	p.w.Clock.Advance(time.Hour)
	uuid := s.UUID()
	check := func(token, path, want string) {
		t.Helper()
		if got := ask(p.mirror, token, path); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", path, got, want)
		}
	}
	for path, want := range map[string]string{
		"systems/" + uuid:                           `OK {"id":"` + uuid + `","uuid":"` + uuid + `","name":null,"description":null,"tag":"| H","pronouns":null,"avatar_url":null,"banner":null,"color":null,"created":null,"privacy":null}`,
		"systems/" + uuid + "/members":              `Forbidden {"message":"Unauthorized to view member list","code":30001}`,
		"systems/" + uuid + "/groups":               `Forbidden {"message":"Unauthorized to view group list","code":30002}`,
		"systems/" + uuid + "/fronters":             `Forbidden {"message":"Unauthorized to view current fronters.","code":30004}`,
		"systems/" + uuid + "/switches":             `Forbidden {"message":"Unauthorized to view front history.","code":30005}`,
		"systems/" + uuid + "/switches/" + turn:     "Not Found " + string(errSwitchHidden.body()),
		"members/" + m + "/groups":                  `Forbidden {"message":"Unauthorized to view group list","code":30002}`,
		"groups/" + g + "/members":                  `Forbidden {"message":"Unauthorized to view group member list","code":30003}`,
		"members/" + m:                              `OK {"id":"` + m + `","uuid":"` + m + `","system":"` + uuid + `","name":"` + m + `","display_name":null,"color":"ffffff","birthday":null,"pronouns":null,"avatar_url":null,"webhook_avatar_url":null,"banner":null,"description":null,"created":null,"keep_proxy":false,"tts":false,"autoproxy_enabled":null,"message_count":null,"last_message_timestamp":null,"proxy_tags":[],"privacy":null}`,
		"groups/" + g:                               `OK {"id":"` + g + `","uuid":"` + g + `","name":"` + g + `","system":"` + uuid + `","display_name":null,"description":null,"icon":null,"banner":null,"color":null,"created":null,"privacy":null}`,
		"systems/" + uuid + "/autoproxy?guild_id=1": `Forbidden {"message":"403: Missing permissions to access this resource","code":0}`,
	} {
		check("", path, want)
		check("nobody's", path, want)
	}
	// The owner sees what there is, and uuids until the short ids are known.
	check(s.Token(), "systems/@me/switches", `OK [{"id":"`+turn+`","timestamp":"2025-11-28T12:06:07.407402Z","members":["`+m+`"]}]`)
	if got := ask(p.mirror, s.Token(), "systems/@me"); !strings.Contains(got, `"name":"Harbour"`) || !strings.Contains(got, `"front_privacy":"private"`) {
		t.Errorf("got %s, want a name, and what is not known as private", got)
	}
	if got := ask(p.mirror, s.Token(), "systems/@me/fronters"); !strings.Contains(got, `"name":"Alder","display_name":null`) || !strings.Contains(got, `"visibility":"private"`) {
		t.Errorf("got %s, want a name, and what is not known as private", got)
	}
	// One setting that is heard of opens that one thing.
	p.w.Must(s.EditMember(m, fakepk.Fields{"display_name": "A.", "privacy": fakepk.Fields{"pronoun_privacy": "public"}}))
	p.w.Must(s.Edit(fakepk.Fields{"privacy": fakepk.Fields{"front_privacy": "public"}}))
	p.deliver()
	if got := ask(p.mirror, "", "systems/"+uuid+"/fronters"); !strings.Contains(got, `"name":"A.","display_name":null`) ||
		!strings.Contains(got, `"pronouns":"she/her"`) || strings.Contains(got, "secret") || strings.Contains(got, "Alder") {
		t.Errorf("got %s, want the display name and the pronouns, and nothing else", got)
	}
	// One who was made without a word of privacy was made public.
	p.fold(late...)
	check("", "members/"+m, `OK {"id":"`+m+`","uuid":"`+m+`","system":"`+uuid+`","name":"Alder","display_name":"A.","color":"ffffff","birthday":null,"pronouns":"she/her","avatar_url":null,"webhook_avatar_url":null,"banner":null,"description":"secret","created":null,"keep_proxy":false,"tts":false,"autoproxy_enabled":null,"message_count":0,"last_message_timestamp":null,"proxy_tags":[],"privacy":null}`)
	check("", "groups/"+g, `OK {"id":"`+g+`","uuid":"`+g+`","name":"Gardeners","system":"`+uuid+`","display_name":null,"description":null,"icon":null,"banner":null,"color":null,"created":null,"privacy":null}`)
	check("", "systems/"+uuid+"/members", `Forbidden {"message":"Unauthorized to view member list","code":30001}`)
	// A message carries whole objects, and opens what is public in them.
	_, err = s.Proxy(fakepk.Message{Member: m})
	p.w.Must(err)
	p.deliver()
	if got := ask(p.mirror, "", "systems/"+uuid+"/members"); !strings.Contains(got, `"name":"Alder","display_name":"A."`) {
		t.Errorf("got %s, want it public", got)
	}
}

// TestPagingTies: pages from the last timestamp plus a microsecond show all
// switches, however many share one. Each page is as PluralKit's, but for their
// order.
func TestPagingTies(t *testing.T) {
	p := newPair(t)
	s := p.system(account, nil)
	file := fakepk.File{Members: []fakepk.FileMember{{ID: "aaaaa", Fields: fakepk.Fields{"name": "A"}}}}
	for i := range 130 {
		at := time.Date(2025, 1, 1+i/3, 0, 0, 0, 123456000, time.UTC)
		file.Switches = append(file.Switches, fakepk.FileSwitch{Timestamp: at, Members: []string{"aaaaa"}})
	}
	p.w.Must(s.Import(file, false))
	p.look(s)
	for _, page := range []int{4, 7, 100} {
		seen, before := map[string]bool{}, "2025-11-28T00:00:00Z"
		for {
			var list []struct{ ID, Timestamp string }
			path := fmt.Sprintf("systems/@me/switches?limit=%d&before=%s", page, before)
			body := strings.TrimPrefix(ask(p.mirror, s.Token(), path), "OK ")
			if err := json.Unmarshal([]byte(body), &list); err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			fresh := 0
			for _, w := range list {
				if !seen[w.ID] {
					seen[w.ID] = true
					fresh++
				}
				us, err := schemas.ParseTime(w.Timestamp)
				if err != nil {
					t.Fatal(err)
				}
				before = schemas.FormatTime(time.UnixMicro(us + 1))
			}
			if fresh == 0 {
				break
			}
		}
		if want := 130; len(seen) != want {
			t.Errorf("pages of %d: got %d switches, want %d", page, len(seen), want)
		}
	}
	ids := func(h http.Handler) []string {
		var list []struct{ ID string }
		if err := json.Unmarshal([]byte(strings.TrimPrefix(ask(h, s.Token(), "systems/@me/switches"), "OK ")), &list); err != nil {
			t.Fatal(err)
		}
		all := []string{}
		for _, w := range list { // a hundred is 33 times three and the last
			all = append(all, w.ID)
		}
		slices.Sort(all)
		return all
	}
	if got, want := ids(p.mirror), ids(p.api); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestGone: a system that the API no longer has is not there for anybody.
func TestGone(t *testing.T) {
	p := newPair(t)
	s := p.everything()
	p.look(s)
	paths := p.paths(s)
	p.w.Must(s.Delete())
	p.w.Clock.Advance(time.Minute)
	e, err := schemas.NewAbsent(schemas.SystemAbsent, s.UUID(), s.UUID(), p.w.Clock.Now(), "")
	p.w.Must(err)
	p.fold(e)
	for _, path := range paths {
		if strings.HasPrefix(path, "messages/") {
			continue // PluralKit keeps them for somebody else
		}
		p.same("", path)
	}
	if got := ask(p.mirror, s.Token(), "systems/@me"); !strings.HasPrefix(got, "Unauthorized") {
		t.Errorf("got %s, want 401", got)
	}
}

func TestMethodsAndHeaders(t *testing.T) {
	p := newPair(t)
	s := p.everything()
	p.look(s)
	server := httptest.NewServer(p.mirror)
	defer server.Close()
	do := func(method, path string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/v2/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header["User-Agent"] = nil // PluralKit wants one; we do not mind
		r.Header.Set("Authorization", s.Token())
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(body)
	}
	for _, method := range []string{"POST", "PATCH", "PUT", "DELETE"} {
		res, body := do(method, "systems/@me")
		if want := `{"message":"405: Method Not Allowed","code":0}`; res.StatusCode != 405 || body != want || res.Header.Get("Allow") == "" {
			t.Errorf("%s: got %d %s, want 405 %s", method, res.StatusCode, body, want)
		}
	}
	res, body := do("GET", "systems/@me")
	for name, want := range map[string]string{
		"Content-Type": "application/json; charset=utf-8", "Access-Control-Allow-Origin": "*", "Cache-Control": "no-store",
		"Switchlog-Position": fmt.Sprint(p.seq), "Content-Length": fmt.Sprint(len(body)),
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	head, none := do("HEAD", "systems/@me")
	if head.StatusCode != 200 || none != "" || head.ContentLength != int64(len(body)) {
		t.Errorf("HEAD: got %d %q %d, want the head of the same", head.StatusCode, none, head.ContentLength)
	}
	for _, path := range []string{"systems/@me", "nothing"} {
		if res, body := do("OPTIONS", path); res.StatusCode != 200 || body != "" || res.Header.Get("Access-Control-Allow-Headers") == "" {
			t.Errorf("OPTIONS %s: got %d %q, want 200", path, res.StatusCode, body)
		}
	}
	if res, body := do("GET", "systems/zzzzz"); res.StatusCode != 404 || res.Header.Get("Switchlog-Position") == "" {
		t.Errorf("got %d %s, want a position on a refusal", res.StatusCode, body)
	}
	if res, body := do("GET", "nothing"); res.StatusCode != 404 || body != "" {
		t.Errorf("got %d %q, want 404 and nothing", res.StatusCode, body)
	}
}

// storeFunc is a Store that a test makes.
type storeFunc func(context.Context) error

func (f storeFunc) View(ctx context.Context, _ func(*engine.Tx, schemas.Position) error) error {
	return f(ctx)
}

// TestFaults: what is wrong inside is a code in PluralKit's shape, and nothing
// of it is told.
func TestFaults(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{errors.New("secret"), `500 {"message":"500: Internal Server Error","code":0}`},
		{fmt.Errorf("x: %w", engine.ErrDamaged), `500 {"message":"500: Internal Server Error","code":0}`},
		{fmt.Errorf("x: %w", engine.ErrStale), `503 {"message":"503: Service Unavailable","code":0}`},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), `504 {"message":"504: Gateway Timeout","code":0}`},
		{fmt.Errorf("x: %w", context.Canceled), `503 {"message":"503: Service Unavailable","code":0}`},
		{fmt.Errorf("x: %w", errTooLarge), `413 {"message":"413: Content Too Large","code":0}`},
	} {
		h := NewHandler(Config{Store: storeFunc(func(context.Context) error { return c.err })})
		w := send(h, http.MethodGet, "", "systems/abcde")
		if got := fmt.Sprint(w.Code, " ", w.Body); got != c.want {
			t.Errorf("%v: got %s, want %s", c.err, got, c.want)
		}
	}
}

// TestLaw10Requests: no more are answered at once than there is room for, and
// none takes longer than it may.
func TestLaw10Requests(t *testing.T) {
	inside := make(chan struct{})
	h := NewHandler(Config{MaxRequests: 1, Timeout: time.Millisecond, Store: storeFunc(func(ctx context.Context) error {
		inside <- struct{}{}
		<-ctx.Done()
		<-inside
		return ctx.Err()
	})})
	first := make(chan int)
	go func() { first <- send(h, http.MethodGet, "", "systems/abcde").Code }()
	<-inside
	if w := send(h, http.MethodGet, "", "systems/abcde"); w.Code != 503 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("got %d, want 503 for the second", w.Code)
	}
	inside <- struct{}{}
	if code := <-first; code != 504 {
		t.Errorf("got %d, want 504 for the one that took too long", code)
	}
}
