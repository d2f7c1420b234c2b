package fakepk

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// client asks an API over a socket.
type client struct {
	t     *testing.T
	base  string
	token string
}

func serveAPI(t *testing.T, w *World, c APIConfig) (*API, *client) {
	t.Helper()
	a := NewAPI(t, w, c)
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	return a, &client{t: t, base: server.URL}
}

func (c *client) as(token string) *client { return &client{c.t, c.base, token} }

func (c *client) do(method, path string) (*http.Response, string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", c.token) // empty when anonymous, as some clients send it
	req.Header.Set("User-Agent", "fakepk-test/1")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return res, string(body)
}

// get is "status body".
func (c *client) get(path string) string {
	c.t.Helper()
	res, body := c.do(http.MethodGet, "/v2"+path)
	return strings.TrimSpace(fmt.Sprint(res.StatusCode, " ", body))
}

// The bodies of the facts, section 3.3, of the example world.
const (
	exSystemJSON   = `{"id":"kfazoe","uuid":"7f3c1a52-0d4e-4c1b-9a6e-2b8d5f90c311","name":"Harbour House","description":null,"tag":"| HH","pronouns":null,"avatar_url":null,"banner":null,"color":"4f8a8b","created":"2021-03-14T09:26:53.589793Z","webhook_url":"https://hooks.example.org/pk/7f3c","privacy":{"name_privacy":"public","avatar_privacy":"public","description_privacy":"public","banner_privacy":"public","pronoun_privacy":"public","member_list_privacy":"public","group_list_privacy":"public","front_privacy":"private","front_history_privacy":"private"}}`
	exMemberJSON   = `{"id":"abvenk","uuid":"0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1","system":"kfazoe","name":"Alder","display_name":null,"color":"3a7d44","birthday":"0004-02-29","pronouns":"he/him","avatar_url":null,"webhook_avatar_url":null,"banner":null,"description":null,"created":"2021-03-15T18:00:01.25Z","keep_proxy":false,"tts":false,"autoproxy_enabled":true,"message_count":4182,"last_message_timestamp":"2025-11-28T16:55:12.018204Z","proxy_tags":[{"prefix":"a:","suffix":null}],"privacy":{"visibility":"public","name_privacy":"public","description_privacy":"public","banner_privacy":"public","birthday_privacy":"public","pronoun_privacy":"public","avatar_privacy":"public","metadata_privacy":"public","proxy_privacy":"public"}}`
	exGroupJSON    = `{"id":"gnohev","uuid":"a1d0c3e5-9e8f-4a7b-8c6d-5e4f3a2b1c90","name":"Gardeners","system":"kfazoe","display_name":null,"description":null,"icon":null,"banner":null,"color":"3a7d44","created":"2021-05-02T10:00:00Z","members":["0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1"],"privacy":{"name_privacy":"public","description_privacy":"public","banner_privacy":"public","icon_privacy":"public","list_privacy":"public","metadata_privacy":"public","visibility":"public"}}`
	exSwitchJSON   = `{"id":"c4f1e2d3-1a2b-4c3d-9e4f-5a6b7c8d9e01","timestamp":"2025-11-28T17:01:44.271093Z","members":["abvenk","bzytok"]}`
	exSettingsJSON = `{"timezone":"UTC","pings_enabled":true,"latch_timeout":null,"member_default_private":false,"group_default_private":false,"show_private_info":true,"member_limit":1000,"group_limit":250,"case_sensitive_proxy_tags":true,"proxy_error_message_enabled":true,"hid_display_split":false,"hid_display_caps":false,"hid_list_padding":"off","proxy_switch":"off","name_format":"{name} {tag}","description_templates":[]}`
)

// apiExample is the world those bodies are of.
func apiExample(t *testing.T) *example {
	x := newExample(t, Config{})
	x.system(Fields{"description": nil, "pronouns": nil})
	x.alder(Fields{"avatar_url": nil})
	x.w.Must(x.AddToGroup(exGarden, exAlder))
	x.switched()
	return x
}

