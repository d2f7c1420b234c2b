package mirror

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"switchlog/test/fakepk"
)

// everything is a system that has some of all there is.
func (p *pair) everything() *fakepk.System {
	p.t.Helper()
	w := p.w
	s := p.system(account, fakepk.Fields{"name": "Harbour House", "description": "\"We\" share\tone\u2028keyboard. <&>",
		"tag": "| HH", "pronouns": "they/them", "color": "4f8a8b", "banner": "https://media.discordapp.net/attachments/1/2/b.png?width=9"})
	var m []string
	for i := range 5 {
		uuid, err := s.CreateMember(fmt.Sprintf("Member %d \u0085\u0001", i), nil)
		w.Must(err)
		m = append(m, uuid)
	}
	levels := fakepk.Fields{}
	for _, key := range memberShape.privacy {
		levels[key] = "private"
	}
	w.Must(s.EditMember(m[1], fakepk.Fields{"display_name": "Shown", "privacy": levels, "birthday": "0004-02-29",
		"description": "hidden", "pronouns": "it/its", "avatar_url": "https://example.org/a.png",
		"proxy_tags": []fakepk.ProxyTag{fakepk.Tag("\"[\\", "]"), fakepk.Tag("", "-a"), fakepk.Tag("", "")}}))
	w.Must(s.EditMember(m[2], fakepk.Fields{"tts": true, "keep_proxy": true, "autoproxy_enabled": false, "color": "AABBCC",
		"webhook_avatar_url": "https://media.discordapp.net/attachments/1/2/c.png",
		"privacy":            fakepk.Fields{"name_privacy": "private", "visibility": "private"}}))
	w.Must(s.EditMember(m[3], fakepk.Fields{"display_name": "Open", "description": "seen", "proxy_tags": []fakepk.ProxyTag{fakepk.Tag("d:", "")}}))
	for i := range 3 {
		g, err := s.CreateGroup(fmt.Sprint("Group ", i))
		w.Must(err)
		w.Must(s.AddToGroup(g, m[i:]...))
		levels := []fakepk.Fields{
			{"display_name": "First"},
			{"icon": "https://example.org/i.png", "privacy": fakepk.Fields{"list_privacy": "private", "icon_privacy": "private"}},
			{"display_name": "Third", "privacy": fakepk.Fields{"visibility": "private", "name_privacy": "private", "metadata_privacy": "private"}},
		}
		w.Must(s.EditGroup(g, levels[i]))
	}
	for i := range 7 {
		_, err := s.Switch(m[(i+2)%5], m[i%5])
		w.Must(err)
		_, err = s.Switch()
		w.Must(err)
	}
	_, err := s.APISwitchAt(w.Clock.Now().Add(100*24*time.Hour), m[2], m[1], m[0])
	w.Must(err)
	w.Must(s.EditGuild(guild, fakepk.Fields{"tag": "| server", "proxying_enabled": false}))
	w.Must(s.EditMemberGuild(m[0], otherGuild, fakepk.Fields{"display_name": "There", "keep_proxy": true}))
	w.Must(s.AutoproxyMember(otherGuild, m[3]))
	w.Must(s.Autoproxy(guild, "latch"))
	w.Must(s.EditSettings(fakepk.Fields{"description_templates": []string{"Likes: \u2028", "\"Role\""}, "latch_timeout": 0, "timezone": "Europe/Oslo"}))
	w.Must(s.Link("1150000000000000009"))
	for i := range 4 {
		_, err := s.Proxy(fakepk.Message{Member: m[i]})
		w.Must(err)
	}
	w.Must(s.DeleteMember(m[4]))
	return s
}

// TestSameAnswers: on every path, whoever asks, the mirror says what PluralKit
// says. What is private to one system, another owner and nobody see alike.
func TestSameAnswers(t *testing.T) {
	p := newPair(t)
	s := p.everything()
	empty := p.system(otherAccount, nil)
	check := func() {
		t.Helper()
		p.look(s)
		p.look(empty)
		for _, of := range []*fakepk.System{s, empty} {
			for _, path := range p.paths(of) {
				for _, token := range []string{of.Token(), s.Token(), empty.Token(), "", "nobody's"} {
					p.same(token, path)
				}
				if !strings.Contains(path, "@me") {
					got, want := ask(p.mirror, operator, path), ask(p.mirror, of.Token(), path)
					if got != want {
						t.Errorf("%s\ngot, as the operator %s\nwant %s", path, got, want)
					}
				}
			}
		}
	}
	check()
	private := fakepk.Fields{}
	for _, key := range systemShape.privacy {
		private[key] = "private"
	}
	p.w.Must(s.Edit(fakepk.Fields{"privacy": private}))
	check()
}

// TestSameLives: whatever happened to a system, when the API was asked the
// mirror says what PluralKit says.
func TestSameLives(t *testing.T) {
	for seed := range uint64(3) {
		p := newPair(t)
		p.w.SetOdds(fakepk.Odds{APICreateSeen: .5, CounterFirst: .5, WriteFails: .05, EditLost: .05})
		s, other := p.system(account, nil), p.system(otherAccount, nil)
		life := s.Live(seed)
		for range 2 {
			life.Steps(150)
			p.look(s)
			p.look(other)
			for _, path := range p.paths(s) {
				p.same(s.Token(), path)
				p.same("", path)
			}
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
}
