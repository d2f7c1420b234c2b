package projections

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"switchlog/schemas"
)

const (
	dispatchSystem = "7f3c1a52-0d4e-4c1b-9a6e-2b8d5f90c311"
	alder          = "0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1"
	dune           = "3fb9a1c5-8c4d-4e7a-99b2-5b7cae3f4084"
)

// dispatched makes the event of a body as PluralKit sends it, the n-th to
// arrive.
func dispatched(t *testing.T, file string, n int) schemas.Recorded {
	t.Helper()
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var in struct {
		Type string
		ID   string
		Data json.RawMessage
	}
	if err := json.Unmarshal(body, &in); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	typ, known := schemas.PluralKitType(in.Type)
	if !known {
		t.Fatalf("%s: type %s", file, in.Type)
	}
	if typ == schemas.PKMemberGuildUpdate && !bytes.Contains(in.Data, []byte(`"guild_id"`)) {
		typ = schemas.PKAccountUpdate
	}
	in.Data = bytes.ReplaceAll(in.Data, []byte(`"webhook_url":"https://hooks.example.org/pk/7f3c",`), nil)
	return schemas.Recorded{Seq: uint64(n), Event: schemas.Event{
		ID: schemas.NewID(), Source: schemas.PluralKitSystemURL + dispatchSystem, Type: typ, Subject: in.ID,
		Time: time.Date(2025, 12, 1, 0, 0, n, 0, time.UTC), Data: in.Data,
		Route: schemas.PluralKitRoute(typ, dispatchSystem),
	}}
}

