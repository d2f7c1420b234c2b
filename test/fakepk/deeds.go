package fakepk

import (
	"strings"
	"time"
)

// deeds is everything that people do, and how often in all of it. Deleting the system is not among them.
var deeds = []deed{
	{"message", 120, func(l *Life) error { return second(l.s.Proxy(Message{Member: l.member(), Guild: l.guild()})) }},
	{"reproxy", 4, func(l *Life) error { return second(l.s.Reproxy(l.message(), l.member())) }},
	{"delete message", 4, func(l *Life) error { return l.s.DeleteMessages(l.message()) }},
	{"message of a member just deleted", 1, func(l *Life) error {
		return second(l.s.Proxy(Message{Member: l.member(), Guild: l.guild(), MemberGone: true}))
	}},
	{"DM", 8, func(l *Life) error { return l.s.DM(l.account()) }},

	{"switch", 40, func(l *Life) error { return second(l.s.Switch(l.members(3)...)) }},
	{"API switch", 8, func(l *Life) error { return second(l.s.APISwitch(l.members(4)...)) }},
	{"API switch with timestamp", 8, func(l *Life) error { return second(l.s.APISwitchAt(l.moment(), l.members(3)...)) }},
	{"move switch", 5, func(l *Life) error {
		return l.s.MoveSwitch(l.s.w.now().Add(-time.Duration(l.rng.IntN(50)) * time.Second))
	}},
	{"API move switch", 5, func(l *Life) error { return l.s.APIMoveSwitch(l.turn(), l.moment()) }},
	{"edit switch", 5, func(l *Life) error { return l.s.EditSwitch(l.members(3)...) }},
	{"API edit switch", 5, func(l *Life) error { return l.s.APIEditSwitch(l.turn(), l.members(3)...) }},
	{"delete switch", 3, func(l *Life) error { return l.s.DeleteSwitch(l.turn()) }},
	{"delete all switches", 1, func(l *Life) error { return l.s.DeleteAllSwitches() }},

	{"new member", 12, func(l *Life) error { return second(l.s.CreateMember(l.text(), l.image())) }},
	{"new member by API", 8, func(l *Life) error {
		return second(l.s.APICreateMember(Fields{"name": l.text(), "pronouns": l.textOrNil(), "privacy": Fields{"visibility": l.level()}}))
	}},
	{"edit member", 40, func(l *Life) error { return l.s.EditMember(l.member(), l.memberEdit()) }},
	{"member hid", 2, func(l *Life) error { return l.s.ChangeMemberHID(l.member(), l.hid()) }},
	{"member hid re-roll", 2, func(l *Life) error { return second(l.s.RerollMemberHID(l.member())) }},
	{"bulk member privacy", 2, func(l *Life) error { return l.s.BulkMemberPrivacy(l.level(), l.members(3)...) }},
	{"member in server", 6, func(l *Life) error {
		return l.s.EditMemberGuild(l.member(), l.guild(), l.either(Fields{"display_name": l.textOrNil()}, Fields{"keep_proxy": l.rng.IntN(2) == 0}, Fields{"keep_proxy": nil}))
	}},
	{"delete member", 6, func(l *Life) error { return l.s.DeleteMember(l.member()) }},

	{"new group", 5, func(l *Life) error { return second(l.s.CreateGroup(l.text())) }},
	{"new group by API", 4, func(l *Life) error { return second(l.s.APICreateGroup(Fields{"name": l.text(), "color": "AA00ff"})) }},
	{"edit group", 10, func(l *Life) error {
		return l.s.EditGroup(l.group(), l.either(Fields{"name": l.text()}, Fields{"description": l.textOrNil()}, Fields{"privacy": Fields{"visibility": l.level()}}))
	}},
	{"group hid", 1, func(l *Life) error { return l.s.ChangeGroupHID(l.group(), l.hid()) }},
	{"group hid re-roll", 1, func(l *Life) error { return second(l.s.RerollGroupHID(l.group())) }},
	{"bulk group privacy", 1, func(l *Life) error { return l.s.BulkGroupPrivacy(l.level()) }},
	{"delete group", 3, func(l *Life) error { return l.s.DeleteGroup(l.group()) }},
	{"add to group", 10, func(l *Life) error { return l.s.AddToGroup(l.group(), l.members(3)...) }},
	{"remove from group", 5, func(l *Life) error { return l.s.RemoveFromGroup(l.group(), l.members(2)...) }},
	{"set group members", 2, func(l *Life) error { return l.s.SetGroupMembers(l.group(), l.members(4)...) }},

	{"edit system", 10, func(l *Life) error {
		return l.s.Edit(l.either(Fields{"name": l.textOrNil()}, Fields{"tag": l.text(), "description": l.textOrNil()}, Fields{"privacy": Fields{"front_privacy": l.level()}}))
	}},
	{"settings", 8, func(l *Life) error {
		return l.s.EditSettings(l.either(Fields{"timezone": "Europe/Oslo"}, Fields{"proxy_switch": l.pick([]string{"off", "new", "add"})},
			Fields{"member_default_private": l.rng.IntN(2) == 0}, Fields{"latch_timeout": l.rng.IntN(9999)}, Fields{"name_format": l.textOrNil()}))
	}},
	{"system hid", 1, func(l *Life) error { return l.s.ChangeHID(l.hid()) }},
	{"system hid re-roll", 1, func(l *Life) error { return second(l.s.RerollHID()) }},
	{"system in server", 5, func(l *Life) error {
		return l.s.EditGuild(l.guild(), l.either(Fields{"tag": l.textOrNil()}, Fields{"proxying_enabled": l.rng.IntN(2) == 0}))
	}},
	{"look at server", 2, func(l *Life) error { return l.s.ReadGuild(l.guild()) }},
	{"autoproxy", 8, func(l *Life) error {
		return l.s.Autoproxy(l.guild(), l.pick([]string{"off", "front", "latch", "latch"}))
	}},
	{"autoproxy member", 4, func(l *Life) error { return l.s.AutoproxyMember(l.guild(), l.member()) }},
	{"unlatch", 3, func(l *Life) error { return l.s.Unlatch(l.guild()) }},
	{"autoproxy off by message", 3, func(l *Life) error { return l.s.AutoproxyOffByMessage(l.guild()) }},
	{"API autoproxy", 2, func(l *Life) error { return l.s.APIAutoproxy(l.guild(), "latch", nil) }},

	{"link", 2, func(l *Life) error { return l.s.Link(l.account()) }},
	{"unlink", 2, func(l *Life) error { return l.s.Unlink(l.account()) }},
	{"account autoproxy", 2, func(l *Life) error { return l.s.AccountAutoproxy(l.account(), l.rng.IntN(2) == 0) }},
	{"import", 2, func(l *Life) error { return l.s.Import(l.file(), false) }},
	{"failed import", 1, func(l *Life) error { return l.s.Import(l.file(), true) }},
}

