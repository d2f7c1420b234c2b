package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"switchlog/cmd/switchlog/terminal"
	"switchlog/schemas"
)

// spoken is what of an event is said in words.
type spoken struct {
	Time    time.Time       `json:"time"`
	Type    string          `json:"type"`
	Subject string          `json:"subject"`
	Data    json.RawMessage `json:"data"`
}

// memberNames gives what a member is called by its uuid; empty: not known.
type memberNames func(uuid string) string

// words says what an event is about, with names.
func (e spoken) words(name memberNames) string {
	typ := e.Type
	parts := strings.Split(typ, ".")
	noun, verb := parts[max(len(parts)-2, 0)], parts[len(parts)-1]
	switch {
	case len(parts) < 2:
		return typ // a sender's own type
	case typ == schemas.FrontChanged:
		return e.frontWords()
	case strings.HasPrefix(typ, "switchlog.") && verb == "changed":
		return e.changeWords(noun)
	case noun == "switch":
		return e.switchWords(verb, name)
	case noun == "message":
		return e.messageWords(verb)
	}
	words := strings.ReplaceAll(noun, "_", " ") + " " + said(verb)
	if what := e.about(noun, name); what != "" {
		words += ": " + what
	}
	if who := e.by(); who != "" {
		words += ", by " + who
	}
	return words
}

// said is a verb of an event's type in the past.
func said(verb string) string {
	switch verb {
	case "create":
		return "created"
	case "update":
		return "updated"
	case "delete":
		return "deleted"
	case "delete_all":
		return "history deleted"
	case "observed":
		return "confirmed by the API"
	case "absent":
		return "gone by the API"
	case "receive":
		return "received"
	}
	return strings.ReplaceAll(verb, "_", " ")
}

// about is the name of what an event is about, and which of its fields it tells.
func (e spoken) about(noun string, name memberNames) string {
	var data map[string]json.RawMessage
	if json.Unmarshal(e.Data, &data) != nil {
		data = nil
	}
	if object, is := data["object"]; is { // what the API said
		var inner map[string]json.RawMessage
		if json.Unmarshal(object, &inner) == nil {
			data = inner
		}
	}
	what := cellText(data["name"])
	if known := ""; what == "" && noun == "member" {
		if known = name(e.Subject); known != "" {
			what = known
		}
	}
	fields := make([]string, 0, len(data))
	for _, field := range sortedKeys(data) {
		if field != "uuid" && field != "system" && !(field == "by" && e.by() != "") {
			fields = append(fields, field)
		}
	}
	list := strings.Join(fields, ", ")
	switch {
	case what == "":
		return list
	case list == "":
		return what
	}
	return what + " (" + list + ")"
}

// by is who gave the command that an event of ours tells of; empty: none did.
func (e spoken) by() string {
	var command struct{ By string }
	if !strings.HasPrefix(e.Type, "switchlog.") || json.Unmarshal(e.Data, &command) != nil {
		return ""
	}
	return command.By
}

// frontWords: who fronts now, and who did before.
func (e spoken) frontWords() string {
	var change struct{ Before, After *schemas.Front }
	if json.Unmarshal(e.Data, &change) != nil || change.After == nil {
		return "the front changed"
	}
	now := frontNames(change.After)
	words := now + " now " + counted(len(change.After.Members), "fronts", "front")
	if len(change.After.Members) == 0 {
		words = "nobody fronts now"
	}
	if change.Before == nil || change.Before.Switch == "" {
		return words
	}
	before := frontNames(change.Before)
	if before == "" {
		before = "nobody"
	}
	return words + " (" + before + " before)"
}

func frontNames(f *schemas.Front) string {
	names := make([]string, len(f.Members))
	for i, m := range f.Members {
		names[i] = memberName(m.Name, m.DisplayName, m.ID, m.UUID)
	}
	return strings.Join(names, ", ")
}

// changeWords: what became different of a member, a group, the system.
func (e spoken) changeWords(noun string) string {
	var change schemas.Change
	if json.Unmarshal(e.Data, &change) != nil {
		return noun + " changed"
	}
	before, after := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	was, is := json.Unmarshal(change.Before, &before) == nil && len(before) > 0, json.Unmarshal(change.After, &after) == nil && len(after) > 0
	name := cellText(after["name"])
	if name == "" {
		name = cellText(before["name"])
	}
	words := strings.TrimSpace(noun + " " + name)
	switch {
	case !was && !is:
		return words + " changed"
	case !was:
		return words + " is new"
	case !is:
		return words + " is gone"
	}
	var fields []string
	for _, field := range sortedKeys(after) {
		if bytes.Equal(before[field], after[field]) {
			continue
		}
		if text := cellText(after[field]); len(after[field]) > 0 && after[field][0] == '"' && terminal.Cells(text) <= 40 {
			field += " is now " + text
		}
		fields = append(fields, field)
	}
	return words + " changed: " + strings.Join(fields, ", ")
}

// switchWords: who is in a switch that PluralKit logged, moved or deleted.
func (e spoken) switchWords(verb string, name memberNames) string {
	var data struct {
		Timestamp string
		Members   *[]string
		Object    *struct {
			Timestamp string
			Members   *[]string
		}
	}
	words := "switch " + said(verb)
	if verb == "create" {
		words = "switch logged"
	}
	if json.Unmarshal(e.Data, &data) != nil {
		return words
	}
	if data.Object != nil {
		data.Timestamp, data.Members = data.Object.Timestamp, data.Object.Members
	}
	if data.Members != nil {
		var who []string
		for _, uuid := range *data.Members {
			if known := name(uuid); known != "" {
				uuid = known
			}
			who = append(who, uuid)
		}
		if len(who) == 0 {
			who = []string{"nobody"}
		}
		words += ": " + strings.Join(who, ", ")
	}
	if t, err := time.Parse(time.RFC3339Nano, data.Timestamp); err == nil {
		if late := e.Time.Sub(t); late > time.Minute || late < -time.Minute {
			words += ", at " + clock(t, e.Time)
		}
	}
	return words
}

// messageWords: whose message it is; never what it says, which is not known.
func (e spoken) messageWords(verb string) string {
	var data struct {
		Member *struct {
			UUID        string
			ID          *string
			Name        *string
			DisplayName *string `json:"display_name"`
		}
	}
	if json.Unmarshal(e.Data, &data) != nil || data.Member == nil {
		return "message " + said(verb)
	}
	return "message of " + memberName(data.Member.Name, data.Member.DisplayName, data.Member.ID, data.Member.UUID)
}

// isDelivery reports whether an event is about our own sending to webhooks.
func isDelivery(typ string) bool {
	return slices.Contains([]string{schemas.DeliveryAttempted, schemas.DeliveryRequested}, typ)
}
