package test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"switchlog/projections"
	"switchlog/projections/mirror"
	"switchlog/test/fakepk"

	"switchlog/projections/engine"
)

// A clientWorld is a PluralKit with three systems: full has some of all there
// is, other hides all it has, and in empty there is nothing.
type clientWorld struct {
	*fakepk.World
	t                  *testing.T
	full, other, empty *fakepk.System
	made               time.Time         // when all of it was there
	deliveries         []fakepk.Delivery // all that PluralKit has sent
}

// Servers of the world, and one where nothing was ever set.
const (
	clientGuild, clientOtherGuild, clientNoGuild = "1150000000000000001", "1150000000000000011", "1150000000000000099"
	clientOrigin                                 = "https://hooks.example.org/in/pluralkit"
)

func newClientWorld(t *testing.T) *clientWorld {
	// All of it was in the last minutes: a message is found by the id of what
	// was written for half an hour.
	clock := fakepk.NewClock(time.Now().Add(-10 * time.Minute))
	w := &clientWorld{t: t}
	w.World = fakepk.New(t, fakepk.Config{Seed: 3, Odds: fakepk.Odds{CounterFirst: 1}, Now: func() time.Time {
		if !w.made.IsZero() {
			return time.Now()
		}
		clock.Advance(100 * time.Millisecond)
		return clock.Now()
	}})
	for i, s := range []**fakepk.System{&w.full, &w.other, &w.empty} {
		var err error
		*s, err = w.CreateSystem(fmt.Sprint(1150000000000000300+i), nil)
		w.Must(err)
		_, err = (*s).SetWebhook(clientOrigin)
		w.Must(err)
		w.Must((*s).DM(fmt.Sprint(1150000000000000300 + i))) // as one writes to the bot for a webhook
	}
	w.fill(w.other, 2)
	w.Must(w.other.Edit(fakepk.Fields{"name": "Closed House", "privacy": closed("name_privacy", "avatar_privacy", "description_privacy",
		"banner_privacy", "pronoun_privacy", "member_list_privacy", "group_list_privacy", "front_privacy", "front_history_privacy")}))
	w.fill(w.full, 120)
	w.Must(w.full.Edit(fakepk.Fields{"name": "Harbour House", "description": "\"We\" share\tone\u2028keyboard. <&>", "tag": "| HH",
		"pronouns": "they/them", "color": "4f8a8b", "banner": "https://media.discordapp.net/attachments/1/2/b.png?width=9"}))
	w.Must(w.full.EditSettings(fakepk.Fields{"timezone": "Europe/Oslo", "latch_timeout": 60, "description_templates": []string{"Likes:"}}))
	if clock.Now().After(time.Now()) {
		t.Fatalf("the world was made until %v, want it past", clock.Now())
	}
	w.made = time.Now()
	w.deliveries = w.Deliveries()
	return w
}

func closed(keys ...string) fakepk.Fields {
	f := fakepk.Fields{}
	for _, key := range keys {
		f[key] = "private"
	}
	return f
}