func (c *client) check(path, want string) {
	c.t.Helper()
	if got := c.get(path); got != want {
		c.t.Errorf("%s\ngot  %s\nwant %s", path, got, want)
	}
}

func TestOwnerShapes(t *testing.T) {
	x := apiExample(t)
	_, c := serveAPI(t, x.w, APIConfig{Unlimited: true})
	c = c.as(x.Token())
	for _, ref := range []string{"@me", "kfazoe", "KFA-ZOE", exSystem, exAccount} {
		c.check("/systems/"+ref, "200 "+exSystemJSON)
	}
	c.check("/members/abvenk", "200 "+exMemberJSON)
	c.check("/members/ABV-enk", "200 "+exMemberJSON)
	c.check("/members/"+exAlder, "200 "+exMemberJSON)
	c.check("/systems/@me/groups?with_members=true", "200 ["+exGroupJSON+"]")
	bare := strings.Replace(exGroupJSON, `"members":["`+exAlder+`"],`, "", 1)
	c.check("/systems/@me/groups", "200 ["+bare+"]")
	c.check("/groups/gnohev", "200 "+bare)
	c.check("/members/abvenk/groups", "200 ["+bare+"]")
	c.check("/groups/gnohev/members", "200 ["+exMemberJSON+"]")
	c.check("/systems/@me/switches", "200 []") // the switch is now, and "before" is now
	x.w.Clock.Advance(1000)
	c.check("/systems/@me/switches", "200 ["+exSwitchJSON+"]")
	c.check("/systems/@me/settings", "200 "+exSettingsJSON)
	c.check("/systems/@me/guilds/"+exGuild, `404 {"message":"No system guild settings found for target guild.","code":20009}`)
	c.check("/members/abvenk/guilds/"+exGuild, `404 {"message":"No member guild settings found for target guild.","code":20010}`)
	c.check("/systems/@me/autoproxy?guild_id="+exGuild, `200 {"autoproxy_mode":"off","autoproxy_member":null,"last_latch_timestamp":null}`)

	x.latched().message(false)
	c.check("/systems/@me/guilds/"+exGuild, `200 {"proxying_enabled":true,"tag":null,"tag_enabled":true,"avatar_url":null,"display_name":null,"name_format":null}`)
	c.check("/members/abvenk/guilds/"+exGuild, `200 {"display_name":null,"avatar_url":null,"keep_proxy":null}`)
	c.check("/systems/@me/autoproxy?guild_id="+exGuild,
		`200 {"autoproxy_mode":"latch","autoproxy_member":"abvenk","last_latch_timestamp":"`+stamp(stored(x.w.now()))+`"}`)
	if got := c.get("/messages/1444000000000000005"); !strings.HasPrefix(got, `200 {"timestamp":"2025-11-28T16:20:28Z","id":"1444000000000000005","original":"1443999997000000006","sender":"1150000000000000003","channel":"1150000000000000002","guild":"1150000000000000001","system":`+exSystemJSON+`,"member":{"id":"abvenk","uuid":"`+exAlder+`","name":"Alder"`) {
		t.Errorf("got message %s", got)
	}
	x.w.Must(x.Autoproxy(exGuild, "front"))
	x.w.Must(x.APIAutoproxy(exGuild, "", new(exAlder)))
	if got := c.get("/systems/@me/autoproxy?guild_id=" + exGuild); !strings.Contains(got, `"front","autoproxy_member":null`) {
		t.Errorf("got %s, want no member in front mode", got)
	}
}