// TestDispatch folds what PluralKit really sends and asks what is known then.
func TestDispatch(t *testing.T) {
	for _, c := range []struct {
		name   string
		bodies string // in order of arrival
		ask    string
		want   string
	}{
		{"a member made in Discord is public by default",
			"04-create_member-bot",
			`SELECT name, id, tts, keep_proxy, autoproxy_enabled, message_count, proxy_tags, visibility, metadata_privacy FROM current_members`,
			`{"name":"Dune","id":null,"tts":0,"keep_proxy":0,"autoproxy_enabled":1,"message_count":0,"proxy_tags":"[]","visibility":"public","metadata_privacy":"public"}`},
		{"or private, if the system wants that",
			"04-create_member-bot_default_private",
			`SELECT name, visibility, name_privacy, metadata_privacy FROM current_members`,
			`{"name":"Dune","visibility":"private","name_privacy":"private","metadata_privacy":"private"}`},
		{"the null avatar of a create is not believed",
			"05-update_member-images 04-create_member-bot_avatar_null",
			`SELECT uuid = '` + alder + `' AS alder, avatar_url FROM members ORDER BY 1 DESC`,
			`{"alder":1,"avatar_url":"https://cdn.example.org/avatars/example.webp"} {"alder":0,"avatar_url":null}`},
		{"a member made by API carries more",
			"04-create_member-api",
			`SELECT display_name, color, birthday, pronouns, proxy_tags, metadata_privacy, name_privacy FROM current_members`,
			`{"display_name":"Dune 🏜️","color":"c2a878","birthday":"0004-02-29","pronouns":"xe/xem","proxy_tags":"[{\"prefix\":\"d:\",\"suffix\":null}]","metadata_privacy":"private","name_privacy":"public"}`},
		{"an update of one privacy leaves the others alone",
			"05-update_member-privacy_all 05-update_member-privacy_one",
			`SELECT visibility, name_privacy, metadata_privacy FROM members`,
			`{"visibility":"private","name_privacy":"public","metadata_privacy":"public"}`},
		{"proxy tags are replaced as a whole",
			"05-update_member-proxy_tags",
			`SELECT position, prefix, suffix FROM proxy_tags ORDER BY position`,
			`{"position":0,"prefix":"a:","suffix":null} {"position":1,"prefix":null,"suffix":"-a"} {"position":2,"prefix":"[","suffix":"]"}`},
		{"and cleared",
			"05-update_member-proxy_tags 05-update_member-proxy_tags_cleared",
			`SELECT (SELECT count(*) FROM proxy_tags) AS n, proxy_tags AS known FROM members`,
			`{"n":0,"known":"[]"}`},
		{"null clears",
			"05-update_member-birthday_no_year 05-update_member-birthday_cleared",
			`SELECT birthday, json_array_length(versions, '$.birthday') AS known FROM members`,
			`{"birthday":null,"known":3}`},
		{"data.id is the new short id",
			"05-update_member-hid_changed 08-update_group-hid_changed 02-update_system-hid_changed",
			`SELECT m.id AS member, g.id AS "group", s.id AS system FROM members m, groups g, systems s`,
			`{"member":"alderr","group":"garden","system":"harbor"}`},
		{"a message tells all of its system and member, but does not overrule an update",
			"05-update_member-cleared 05-update_member-privacy_one 15-create_message",
			`SELECT id, name, display_name, visibility, proxy_privacy, autoproxy_enabled, message_count, created FROM current_members`,
			`{"id":"abvenk","name":"Alder","display_name":null,"visibility":"private","proxy_privacy":"public","autoproxy_enabled":1,"message_count":4182,"created":"2021-03-15T18:00:01.250000Z"}`},
		{"of the system too",
			"15-create_message-member_gone",
			`SELECT s.id, s.tag, s.front_privacy, s.created_us, m.member_uuid FROM systems s, messages m`,
			`{"id":"kfazoe","tag":"| HH","front_privacy":"private","created_us":1615714013589793,"member_uuid":null}`},
		{"a message counts once",
			"15-create_message 15-create_message 15-create_message-member_gone",
			`SELECT id, member_uuid, timestamp_us, original, sender, channel, guild FROM messages`,
			`{"id":"1444000000000000005","member_uuid":"` + alder + `","timestamp_us":1764346828000000,"original":"1443999997000000006","sender":"1150000000000000003","channel":"1150000000000000002","guild":"1150000000000000001"}`},
		{"settings",
			"03-update_settings-latch_timeout 03-update_settings-latch_timeout_reset 03-update_settings-description_templates 03-update_settings-hid_list_padding",
			`SELECT latch_timeout, description_templates, hid_list_padding, timezone FROM system_settings`,
			`{"latch_timeout":null,"description_templates":"[\"Likes:\\nDislikes:\",\"Role: \"]","hid_list_padding":"left","timezone":null}`},
		{"a group",
			"07-create_group-bot_default_private 08-update_group-fields 10-delete_group",
			`SELECT shown_name, list_privacy, member_count FROM current_groups`,
			`{"shown_name":"Night shift","list_privacy":"private","member_count":0}`},
		{"accounts: an empty update names one",
			"11-link_account 12-unlink_account 14-update_member_guild-account_empty 14-update_member_guild-account_null_system",
			`SELECT id, linked, deleted_us FROM accounts`,
			`{"id":"1150000000000000003","linked":null,"deleted_us":null} {"id":"1150000000000000004","linked":0,"deleted_us":1764547202000000}`},
		{"an account's setting is no member's",
			"14-update_member_guild-account_autoproxy",
			`SELECT id, linked, allow_autoproxy, (SELECT count(*) FROM member_guilds) + (SELECT count(*) FROM members) AS members FROM accounts`,
			`{"id":"1150000000000000003","linked":null,"allow_autoproxy":0,"members":0}`},
		{"a system in a server",
			"13-update_system_guild-tag 13-update_system_guild-tag_enabled 13-update_system_guild-proxying",
			`SELECT guild_id, proxying_enabled, tag, tag_enabled FROM system_guilds`,
			`{"guild_id":"1150000000000000001","proxying_enabled":0,"tag":"| guild tag","tag_enabled":0}`},
		{"a member in a server",
			"14-update_member_guild-display_name 14-update_member_guild-keep_proxy 14-update_member_guild-keep_proxy_cleared",
			`SELECT member_uuid, display_name, keep_proxy FROM member_guilds`,
			`{"member_uuid":"` + alder + `","display_name":"Alder (mod)","keep_proxy":null}`},
		{"autoproxy in latch mode",
			"21-update_autoproxy-latch 21-update_autoproxy-latch_message",
			`SELECT guild_id, channel_id, autoproxy_mode, autoproxy_member, last_latch_timestamp_us FROM autoproxy`,
			`{"guild_id":"1150000000000000001","channel_id":"","autoproxy_mode":"latch","autoproxy_member":"` + alder + `","last_latch_timestamp_us":1764349388447150}`},
		{"switched off by a message, the member stays",
			"21-update_autoproxy-member 21-update_autoproxy-disabled_by_message",
			`SELECT autoproxy_mode, autoproxy_member FROM autoproxy`,
			`{"autoproxy_mode":"off","autoproxy_member":"` + alder + `"}`},
		{"unlatched, the mode stays",
			"21-update_autoproxy-latch 21-update_autoproxy-latch_message 21-update_autoproxy-unlatch",
			`SELECT autoproxy_mode, autoproxy_member FROM autoproxy`,
			`{"autoproxy_mode":"latch","autoproxy_member":null}`},
		{"an import",
			"20-successful_import",
			`SELECT system_uuid, time_us FROM imports`,
			`{"system_uuid":"` + dispatchSystem + `","time_us":1764547201000000}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := openTest(t, All)
			var batch []schemas.Recorded
			for i, body := range strings.Fields(c.bodies) {
				batch = append(batch, dispatched(t, "testdata/pluralkit/"+body+".json", i+1))
			}
			if err := db.Apply(context.Background(), "epoch", batch); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(rowsOf(t, db, c.ask), " "); got != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}

// TestDispatchWhole folds every body there is: none breaks its contract, and
// each leaves the row its fact says.
func TestDispatchWhole(t *testing.T) {
	files, err := filepath.Glob("testdata/pluralkit/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d bodies (%v), want some", len(files), err)
	}
	var batch []schemas.Recorded
	for i, file := range files {
		if strings.Contains(file, "member_gone") {
			continue // the same message, told otherwise: its id says it is no other event
		}
		batch = append(batch, dispatched(t, file, i+1))
	}
	db := openTest(t, All)
	if err := db.Apply(context.Background(), "epoch", batch); err != nil {
		t.Fatal(err)
	}
	for ask, want := range map[string]string{
		`SELECT seq, reason FROM skipped`:                                                 ``,
		`SELECT count(*) AS members, sum(deleted_us IS NOT NULL) AS deleted FROM members`: `{"members":4,"deleted":1}`,
		`SELECT count(*) AS n FROM groups WHERE deleted_us IS NOT NULL`:                   `{"n":1}`,
		`SELECT count(*) AS n FROM messages`:                                              `{"n":1}`,
		`SELECT name FROM members WHERE uuid = '` + dune + `'`:                            `{"name":"Dune"}`,
		// The message's member is the one that the latest update named.
		`SELECT id, message_count FROM current_members WHERE uuid = '` + alder + `'`: `{"id":"alderr","message_count":4182}`,
	} {
		if got := strings.Join(rowsOf(t, db, ask), " "); got != want {
			t.Errorf("%s\ngot:  %s\nwant: %s", ask, got, want)
		}
	}
}
