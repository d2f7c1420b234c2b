package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTailWords: events and changes in words.
func TestTailWords(t *testing.T) {
	at := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	names := func(uuid string) string { return map[string]string{"u-a": "Alder", "u-d": "Dune"}[uuid] }
	front := func(switchID string, names ...string) string {
		members := []string{}
		for _, n := range names {
			members = append(members, `{"uuid":"u","name":"`+n+`"}`)
		}
		return `{"switch_uuid":"` + switchID + `","members":[` + strings.Join(members, ",") + `]}`
	}
	for _, c := range []struct{ typ, subject, data, want string }{
		{"switchlog.front.changed", "sys", `{"before":` + front("s1", "Cove") + `,"after":` + front("s2", "Alder", "Dune") + `}`, "Alder, Dune now front (Cove before)"},
		{"switchlog.front.changed", "sys", `{"before":null,"after":` + front("s2", "Alder") + `}`, "Alder now fronts"},
		{"switchlog.front.changed", "sys", `{"before":` + front("", "") + `,"after":` + front("s2", "Alder") + `}`, "Alder now fronts"},
		{"switchlog.front.changed", "sys", `{"before":` + front("s1", "Cove") + `,"after":` + front("s2") + `}`, "nobody fronts now (Cove before)"},
		{"switchlog.front.changed", "sys", `{"before":` + front("s1") + `,"after":` + front("s2", "Cove") + `}`, "Cove now fronts (nobody before)"},
		{"switchlog.member.changed", "u-a", `{"before":{"name":"Alder","color":null,"pronouns":"he/him"},"after":{"name":"Alder","color":"3a7d44","pronouns":"he/him"}}`, "member Alder changed: color is now 3a7d44"},
		{"switchlog.member.changed", "u-a", `{"before":null,"after":{"name":"Alder"}}`, "member Alder is new"},
		{"switchlog.group.changed", "g", `{"before":{"name":"Trees"},"after":null}`, "group Trees is gone"},
		{"me.pluralkit.switch.create", "s", `{"timestamp":"2026-03-01T08:00:00Z","members":["u-a","u-x"]}`, "switch logged: Alder, u-x"},
		{"me.pluralkit.switch.update", "s", `{"timestamp":"2026-02-01T08:00:00Z"}`, "switch updated, at " + clock(at.AddDate(0, 0, -28), at)},
		{"me.pluralkit.switch.delete", "s", "", "switch deleted"},
		{"me.pluralkit.switch.create", "s", `{"members":[]}`, "switch logged: nobody"},
		{"me.pluralkit.member.update", "u-a", `{"color":"3a7d44","pronouns":null}`, "member updated: Alder (color, pronouns)"},
		{"me.pluralkit.member.delete", "u-d", "null", "member deleted: Dune"},
		{"me.pluralkit.message.create", "1", `{"member":{"uuid":"u-a","name":"Alder"}}`, "message of Alder"},
		{"me.pluralkit.message.create", "1", `{"member":null}`, "message created"},
		{"com.discord.entitlement.create", "1", `{"id":"1","sku_id":"2"}`, "entitlement created: id, sku_id"},
		{"switchlog.reader.revoked", "bob", `{"by":"admin","name":"bob"}`, "reader revoked: bob (name), by admin"},
		{"switchlog.source.learned", "pluralkit/main", `{"kind":"pluralkit","name":"main"}`, "source learned: main (kind, name)"},
		{"com.discord.entitlement.create", "1", `{"by":"nobody of ours"}`, "entitlement created: by"},
		{"made.up", "", `[1]`, "made up"},
		{"odd", "", `17`, "odd"},
	} {
		e := spoken{Time: at, Type: c.typ, Subject: c.subject, Data: json.RawMessage(c.data)}
		if got := e.words(names); got != c.want {
			t.Errorf("%s %s:\ngot  %s\nwant %s", c.typ, c.data, got, c.want)
		}
	}
}

// TestTailWordsOfAllExamples: every event there is an example of has words.
func TestTailWordsOfAllExamples(t *testing.T) {
	files, err := filepath.Glob("../../schemas/examples/*/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no examples", err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var e spoken
		if err := json.Unmarshal(body, &e); err != nil {
			t.Fatal(file, err)
		}
		if words := e.words(func(string) string { return "Alder" }); len(words) < 5 || strings.Contains(words, "{") {
			t.Errorf("%s: got %q", file, words)
		}
	}
}