// TestFrontOrder: the API keeps the order given, the event does not, and hidden members are in switches.
func TestFrontOrder(t *testing.T) {
	x := apiExample(t)
	_, c := serveAPI(t, x.w, APIConfig{Unlimited: true})
	x.alder(Fields{"privacy": Fields{"visibility": "private"}})
	x.system(Fields{"privacy": Fields{"front_privacy": "public", "front_history_privacy": "public"}})
	x.w.Deliveries()
	id, err := x.Switch(exBriar, exAlder)
	x.w.Must(err)
	x.w.Clock.Advance(1000)
	if got := string(x.w.Deliveries()[0].Body); !strings.Contains(got, `"members":["`+exAlder+`","`+exBriar+`"]`) {
		t.Errorf("got %s, want the members as created", got)
	}
	if got := c.get("/systems/kfazoe/switches?limit=1"); !strings.Contains(got, `["bzytok","abvenk"]`) {
		t.Errorf("got %s, want the members as given", got)
	}
	fronters := c.get("/systems/kfazoe/fronters")
	if b, a := strings.Index(fronters, exBriar), strings.Index(fronters, exAlder); b < 0 || a < b {
		t.Errorf("got %s, want Briar before Alder", fronters)
	}
	c.check("/systems/kfazoe/switches/"+id, fronters)
	if got := c.get("/systems/kfazoe/members"); strings.Contains(got, exAlder) {
		t.Errorf("got %s, want no hidden member", got)
	}
}

func TestPublicView(t *testing.T) {
	x := apiExample(t)
	_, c := serveAPI(t, x.w, APIConfig{Unlimited: true})
	x.system(Fields{"description": "secret", "privacy": Fields{"description_privacy": "private"}})
	c.check("/systems/kfazoe", `200 {"id":"kfazoe","uuid":"`+exSystem+`","name":"Harbour House","description":null,"tag":"| HH","pronouns":null,"avatar_url":null,"banner":null,"color":"4f8a8b","created":"2021-03-14T09:26:53.589793Z","privacy":null}`)
	c.as("nobody's").check("/systems/kfazoe", c.get("/systems/kfazoe"))
	c.check("/systems/kfazoe/settings", `200 {"pings_enabled":true,"latch_timeout":null,"case_sensitive_proxy_tags":true,"proxy_error_message_enabled":true,"hid_display_split":false,"hid_display_caps":false,"hid_list_padding":"off","proxy_switch":"off","name_format":"{name} {tag}"}`)
	x.alder(Fields{"display_name": "A.", "privacy": all(memberPrivacy, "private")})
	c.check("/members/abvenk", `200 {"id":"abvenk","uuid":"`+exAlder+`","system":"kfazoe","name":"A.","display_name":null,"color":"3a7d44","birthday":null,"pronouns":null,"avatar_url":null,"webhook_avatar_url":null,"banner":null,"description":null,"created":null,"keep_proxy":false,"tts":false,"autoproxy_enabled":null,"message_count":null,"last_message_timestamp":null,"proxy_tags":[],"privacy":null}`)
	c.check("/systems/kfazoe/groups?with_members=true", `200 [{"id":"gnohev","uuid":"`+exGarden+`","name":"Gardeners","system":"kfazoe","display_name":null,"description":null,"icon":null,"banner":null,"color":"3a7d44","created":"2021-05-02T10:00:00Z","members":[],"privacy":null}]`)
	x.w.Must(x.EditGroup(exGarden, Fields{"privacy": all(groupPrivacy, "private")}))
	c.check("/systems/kfazoe/groups", "200 []")
	c.check("/members/abvenk/groups", "200 []")
	c.check("/groups/gnohev/members", `403 {"message":"Unauthorized to view group member list","code":30003}`)
	x.system(Fields{"privacy": all(systemPrivacy, "private")})
	for path, code := range map[string]string{"members": "30001", "groups": "30002", "fronters": "30004", "switches": "30005"} {
		if got := c.get("/systems/kfazoe/" + path); !strings.HasPrefix(got, "403 ") || !strings.HasSuffix(got, `"code":`+code+"}") {
			t.Errorf("%s: got %s, want 403 with code %s", path, got, code)
		}
	}
	c.check("/systems/kfazoe/switches/"+exSwitch, "404 "+string(ErrSwitchHidden.body()))
}

