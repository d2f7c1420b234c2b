package fakepk

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The ids of the example bodies.
const (
	exSystem  = "7f3c1a52-0d4e-4c1b-9a6e-2b8d5f90c311"
	exToken   = "example-token-not-a-real-secret"
	exAlder   = "0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1"
	exBriar   = "1d94e7f3-6a2b-4c58-b7e0-3f5a8c1d2e62"
	exCedar   = "2ea8f0b4-7b3c-4d69-a8f1-4a6b9d2e3f73"
	exDune    = "3fb9a1c5-8c4d-4e7a-99b2-5b7cae3f4084"
	exGarden  = "a1d0c3e5-9e8f-4a7b-8c6d-5e4f3a2b1c90"
	exNight   = "b2e1d4f6-0a9b-4c8d-9d7e-6f5a4b3c2d01"
	exSwitch  = "c4f1e2d3-1a2b-4c3d-9e4f-5a6b7c8d9e01"
	exOut     = "d5a2f3e4-2b3c-4d4e-8f5a-6b7c8d9e0f12"
	exDated   = "e6b3a4f5-3c4d-4e5f-9a6b-7c8d9e0f1a23"
	exGuild   = "1150000000000000001"
	exAccount = "1150000000000000003"
	exOther   = "1150000000000000004"
	exHook    = "https://hooks.example.org/pk/7f3c"
)

// an example is the world in which the example bodies were written.
type example struct {
	*System
	t *testing.T
	w *World
}

func newExample(t *testing.T, c Config) *example {
	t.Helper()
	w := New(t, c)
	x := &example{t: t, w: w}
	w.ids.forced = []string{exSystem, exAlder, exBriar, exCedar, exGarden}
	s, err := w.CreateSystem(exAccount, Fields{"name": "Harbour House", "description": "We share one keyboard.",
		"tag": "| HH", "pronouns": "they/them", "color": "4f8a8b",
		"privacy": Fields{"front_privacy": "private", "front_history_privacy": "private"}})
	w.Must(err)
	x.System = s
	for _, name := range []string{"Alder", "Briar", "Cedar"} {
		_, err := s.CreateMember(name, nil)
		w.Must(err)
	}
	_, err = s.CreateGroup("Gardeners")
	w.Must(err)
	s.hid, s.webhook, s.signing, s.created = "kfazoe", exHook, exToken, when("2021-03-14T09:26:53.589793Z")
	alder, briar, cedar := s.members[0], s.members[1], s.members[2]
	alder.hid, briar.hid, cedar.hid = "abvenk", "bzytok", "cwsxen"
	alder.created, alder.messages, alder.lastMessage = when("2021-03-15T18:00:01.25Z"), 4182, when("2025-11-28T16:55:12.018204Z")
	alder.fields.merge(Fields{"color": "3a7d44", "birthday": "0004-02-29", "pronouns": "he/him",
		"avatar_url": "https://cdn.example.org/avatars/example.webp", "proxy_tags": []ProxyTag{Tag("a:", "")}})
	s.groups[0].hid, s.groups[0].created = "gnohev", when("2021-05-02T10:00:00Z")
	s.groups[0].fields["color"] = "3a7d44"
	return x
}

func when(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		panic(err)
	}
	return t
}

// at makes the next action happen at that moment.
func (x *example) at(s string) *example {
	x.w.Clock.Set(when(s).Add(-clockStep))
	return x
}

func (x *example) next(uuids ...string) *example {
	x.w.ids.forced = uuids
	return x
}

// a switch by Alder and Briar, made and announced.
func (x *example) switched() *example {
	x.next(exSwitch).at("2025-11-28T17:01:44.271093Z").must2(x.Switch(exAlder, exBriar))
	return x
}

func (x *example) latched() *example {
	x.w.Must(x.Autoproxy(exGuild, "latch"))
	return x
}

func (x *example) must2(_ string, err error) { x.w.Must(err) }

func (x *example) settings(f Fields)    { x.w.Must(x.EditSettings(f)) }
func (x *example) system(f Fields)      { x.w.Must(x.Edit(f)) }
func (x *example) alder(f Fields)       { x.w.Must(x.EditMember(exAlder, f)) }
func (x *example) guild(f Fields)       { x.w.Must(x.EditGuild(exGuild, f)) }
func (x *example) alderGuild(f Fields)  { x.w.Must(x.EditMemberGuild(exAlder, exGuild, f)) }
func (x *example) importing(f File)     { x.w.Must(x.Import(f, false)) }
func (x *example) dune(f Fields)        { x.next(exDune).must2(x.APICreateMember(f)) }
func (x *example) newDune(image *Image) { x.next(exDune).must2(x.CreateMember("Dune", image)) }
func (x *example) message(gone bool) {
	x.must2(x.Proxy(Message{Member: exAlder, ID: "1444000000000000005", Original: "1443999997000000006",
		Sender: exAccount, Channel: "1150000000000000002", Guild: exGuild, MemberGone: gone}))
}

