package fakepk

import (
	"encoding/json"
	"strings"
	"testing"
)

// ask decodes an answer into T.
func ask[T any](c *client, path string) T {
	c.t.Helper()
	res, body := c.do("GET", "/v2"+path)
	var v T
	if res.StatusCode == 204 || res.StatusCode == 404 {
		return v
	}
	if err := json.Unmarshal([]byte(body), &v); res.StatusCode != 200 || err != nil {
		c.t.Fatalf("%s: got %d %s (%v)", path, res.StatusCode, body, err)
	}
	return v
}

// fetch is the state that an owner can read from the API.
func fetch(c *client, now string, want State) State {
	s := State{System: ask[Fields](c, "/systems/@me"), Settings: ask[Fields](c, "/systems/@me/settings"),
		Members: map[string]Fields{}, Groups: map[string]Fields{}, GroupMembers: map[string][]string{},
		Switches: map[string]Switch{}, Guilds: map[string]Fields{}, MemberGuilds: map[string]map[string]Fields{},
		Autoproxy: map[string]Fields{}}
	uuids := map[string]string{}
	for _, m := range ask[[]Fields](c, "/systems/@me/members") {
		delete(m, "system")
		s.Members[m["uuid"].(string)] = m
		uuids[m["id"].(string)] = m["uuid"].(string)
	}
	for _, g := range ask[[]Fields](c, "/systems/@me/groups?with_members=true") {
		for _, m := range g["members"].([]any) {
			s.GroupMembers[g["uuid"].(string)] = append(s.GroupMembers[g["uuid"].(string)], m.(string))
		}
		delete(g, "system")
		delete(g, "members")
		s.Groups[g["uuid"].(string)] = g
	}
	for range 100 {
		page := ask[[]struct {
			ID string
			Switch
		}](c, "/systems/@me/switches?before="+now)
		fresh := false
		for _, t := range page {
			_, known := s.Switches[t.ID]
			fresh = fresh || !known
			for i, hid := range t.Members {
				t.Members[i] = uuids[hid]
			}
			s.Switches[t.ID] = t.Switch
			now = stamp(when(t.Timestamp).Add(1000))
		}
		if !fresh {
			break
		}
	}
	for _, guild := range guildsLived {
		s.Guilds[guild] = ask[Fields](c, "/systems/@me/guilds/"+guild)
		a := ask[Fields](c, "/systems/@me/autoproxy?guild_id="+guild)
		if hid, ok := a["autoproxy_member"].(string); ok {
			a["autoproxy_member"] = uuids[hid]
		}
		if a["autoproxy_mode"] == "front" { // not shown
			a["autoproxy_member"] = want.Autoproxy[guild]["autoproxy_member"]
		}
		s.Autoproxy[guild] = a
		for id := range s.Members {
			if f := ask[Fields](c, "/members/"+id+"/guilds/"+guild); f != nil {
				if s.MemberGuilds[id] == nil {
					s.MemberGuilds[id] = map[string]Fields{}
				}
				s.MemberGuilds[id][guild] = f
			}
		}
		if s.Guilds[guild] == nil {
			delete(s.Guilds, guild)
		}
	}
	return s
}

// TestAPIAgreesWithTruth: after a life, what an owner reads over the API is what is true, but for what the API shows
// otherwise or not at all.
func TestAPIAgreesWithTruth(t *testing.T) {
	for seed := range uint64(3) {
		x := newExample(t, Config{Seed: seed})
		life := x.Live(seed)
		life.Ties = true
		life.Steps(600)
		_, c := serveAPI(t, x.w, APIConfig{Unlimited: true})
		want := x.w.Truth(x.System)
		got := fetch(c.as(x.Token()), stamp(x.w.now().Add(1000)), want)
		got.Accounts, got.Messages = want.Accounts, want.Messages // not listed
		for _, line := range got.Diff(want) {
			switch {
			case strings.HasPrefix(line, "settings.card_show_color_hex"), strings.HasPrefix(line, "settings.name_format: got {name} {tag}, want <nil>"),
				strings.Contains(line, ".avatar_url: got "+mediaCDN): // rewritten
			default:
				t.Errorf("seed %d: %s", seed, line)
			}
		}
		if len(want.Switches) < 3 || len(want.Members) < 5 || len(want.GroupMembers) == 0 {
			t.Errorf("seed %d: got %d switches, %d members, %d groups: too poor a life to show anything", seed, len(want.Switches), len(want.Members), len(want.GroupMembers))
		}
	}
}