func TestOddities(t *testing.T) {
	x := apiExample(t)
	other, err := x.w.CreateSystem(exOther, nil)
	x.w.Must(err)
	_, anon := serveAPI(t, x.w, APIConfig{Unlimited: true})
	owner, stranger := anon.as(x.Token()), anon.as(other.Token())
	for _, c := range []struct {
		as         *client
		path, want string
	}{
		{anon, "/systems/@me", `401 {"message":"401: Missing or invalid Authorization header","code": 0}`},
		{anon.as("unknown"), "/systems/@me/members", `401 {"message":"401: Missing or invalid Authorization header","code": 0}`},
		{anon, "/systems/zzzzz", `404 {"message":"System not found.","code":20001}`},
		{anon, "/members/zzzzz", `404 {"message":"Member not found.","code":20002}`},
		{anon, "/groups/zzzzz", `404 {"message":"Group not found.","code":20004}`},
		{anon, "/messages/1", `404 {"message":"Message not found.","code":20006}`},
		{anon, "/nothing", "404"},
		{anon, "/systems/@me/nothing", "404"},
		{owner, "/systems/@me/switches/nonsense", `500 {"message":"500: Internal Server Error","code":0}`},
		{owner, "/systems/@me/switches/" + exDune, `404 {"message":"Switch not found.","code":20007}`},
		{stranger, "/systems/@me/switches/" + exSwitch, "404 " + string(ErrSwitchHidden.body())},
		{owner, "/systems/@me/switches?limit=0", "200 []"},
		{owner, "/systems/@me/switches?limit=-1", `500 {"message":"500: Internal Server Error","code":0}`},
		{owner, "/systems/@me/switches?limit=x", `400 {"message":"400: Bad Request","code":0}`},
		{owner, "/systems/@me/switches?before=2025-11-28T17:01:44.271093Z", "200 []"},
		{owner, "/systems/@me/switches?before=2025-11-28T17:01:44.271094Z", "200 [" + exSwitchJSON + "]"},
		{owner, "/systems/@me/switches?before=2025-11-28T17:01:45Z", "200 [" + exSwitchJSON + "]"},
		{owner, "/systems/@me/switches?before=2025-11-28", `400 {"message":"400: Bad Request","code":0}`},
		{owner, "/systems/@me/switches?before=2025-11-28T18:01:45%2B01:00", `400 {"message":"400: Bad Request","code":0}`},
		{owner, "/systems/@me/groups?with_members=1", `400 {"message":"400: Bad Request","code":0}`},
		{stranger, "/systems/kfazoe/guilds/" + exGuild, `403 {"message":"403: Missing permissions to access this resource","code":0}`},
		{anon, "/members/abvenk/guilds/" + exGuild, `401 {"message":"401: Missing or invalid Authorization header","code": 0}`},
		{stranger, "/members/abvenk/guilds/" + exGuild, `403 {"message":"Target member is not part of your system.","code":30006}`},
		{owner, "/systems/@me/autoproxy", `501 {"message":"Unimplemented","code":50001}`},
		{owner, "/systems/@me/autoproxy?guild_id=1&channel_id=2", `501 {"message":"Unimplemented","code":50001}`},
		{stranger, "/systems/@me/fronters", "204"},
		{stranger, "/systems/@me/members", "200 []"},
	} {
		c.as.check(c.path, c.want)
	}
	if res, body := anon.do(http.MethodGet, "/v1/s/kfazoe"); res.StatusCode != 410 || body != "" {
		t.Errorf("got %d %q, want 410", res.StatusCode, body)
	}
	res, _ := anon.do(http.MethodOptions, "/v2/systems/@me")
	if res.StatusCode != 200 || res.Header.Get("Access-Control-Allow-Origin") != "*" || res.Header.Get("X-PluralKit-Version") == "" {
		t.Errorf("got %d %v, want 200, open CORS and a version", res.StatusCode, res.Header)
	}
}

