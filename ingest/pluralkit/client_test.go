package pluralkit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"switchlog/schemas"
	"switchlog/test/fakepk"
)

// value is a field of an object, and whether it is there.
func (o Object) value(name string) (any, bool) {
	i := slices.IndexFunc(o.Fields, func(v schemas.Value) bool { return v.Field.Name == name })
	if i < 0 {
		return nil, false
	}
	return o.Fields[i].Value, true
}

func TestSystem(t *testing.T) {
	bubble(t, fakepk.APIConfig{}, func(t *testing.T, s *setting) {
		got := must[System](t)(s.System(t.Context()))
		if string(got.UUID) != s.sys.UUID() || string(got.HID) != s.sys.HID() || got.WebhookURL != "" {
			t.Errorf("got %s %s %q, want %s %s and no webhook", got.UUID, got.HID, got.WebhookURL, s.sys.UUID(), s.sys.HID())
		}
		if name, _ := got.value("name"); name != "Harbour House" {
			t.Errorf("got name %v, want Harbour House", name)
		}
		if v, _ := got.value("front_privacy"); v != "public" {
			t.Errorf("got front_privacy %v, want public", v)
		}
		settings := must[Settings](t)(s.Settings(t.Context()))
		if v, ok := settings.value("latch_timeout"); v != nil || !ok {
			t.Errorf("got latch_timeout %v %v, want null", v, ok)
		}
		if v, ok := settings.value("card_show_color_hex"); ok {
			t.Errorf("got card_show_color_hex %v, want it unknown", v)
		}
	})
}

// TestLaw9NoWebhookURL: where dispatch goes is told apart from the rest.
func TestLaw9NoWebhookURL(t *testing.T) {
	const hook = "https://hooks.example.org/pk/7f3c"
	for _, c := range []struct{ text, want string }{{`"` + hook + `"`, hook}, {"null", ""}} {
		s, err := decodeSystem([]byte(`{"id":"kfazoe","uuid":"7f3c1a52-0d4e-4c1b-9a6e-2b8d5f90c311","webhook_url":` + c.text + `,"privacy":{}}`))
		if err != nil || s.WebhookURL != c.want {
			t.Errorf("got %q, %v, want %q", s.WebhookURL, err, c.want)
		}
		if text, err := json.Marshal(s.JSON); err != nil || strings.Contains(string(text), "webhook_url") {
			t.Errorf("got %s, %v, want no webhook_url", text, err)
		}
	}
}

func TestMembersAndGroups(t *testing.T) {
	bubble(t, fakepk.APIConfig{}, func(t *testing.T, s *setting) {
		if got := must[[]Member](t)(s.Members(t.Context())); len(got) != 0 {
			t.Errorf("got %v, want none", got)
		}
		ids := s.members("Alder", "Briar")
		hid, err := s.sys.RerollMemberHID(ids[0])
		s.world.Must(err)
		g, err := s.sys.CreateGroup("Gardeners")
		s.world.Must(err)
		s.world.Must(s.sys.AddToGroup(g, ids...))
		s.world.Must(s.sys.EditMember(ids[1], fakepk.Fields{"privacy": fakepk.Fields{"visibility": "private"}}))
		members := must[[]Member](t)(s.Members(t.Context()))
		i := slices.IndexFunc(members, func(m Member) bool { return string(m.UUID) == ids[0] })
		if len(members) != 2 || i < 0 || string(members[i].HID) != hid || string(members[i].System) != s.sys.HID() {
			t.Errorf("got %+v, want two, the first with short id %s", members, hid)
		}
		groups := must[[]Group](t)(s.Groups(t.Context()))
		if len(groups) != 1 || string(groups[0].UUID) != g || len(groups[0].Members) != 2 ||
			!slices.Contains(groups[0].Members, UUID(ids[1])) {
			t.Errorf("got %+v, want one group %s with %s", groups, g, ids)
		}
	})
}