// fill gives a system members, groups, that many switches, settings in servers
// and messages. What PluralKit lists in no order is in the order of the mirror
// in the end, so that answers can be compared as they are.
func (w *clientWorld) fill(s *fakepk.System, switches int) {
	w.t.Helper()
	var members, groups []string
	for i := range 6 {
		uuid, err := s.CreateMember(fmt.Sprintf("Member %d \u0085", i), nil)
		w.Must(err)
		members = append(members, uuid)
	}
	for i := range 3 {
		uuid, err := s.CreateGroup(fmt.Sprint("Group ", i))
		w.Must(err)
		groups = append(groups, uuid)
		w.Must(s.AddToGroup(uuid, rising(members)...))
	}
	for i := range switches { // the program asks for each with more than one member
		_, err := s.Switch([][]string{{members[i%5]}, {}, {members[(i+2)%5]}}[i%3]...)
		w.Must(err)
	}
	for i := range 3 {
		_, err := s.Switch(members[i], members[4], members[3])
		w.Must(err)
	}
	_, err := s.Switch(members[3], members[1], members[2])
	w.Must(err)
	w.Must(s.Autoproxy(clientGuild, "latch"))
	w.Must(s.AutoproxyMember(clientOtherGuild, members[3]))
	w.Must(s.EditGuild(clientGuild, fakepk.Fields{"tag": "| server", "proxying_enabled": false}))
	for i, f := range []fakepk.Fields{
		{"description": "seen by all"},
		{"display_name": "Shown", "description": "hidden", "birthday": "0004-02-29", "proxy_tags": []fakepk.ProxyTag{fakepk.Tag("\"[\\", "]")},
			"privacy": closed("visibility", "name_privacy", "description_privacy", "birthday_privacy", "proxy_privacy", "metadata_privacy")},
		{"tts": true, "keep_proxy": true, "autoproxy_enabled": false, "color": "AABBCC", "privacy": closed("name_privacy", "metadata_privacy")},
		{"pronouns": "it/its", "avatar_url": "https://media.discordapp.net/attachments/1/2/a.png?width=4"},
		{"birthday": "1990-12-31", "privacy": closed("pronoun_privacy", "avatar_privacy")},
	} {
		w.Must(s.EditMember(members[i], f))
	}
	for i, uuid := range members { // a message moves its member to the end of the list
		w.Must(s.EditMemberGuild(uuid, clientGuild, fakepk.Fields{"display_name": fmt.Sprint("There ", i), "keep_proxy": i == 0}))
		_, err := s.Proxy(fakepk.Message{Member: uuid, Guild: clientGuild})
		w.Must(err)
	}
	w.Must(s.DeleteMember(members[5]))
	for i, f := range []fakepk.Fields{
		{"display_name": "First", "color": "00ff00"},
		{"icon": "https://example.org/i.png", "privacy": closed("list_privacy", "icon_privacy")},
		{"privacy": closed("visibility", "name_privacy", "metadata_privacy")},
	} {
		w.Must(s.EditGroup(groups[i], f))
	}
}

// rising are some members whose uuids are in the order in which they were made.
func rising(members []string) (best []string) {
	for i := range members {
		var list []string
		for _, uuid := range members[i:] {
			if len(list) == 0 || uuid > list[len(list)-1] {
				list = append(list, uuid)
			}
		}
		if len(list) > len(best) {
			best = list
		}
	}
	return best
}

// heard are the webhooks that arrive: those of what PluralKit lists nowhere.
// All else is left to reconciliation.
var heard = []string{"CREATE_MESSAGE", "DELETE_MEMBER", "UPDATE_MEMBER_GUILD", "UPDATE_SYSTEM_GUILD", "UPDATE_AUTOPROXY"}

// follow lets systems in, sends the program what it hears, and waits until
// nothing is missing.
func (s *server) follow(w *clientWorld, systems ...*fakepk.System) {
	s.t.Helper()
	for _, sys := range systems {
		_, signing := sys.Webhook()
		s.secret(signing)
		s.secret(sys.Token())
		file := filepath.Join(s.t.TempDir(), "api-token")
		if err := os.WriteFile(file, []byte(sys.Token()), 0o600); err != nil {
			s.t.Fatal(err)
		}
		s.cli(signing, "source", "add", "pluralkit", sys.HID(), "--token-file", "-", "--api-token-file", file, "--system", sys.UUID())
	}
	for _, d := range w.deliveries {
		if !slices.Contains(heard, d.Type) || !slices.ContainsFunc(systems, func(s *fakepk.System) bool { return s.UUID() == d.System }) {
			continue
		}
		if got := s.post(d.Body); got != 200 {
			s.t.Fatalf("%s: got %d, want 200", d.Body, got)
		}
	}
	s.settled()
	for _, sys := range systems {
		await(s.t, "a look that finds nothing", func() bool {
			var r struct{ Emitted int }
			out, _, code := s.try("", "reconcile", "--tenant", sys.UUID(), "--json")
			return code <= 1 && json.Unmarshal([]byte(out), &r) == nil && r.Emitted == 0
		})
	}
	s.settled()
}

// mirrorOf serves the mirror of a server that has stopped, to PluralKit's own
// tokens, each of which owns a system.
func (w *clientWorld) mirrorOf(dir string) (url string) {
	w.t.Helper()
	db, err := projections.Open(engine.Config{Path: filepath.Join(dir, "projections.db")})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := db.Close(); err != nil {
			w.t.Error(err)
		}
	})
	owners := map[string]string{}
	for _, s := range []*fakepk.System{w.full, w.other, w.empty} {
		owners[s.Token()] = s.UUID()
	}
	h := mirror.NewHandler(mirror.Config{Store: db, Authorize: func(token string) (mirror.Reader, bool) {
		uuid, known := owners[token]
		return mirror.Reader{Tenant: uuid}, known
	}})
	srv := httptest.NewServer(h)
	w.t.Cleanup(srv.Close)
	return srv.URL
}