var systemImport = Fields{"name": "Harbour House", "description": "We share one keyboard.", "tag": "| HH",
	"pronouns": "they/them", "avatar_url": nil, "banner": nil, "color": "4f8a8b", "privacy": all(systemPrivacy, "public")}

var settingsImport = Fields{"timezone": "Europe/Oslo", "pings_enabled": true, "latch_timeout": nil,
	"member_default_private": false, "group_default_private": false, "description_templates": []string{},
	"case_sensitive_proxy_tags": true, "proxy_error_message_enabled": true, "hid_display_split": false,
	"hid_display_caps": false, "card_show_color_hex": false, "proxy_switch": "off", "name_format": nil}

// exampleActions is what makes each example body: the file's name without its extension.
var exampleActions = map[string]func(x *example){
	"02-update_system-cleared": func(x *example) { x.system(Fields{"description": nil}) },
	"02-update_system-fields": func(x *example) {
		x.system(Fields{"tag": "| HH", "name": "Harbour House", "pronouns": "they/them", "description": "We share one keyboard."})
	},
	"02-update_system-hid_changed": func(x *example) { x.w.Must(x.ChangeHID("harbor")) },
	"02-update_system-images": func(x *example) {
		x.system(Fields{"avatar_url": "https://cdn.example.org/avatars/example.webp", "banner": nil, "color": "4f8a8b"})
	},
	"02-update_system-import":      func(x *example) { x.importing(File{System: systemImport}) },
	"02-update_system-privacy_all": func(x *example) { x.system(Fields{"privacy": all(systemPrivacy, "private")}) },
	"02-update_system-privacy_one": func(x *example) { x.system(Fields{"privacy": Fields{"front_privacy": "private"}}) },

	"03-update_settings-description_templates": func(x *example) { x.settings(Fields{"description_templates": []string{"Likes:\nDislikes:", "Role: "}}) },
	"03-update_settings-hid_list_padding":      func(x *example) { x.settings(Fields{"hid_list_padding": "left"}) },
	"03-update_settings-import":                func(x *example) { x.importing(File{Config: settingsImport}) },
	"03-update_settings-latch_timeout":         func(x *example) { x.settings(Fields{"latch_timeout": 3600}) },
	"03-update_settings-latch_timeout_reset":   func(x *example) { x.settings(Fields{"latch_timeout": nil}) },
	"03-update_settings-member_limit":          func(x *example) { x.settings(Fields{"member_limit": 1500}) },
	"03-update_settings-name_format_cleared":   func(x *example) { x.settings(Fields{"name_format": nil}) },
	"03-update_settings-proxy_switch":          func(x *example) { x.settings(Fields{"proxy_switch": "add"}) },
	"03-update_settings-timezone":              func(x *example) { x.settings(Fields{"timezone": "Europe/Oslo"}) },

	"04-create_member-api": func(x *example) {
		x.dune(Fields{"name": "Dune", "display_name": "Dune 🏜️", "color": "C2A878", "birthday": "0004-02-29",
			"pronouns": "xe/xem", "description": nil, "proxy_tags": []ProxyTag{Tag("d:", "")}, "keep_proxy": false,
			"privacy": Fields{"visibility": "public", "metadata_privacy": "private"}})
	},
	"04-create_member-bot":             func(x *example) { x.newDune(nil) },
	"04-create_member-bot_avatar_null": func(x *example) { x.newDune(&Image{URL: "https://cdn.discordapp.com/attachments/1/2/a.png"}) },
	"04-create_member-bot_default_private": func(x *example) {
		x.settings(Fields{"member_default_private": true})
		x.newDune(nil)
	},

	"05-update_member-api_many": func(x *example) {
		x.w.Must(x.EditMember(exBriar, Fields{"name": "Briar", "display_name": `Briar "Thorn"`, "avatar_url": nil,
			"color": "a83279", "birthday": "1999-11-05", "pronouns": "she/her",
			"description": "Line one\nLine two — ünïcode ✅", "proxy_tags": []ProxyTag{Tag("b:", "")}, "keep_proxy": false,
			"tts": false, "privacy": Fields{"description_privacy": "private"}, autoproxyEnabled: true}))
	},
	"05-update_member-birthday_cleared": func(x *example) { x.alder(Fields{"birthday": nil}) },
	"05-update_member-birthday_no_year": func(x *example) { x.alder(Fields{"birthday": "0004-02-29"}) },
	"05-update_member-cleared":          func(x *example) { x.alder(Fields{"display_name": nil}) },
	"05-update_member-flags":            func(x *example) { x.alder(Fields{"keep_proxy": true}) },
	"05-update_member-hid_changed":      func(x *example) { x.w.Must(x.ChangeMemberHID(exAlder, "alderr")) },
	"05-update_member-images": func(x *example) {
		x.alder(Fields{"avatar_url": "https://cdn.example.org/avatars/example.webp", "webhook_avatar_url": nil, "banner": "https://example.org/banner.png"})
	},
	"05-update_member-name":        func(x *example) { x.alder(Fields{"name": "Alder"}) },
	"05-update_member-privacy_all": func(x *example) { x.alder(Fields{"privacy": all(memberPrivacy, "public")}) },
	"05-update_member-privacy_one": func(x *example) { x.alder(Fields{"privacy": Fields{"visibility": "private"}}) },
	"05-update_member-proxy_tags": func(x *example) {
		x.alder(Fields{"proxy_tags": []ProxyTag{Tag("a:", ""), Tag("", "-a"), Tag("[", "]")}})
	},
	"05-update_member-proxy_tags_cleared": func(x *example) { x.alder(Fields{"proxy_tags": []ProxyTag{}}) },
	"06-delete_member":                    func(x *example) { x.w.Must(x.DeleteMember(exCedar)) },

	"07-create_group-api": func(x *example) {
		x.next(exNight).must2(x.APICreateGroup(Fields{"name": "Night shift", "display_name": nil,
			"description": "Late hours", "icon": nil, "banner": nil, "color": "222244", "privacy": Fields{"list_privacy": "private"}}))
	},
	"07-create_group-bot": func(x *example) { x.next(exNight).must2(x.CreateGroup("Night shift")) },
	"07-create_group-bot_default_private": func(x *example) {
		x.settings(Fields{"group_default_private": true})
		x.next(exNight).must2(x.CreateGroup("Night shift"))
	},
	"08-update_group-fields": func(x *example) {
		x.w.Must(x.EditGroup(exGarden, Fields{"name": "Gardeners", "description": nil, "icon": "https://example.org/icon.png", "color": "3a7d44"}))
	},
	"08-update_group-hid_changed": func(x *example) { x.w.Must(x.ChangeGroupHID(exGarden, "garden")) },
	"08-update_group-privacy_one": func(x *example) { x.w.Must(x.EditGroup(exGarden, Fields{"privacy": Fields{"visibility": "private"}})) },
	"10-delete_group":             func(x *example) { x.w.Must(x.DeleteGroup(exGarden)) },
	"11-link_account":             func(x *example) { x.w.Must(x.Link(exOther)) },
	"12-unlink_account": func(x *example) {
		x.w.Must(x.Link(exOther))
		x.w.Must(x.Unlink(exOther))
	},

	"13-update_system_guild-api_many": func(x *example) {
		x.guild(Fields{"proxying_enabled": true, "tag": nil, "tag_enabled": true, "avatar_url": nil,
			"display_name": "Harbour (server)", "name_format": "{tag} {name}"})
	},
	"13-update_system_guild-proxying":    func(x *example) { x.guild(Fields{"proxying_enabled": false}) },
	"13-update_system_guild-tag":         func(x *example) { x.guild(Fields{"tag": "| guild tag"}) },
	"13-update_system_guild-tag_cleared": func(x *example) { x.guild(Fields{"tag": nil}) },
	"13-update_system_guild-tag_enabled": func(x *example) { x.guild(Fields{"tag_enabled": false}) },

	"14-update_member_guild-account_autoproxy":  func(x *example) { x.w.Must(x.AccountAutoproxy(exAccount, false)) },
	"14-update_member_guild-account_empty":      func(x *example) { x.w.Must(x.DM(exAccount)) },
	"14-update_member_guild-avatar_cleared":     func(x *example) { x.alderGuild(Fields{"avatar_url": nil}) },
	"14-update_member_guild-display_name":       func(x *example) { x.alderGuild(Fields{"display_name": "Alder (mod)"}) },
	"14-update_member_guild-keep_proxy":         func(x *example) { x.alderGuild(Fields{"keep_proxy": true}) },
	"14-update_member_guild-keep_proxy_cleared": func(x *example) { x.alderGuild(Fields{"keep_proxy": nil}) },
	"14-update_member_guild-account_null_system": func(x *example) {
		x.w.conf.Old = true
		x.w.Must(x.DM(exAccount))
	},

	"15-create_message":             func(x *example) { x.message(false) },
	"15-create_message-member_gone": func(x *example) { x.message(true) },

	"16-create_switch": func(x *example) { x.switched() },
	"16-create_switch-out": func(x *example) {
		x.next(exOut).at("2025-11-28T23:30:00.5Z").must2(x.Switch())
	},
	"16-create_switch-then_backdated_1": backdated,
	"17-update_switch-then_backdated_2": backdated,
	// The order given is Cedar first; the event lists members as they were created.
	"17-update_switch-members":     func(x *example) { x.w.Must(x.switched().EditSwitch(exCedar, exAlder)) },
	"17-update_switch-members_out": func(x *example) { x.w.Must(x.switched().EditSwitch()) },
	"17-update_switch-timestamp":   func(x *example) { x.w.Must(x.switched().MoveSwitch(when("2025-11-28T16:45:00Z"))) },
	"17-update_switch-timestamp_subus": func(x *example) {
		x.w.Must(x.switched().APIMoveSwitch(exSwitch, when("2025-11-28T16:45:00.1234567Z")))
	},
	"18-delete_switch":       func(x *example) { x.w.Must(x.switched().DeleteSwitch("")) },
	"19-delete_all_switches": func(x *example) { x.w.Must(x.switched().DeleteAllSwitches()) },
	"20-successful_import":   func(x *example) { x.importing(File{Tupperbox: true}) },

	"21-update_autoproxy-api_mode_only": func(x *example) { x.w.Must(x.APIAutoproxy(exGuild, "latch", nil)) },
	"21-update_autoproxy-disabled_by_message": func(x *example) {
		x.w.Must(x.latched().AutoproxyOffByMessage(exGuild))
	},
	"21-update_autoproxy-front": func(x *example) { x.w.Must(x.Autoproxy(exGuild, "front")) },
	"21-update_autoproxy-latch": func(x *example) { x.latched() },
	"21-update_autoproxy-latch_message": func(x *example) {
		x.latched().at("2025-11-28T17:03:08.4471502Z").message(false)
	},
	"21-update_autoproxy-member":  func(x *example) { x.w.Must(x.AutoproxyMember(exGuild, exAlder)) },
	"21-update_autoproxy-off":     func(x *example) { x.w.Must(x.Autoproxy(exGuild, "off")) },
	"21-update_autoproxy-unlatch": func(x *example) { x.w.Must(x.latched().Unlatch(exGuild)) },
}