// TestFronters: none before the first switch, then the greatest time, also one
// that has not come; its members in their order.
func TestFronters(t *testing.T) {
	bubble(t, fakepk.APIConfig{}, func(t *testing.T, s *setting) {
		if _, found, err := s.Fronters(t.Context()); found || err != nil {
			t.Errorf("got %v, %v, want none and no error", found, err)
		}
		ids := s.members("Alder", "Briar")
		_, err := s.sys.Switch(ids[1], ids[0])
		s.world.Must(err)
		later := s.world.Clock.Now().Add(time.Hour + 123456789).UTC()
		id, err := s.sys.APISwitchAt(later, ids[0])
		s.world.Must(err)
		front, found, err := s.Fronters(t.Context())
		if err != nil || !found || string(front.UUID) != id || !front.At.Equal(later.Truncate(time.Microsecond)) {
			t.Errorf("got %+v %v, %v, want %s at %v", front, found, err, id, later)
		}
		list := collect(t, s.Switches(t.Context(), s.world.Clock.Now().Add(time.Second)))
		if len(list) != 1 {
			t.Fatalf("got %d switches, want one: the other is in the future", len(list))
		}
		full := must[FullSwitch](t)(s.Switch(t.Context(), list[0].UUID))
		if len(full.Members) != 2 || string(full.Members[0].UUID) != ids[1] || full.Members[1].HID != list[0].Members[1] {
			t.Errorf("got %+v, want Briar before Alder, with the short ids %v", full, list[0].Members)
		}
		if all := collect(t, s.Switches(t.Context(), later.Add(time.Second))); len(all) != 2 || !all[0].At.Equal(front.At) {
			t.Errorf("got %+v, want the future first", all)
		}
		s.world.Must(s.sys.DeleteSwitch(string(full.UUID)))
		if _, err := s.Switch(t.Context(), full.UUID); !errors.Is(err, ErrNotFound) || code(err) != 20007 {
			t.Errorf("got %v, want not found, 20007", err)
		}
	})
}