func (l *Life) either(edits ...Fields) Fields { return edits[l.rng.IntN(len(edits))] }

func (l *Life) image() *Image {
	if l.rng.IntN(4) > 0 {
		return nil
	}
	return &Image{URL: "https://cdn.discordapp.com/attachments/1/2/a.png", Kept: l.rng.IntN(2) == 0}
}

func (l *Life) memberEdit() Fields {
	return l.either(
		Fields{"name": l.text()}, Fields{"display_name": l.textOrNil()}, Fields{"description": l.textOrNil()},
		Fields{"color": "A83279"}, Fields{"birthday": "0004-02-29"}, Fields{"birthday": nil},
		Fields{"proxy_tags": []ProxyTag{Tag("a:", ""), Tag("", "-a")}}, Fields{"proxy_tags": []ProxyTag{}},
		Fields{"avatar_url": mediaProxy + "1/2/a.png?width=4", "banner": nil},
		Fields{"keep_proxy": l.rng.IntN(2) == 0, "tts": l.rng.IntN(2) == 0}, Fields{autoproxyEnabled: l.rng.IntN(2) == 0},
		Fields{"privacy": Fields{"name_privacy": l.level(), "visibility": l.level()}},
		Fields{"name": l.text(), "pronouns": l.textOrNil(), "privacy": Fields{"metadata_privacy": l.level()}},
	)
}

// hid is a custom one, now and then one that is taken.
func (l *Life) hid() string {
	return strings.Repeat(string(rune('a'+l.rng.IntN(26))), 4) + string(rune('a'+l.rng.IntN(26)))
}

// file is a small import: known and new members, a group, some switches, two on one timestamp only with Ties.
func (l *Life) file() File {
	f := File{Tupperbox: l.rng.IntN(4) == 0}
	if !f.Tupperbox {
		f.System = Fields{"name": l.textOrNil(), "description": l.textOrNil(), "privacy": all(systemPrivacy, "public")}
		f.Config = Fields{"timezone": "UTC", "proxy_switch": "off"}
	}
	f.Members = []FileMember{{"aaaaa", Fields{"name": l.text()}}, {"bbbbb", Fields{"name": l.text(), "pronouns": "it/its"}}}
	f.Groups = []FileGroup{{"ggggg", Fields{"name": l.text()}, []string{"aaaaa", "bbbbb"}}}
	at := l.moment()
	f.Switches = []FileSwitch{{at, []string{"bbbbb", "aaaaa"}}, {at.Add(time.Hour * -1), nil}}
	if l.Ties {
		f.Switches = append(f.Switches, FileSwitch{at, []string{"aaaaa"}})
	}
	return f
}