func backdated(x *example) {
	x.next(exDated).at("2025-11-29T08:15:02.114Z").must2(x.APISwitchAt(when("2025-11-29T07:00:00Z"), exCedar))
}

// exampleBodies are those that no action of a user makes.
var exampleBodies = map[string][]byte{
	"01-ping-valid":           pingBody(exToken, exSystem, false),
	"01-ping-invalid-token":   pingBody("example-token-deliberately-wrong", exSystem, false),
	"01-ping-operator-spaced": pingBody(exToken, exSystem, true),

	"09-update_group_members-never_sent": UpdateGroupMembersBody(exSystem),
}

// TestExampleBodies: every example body is made, byte for byte, by the action that PluralKit makes it for.
func TestExampleBodies(t *testing.T) {
	files, err := filepath.Glob("testdata/dispatch/*.json")
	if err != nil || len(files) != 79 {
		t.Fatalf("got %d files (%v), want 79", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if body, ok := exampleBodies[name]; ok {
				if string(body) != string(want) {
					t.Errorf("got  %s\nwant %s", body, want)
				}
				return
			}
			act := exampleActions[name]
			if act == nil {
				t.Fatal("got no action that makes it, want one")
			}
			x := newExample(t, Config{Odds: Odds{APICreateSeen: 1}})
			act(x)
			var got []string
			for _, d := range x.w.Deliveries() {
				if string(d.Body) == string(want) {
					return
				}
				got = append(got, string(d.Body))
			}
			t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), want)
		})
	}
}