func code(err error) int {
	var e *APIError
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

func TestGuilds(t *testing.T) {
	bubble(t, fakepk.APIConfig{}, func(t *testing.T, s *setting) {
		id := s.members("Alder")[0]
		if _, err := s.SystemGuild(t.Context(), guild); !errors.Is(err, ErrNotFound) || code(err) != 20009 {
			t.Errorf("got %v, want not found, 20009", err)
		}
		if _, err := s.MemberGuild(t.Context(), UUID(id), guild); !errors.Is(err, ErrNotFound) || code(err) != 20010 {
			t.Errorf("got %v, want not found, 20010", err)
		}
		s.world.Must(s.sys.EditGuild(guild, fakepk.Fields{"tag": "| HH"}))
		s.world.Must(s.sys.EditMemberGuild(id, guild, fakepk.Fields{"display_name": "A."}))
		row := must[GuildSettings](t)(s.SystemGuild(t.Context(), guild))
		if v, _ := row.value("tag"); v != "| HH" || row.Guild != guild || row.Member != "" {
			t.Errorf("got %+v, want the tag of the system", row)
		}
		row = must[GuildSettings](t)(s.MemberGuild(t.Context(), UUID(strings.ToUpper(id)), guild))
		if v, _ := row.value("display_name"); v != "A." || row.Guild != guild || string(row.Member) != id {
			t.Errorf("got %+v, want the name of %s", row, id)
		}
		s.world.Must(s.sys.DeleteMember(id))
		if _, err := s.MemberGuild(t.Context(), UUID(id), guild); !errors.Is(err, ErrNotFound) || code(err) != 20002 {
			t.Errorf("got %v, want not found, 20002", err)
		}
	})
}

// TestAutoproxy: the member is said by short id, and not at all in mode front.
func TestAutoproxy(t *testing.T) {
	bubble(t, fakepk.APIConfig{}, func(t *testing.T, s *setting) {
		id := s.members("Alder")[0]
		if a := must[Autoproxy](t)(s.Autoproxy(t.Context(), guild)); a.Mode != "off" || a.Member != "" || !a.LastLatch.IsZero() {
			t.Errorf("got %+v, want off", a)
		}
		s.world.Must(s.sys.AutoproxyMember(guild, id))
		hid := must[[]Member](t)(s.Members(t.Context()))[0].HID
		if a := must[Autoproxy](t)(s.Autoproxy(t.Context(), guild)); a.Mode != "member" || a.Member != hid || a.Guild != guild {
			t.Errorf("got %+v, want member %s", a, hid)
		}
		s.world.Must(s.sys.Autoproxy(guild, "latch"))
		_, err := s.sys.Proxy(fakepk.Message{Member: id, Guild: guild})
		s.world.Must(err)
		a := must[Autoproxy](t)(s.Autoproxy(t.Context(), guild))
		if a.LastLatch.IsZero() || !a.LastLatch.Equal(a.LastLatch.Truncate(time.Microsecond)) || a.Member != hid {
			t.Errorf("got %+v, want %s latched at a microsecond", a, hid)
		}
	})
}

func TestAccountsAndMessages(t *testing.T) {
	bubble(t, fakepk.APIConfig{}, func(t *testing.T, s *setting) {
		other, err := s.world.CreateSystem("1150000000000000009", nil)
		s.world.Must(err)
		for account, want := range map[string]string{account: s.sys.UUID(), "1150000000000000009": other.UUID(), "5": ""} {
			if got, found, err := s.SystemOf(t.Context(), account); err != nil || string(got) != want || found != (want != "") {
				t.Errorf("account %s: got %s %v, %v, want %s", account, got, found, err, want)
			}
		}
		id := s.members("Alder")[0]
		sent, err := s.sys.Proxy(fakepk.Message{Member: id, Guild: guild})
		s.world.Must(err)
		m := must[Message](t)(s.Message(t.Context(), sent))
		if m.ID != sent || m.Guild != guild || m.Sender != account || m.System == nil || string(m.System.UUID) != s.sys.UUID() ||
			m.Member == nil || string(m.Member.UUID) != id || m.At.IsZero() {
			t.Errorf("got %+v, want message %s of %s", m, sent, id)
		}
		s.world.Must(s.sys.DeleteMember(id))
		if m := must[Message](t)(s.Message(t.Context(), sent)); m.Member != nil {
			t.Errorf("got member %v, want none", m.Member)
		}
		s.world.Must(s.sys.DeleteMessages(sent))
		if _, err := s.Message(t.Context(), sent); !errors.Is(err, ErrNotFound) || code(err) != 20006 {
			t.Errorf("got %v, want not found, 20006", err)
		}
	})
}

// TestTokenGone: 401 on @me, and the system's uuid says which of the two it is.
func TestTokenGone(t *testing.T) {
	bubble(t, fakepk.APIConfig{}, func(t *testing.T, s *setting) {
		id := UUID(s.sys.UUID())
		_, err := s.sys.RefreshToken()
		s.world.Must(err)
		for name, err := range s.ownerOnly(t.Context()) {
			if !errors.Is(err, ErrUnauthorized) || errors.Is(err, ErrNotFound) {
				t.Errorf("%s: got %v, want unauthorized", name, err)
			}
		}
		if ok, err := s.SystemExists(t.Context(), id); !ok || err != nil {
			t.Errorf("got %v, %v, want that the system exists", ok, err)
		}
		s.world.Must(s.sys.Delete())
		if _, err := s.System(t.Context()); !errors.Is(err, ErrUnauthorized) {
			t.Errorf("got %v, want unauthorized", err)
		}
		if ok, err := s.SystemExists(t.Context(), id); ok || err != nil {
			t.Errorf("got %v, %v, want that the system is gone", ok, err)
		}
		if n := s.api.Counts()["/systems/{ref}/members"]; n != 1 {
			t.Errorf("got %d requests for members, want one: asking again does not help", n)
		}
	})
}

// ownerOnly asks everything that only an owner is told.
func (s *setting) ownerOnly(ctx context.Context) map[string]error {
	errs := map[string]error{}
	_, errs["system"] = s.System(ctx)
	_, errs["settings"] = s.Settings(ctx)
	_, errs["members"] = s.Members(ctx)
	_, errs["groups"] = s.Groups(ctx)
	_, _, errs["fronters"] = s.Fronters(ctx)
	_, errs["system guild"] = s.SystemGuild(ctx, guild)
	_, errs["autoproxy"] = s.Autoproxy(ctx, guild)
	return errs
}

// TestAnonymous: the public view, which looks like an answer, never is one.
func TestAnonymous(t *testing.T) {
	for _, hidden := range []bool{false, true} { // hidden lists are empty, or refused
		t.Run(fmt.Sprint("hidden ", hidden), func(t *testing.T) {
			bubble(t, fakepk.APIConfig{}, func(t *testing.T, s *setting) {
				id := s.members("Alder")[0]
				g, err := s.sys.CreateGroup("Gardeners")
				s.world.Must(err)
				turn, err := s.sys.Switch(id)
				s.world.Must(err)
				sent, err := s.sys.Proxy(fakepk.Message{Member: id, Guild: guild})
				s.world.Must(err)
				if hidden {
					private := fakepk.Fields{"privacy": fakepk.Fields{"visibility": "private"}}
					s.world.Must(s.sys.EditMember(id, private))
					s.world.Must(s.sys.EditGroup(g, private))
					s.world.Must(s.sys.Edit(fakepk.Fields{"privacy": fakepk.Fields{"front_history_privacy": "private", "front_privacy": "private"}}))
				}
				s.api.Inject(fakepk.Fault{Kind: fakepk.FaultRedacted})
				errs := s.ownerOnly(t.Context())
				_, errs["switch"] = s.Switch(t.Context(), UUID(turn))
				_, errs["message"] = s.Message(t.Context(), sent)
				_, errs["member guild"] = s.MemberGuild(t.Context(), UUID(id), guild)
				for name, err := range errs {
					if !errors.Is(err, ErrAnonymous) || errors.Is(err, ErrNotFound) {
						t.Errorf("%s: got %v, want anonymous", name, err)
					}
				}
				s.api.Heal()
				for name, err := range s.ownerOnly(t.Context()) {
					if err != nil {
						t.Errorf("%s: got %v, want it back", name, err)
					}
				}
			})
		})
	}
}

// TestRequestsRefusedHere: what cannot be right is not sent.
func TestRequestsRefusedHere(t *testing.T) {
	bubble(t, fakepk.APIConfig{}, func(t *testing.T, s *setting) {
		ctx := t.Context()
		errs := map[string]error{}
		_, errs["switch"] = s.Switch(ctx, "nonsense")
		_, errs["system guild"] = s.SystemGuild(ctx, "../1")
		_, errs["member guild"] = s.MemberGuild(ctx, "abvenk", guild)
		_, errs["member's guild"] = s.MemberGuild(ctx, UUID(s.sys.UUID()), "")
		_, errs["autoproxy"] = s.Autoproxy(ctx, "1&channel_id=2")
		_, _, errs["account"] = s.SystemOf(ctx, "@me")
		_, errs["exists"] = s.SystemExists(ctx, "@me")
		_, errs["message"] = s.Message(ctx, "123456789012345678901")
		for name, err := range errs {
			if !errors.Is(err, schemas.ErrInvalid) {
				t.Errorf("%s: got %v, want invalid", name, err)
			}
		}
		if got := s.api.Counts(); len(got) != 0 {
			t.Errorf("got requests %v, want none", got)
		}
	})
}