// TestPagingTies: ten switches in five pairs, pages of five. The next page from the last timestamp loses one of a pair
// that a page edge cuts; from a microsecond later it does not.
func TestPagingTies(t *testing.T) {
	x := newExample(t, Config{})
	var file []FileSwitch
	for i := range 10 {
		file = append(file, FileSwitch{when(fmt.Sprintf("2025-01-0%dT00:00:00.123456Z", 1+i/2)), nil})
	}
	x.importing(File{Switches: file})
	_, c := serveAPI(t, x.w, APIConfig{Unlimited: true})
	c = c.as(x.Token())
	walk := func(step int) (seen []string) {
		before := "2026-01-01T00:00:00Z"
		for {
			body := c.get("/systems/@me/switches?limit=5&before=" + before)
			fresh := 0
			for _, part := range strings.Split(body, `"id":"`)[1:] {
				if id := part[:36]; !slices.Contains(seen, id) {
					seen, fresh = append(seen, id), fresh+1
				}
				if i := strings.Index(part, `"timestamp":"`); i >= 0 {
					before = part[i+13 : i+13+27]
				}
			}
			if fresh == 0 {
				return seen
			}
			before = fmt.Sprintf("%s%dZ", before[:20], 123456+step)
		}
	}
	if got := len(walk(0)); got != 9 {
		t.Errorf("got %d switches from the last timestamp, want 9", got)
	}
	if got := len(walk(1)); got != 10 {
		t.Errorf("got %d switches from a microsecond later, want 10", got)
	}
}

// TestFutureSwitch: history ends now, the front does not.
func TestFutureSwitch(t *testing.T) {
	x := apiExample(t)
	_, c := serveAPI(t, x.w, APIConfig{Unlimited: true})
	id, err := x.APISwitchAt(x.w.now().AddDate(1, 0, 0), exCedar)
	x.w.Must(err)
	if got := c.as(x.Token()).get("/systems/@me/switches"); strings.Contains(got, id) {
		t.Errorf("got %s, want no future switch", got)
	}
	if got := c.as(x.Token()).get("/systems/@me/fronters"); !strings.Contains(got, id) {
		t.Errorf("got %s, want the future switch", got)
	}
}

// TestHeapOrder: an updated row moves to the end of its list.
func TestHeapOrder(t *testing.T) {
	x := newExample(t, Config{})
	_, c := serveAPI(t, x.w, APIConfig{Unlimited: true})
	x.alder(Fields{"tts": true})
	got := c.as(x.Token()).get("/systems/@me/members")
	if strings.Index(got, exAlder) < strings.Index(got, exCedar) {
		t.Errorf("got %s, want Alder last", got)
	}
}

func TestImageRewriting(t *testing.T) {
	x := newExample(t, Config{})
	_, c := serveAPI(t, x.w, APIConfig{Unlimited: true})
	const raw = "https://media.discordapp.net/attachments/1/2/a.png?width=10"
	x.alder(Fields{"avatar_url": raw})
	ds := x.w.Deliveries()
	if got := string(ds[len(ds)-1].Body); !strings.Contains(got, raw) {
		t.Errorf("got %s, want the stored address", got)
	}
	if got := c.get("/members/abvenk"); !strings.Contains(got, `"https://cdn.discordapp.com/attachments/1/2/a.png"`) {
		t.Errorf("got %s, want the rewritten address", got)
	}
}

// TestErrorBodies: refusals to the byte, one of each that PluralKit writes in a way of its own.
func TestErrorBodies(t *testing.T) {
	for e, want := range map[*Error]string{
		ErrUnauthorized:               `{"message":"401: Missing or invalid Authorization header","code": 0}`,
		ErrNoSystem:                   `{"message":"System not found.","code":20001}`,
		ErrMembersHidden:              `{"message":"Unauthorized to view member list","code":30001}`,
		ErrFrontersHidden:             `{"message":"Unauthorized to view current fronters.","code":30004}`,
		ErrSwitchHidden:               `{"message":"Switch not found, switch associated with different system, or unauthorized to view front history.","code":20008}`,
		errMemberRefNotFound("abcde"): `{"message":"Member 'abcde' not found.","code":20003}`,
		errMemberRefNotYours("abcde"): `{"message":"Member 'abcde' is not part of your system.","code":30008}`,
		ErrAutoproxyMember:            `{"message":"Missing autoproxy member for member-mode autoproxy.","code":40002}`,
		ErrLatchMember:                `{"message":"Cannot patch autoproxy member with latch-mode autoproxy.","code":40009}`,
	} {
		if got := string(e.body()); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
