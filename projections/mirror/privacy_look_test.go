package mirror

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"switchlog/projections/engine"
	"switchlog/projections/pluralkit"
	"switchlog/schemas"
)

// look asks the mirror for all there is, without a token.
func (w *watcher) look(t fataler) publicView {
	t.Helper()
	v := publicView{things: map[string]anyValue{}}
	in := "systems/" + w.system
	get := func(path string) (body []byte) {
		t.Helper()
		a := send(w.api, "GET", "", path)
		switch a.Code {
		case http.StatusOK:
			body = a.Body.Bytes()
		case http.StatusForbidden, http.StatusNotFound, http.StatusNoContent:
		default:
			t.Fatalf("%s: %d %s", path, a.Code, a.Body)
		}
		if strings.HasPrefix(path, in) {
			v.lists += fmt.Sprint(a.Code != http.StatusForbidden, " ")
		}
		return body
	}
	add := func(noun, key string, body []byte) {
		if thing := plainThing(t, noun, body); thing != nil {
			v.things[noun+" "+key] = thing
		}
	}
	add("system", w.system, get(in))
	add("settings", w.system, get(in+"/settings"))
	add("front", w.system, get(in+"/fronters"))
	untold := map[string]bool{}
	for _, of := range []struct{ noun, path string }{{"member", "/members"}, {"group", "/groups?with_members=true"}} { // in one order: lists are compared
		noun, path := of.noun, of.path
		var list []json.RawMessage
		if body := get(in + path); body != nil {
			if err := json.Unmarshal(body, &list); err != nil {
				t.Fatalf("%v", err)
			}
		}
		if w.listUntold(t, noun) {
			list = w.byID(t, noun, get)
			untold[noun] = true
		}
		for _, body := range list {
			var o struct{ UUID string }
			if err := json.Unmarshal(body, &o); err != nil {
				t.Fatalf("%v", err)
			}
			add(noun, o.UUID, body)
		}
	}
	v.lists += fmt.Sprint(untold) // an untold list that is told to be hidden answers as before, and closes
	return v
}

// listUntold reports whether nothing was said of who may see the system's list.
// Then the mirror shows no list, but each thing by its id.
func (w *watcher) listUntold(t fataler, noun string) (untold bool) {
	t.Helper()
	err := w.db.View(context.Background(), func(tx *engine.Tx, _ schemas.Position) error {
		row, err := tx.Get(`SELECT `+noun+`_list_privacy FROM systems WHERE uuid = ?`, w.system)
		untold = row == nil || row.Null(0)
		return err
	})
	if err != nil {
		t.Fatalf("%v", err)
	}
	return untold
}

// owned are the members or groups as the owner sees them that are not hidden
// from lists.
func (w *watcher) owned(t fataler, noun string) (visible []json.RawMessage) {
	t.Helper()
	a, err := w.db.Ask(context.Background(), schemas.PluralKit, noun+"s", map[string]string{"tenant": w.system})
	if err != nil {
		t.Fatalf("%v", err)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(a.Body, &list); err != nil {
		t.Fatalf("%v", err)
	}
	for _, object := range list {
		var o struct{ Privacy struct{ Visibility string } }
		if err := json.Unmarshal(object, &o); err != nil {
			t.Fatalf("%v", err)
		}
		if o.Privacy.Visibility == "public" {
			visible = append(visible, object)
		}
	}
	return visible
}

// byID asks the mirror for each by its uuid, and for who is in each group.
func (w *watcher) byID(t fataler, noun string, get func(string) []byte) (list []json.RawMessage) {
	t.Helper()
	for _, object := range w.owned(t, noun) {
		var o struct{ UUID string }
		if err := json.Unmarshal(object, &o); err != nil {
			t.Fatalf("%v", err)
		}
		body := get(noun + "s/" + o.UUID)
		if noun == "group" {
			body = w.withMembers(t, body, get("groups/"+o.UUID+"/members"))
		}
		list = append(list, body)
	}
	return list
}

// withMembers is a group with the uuids of who is in it; hidden (nil): none are.
func (w *watcher) withMembers(t fataler, group, members []byte) json.RawMessage {
	t.Helper()
	var g anyValue
	var list []struct{ UUID string }
	err := json.Unmarshal(group, &g)
	if err == nil && members != nil {
		err = json.Unmarshal(members, &list)
	}
	uuids := []string{}
	for _, m := range list {
		uuids = append(uuids, m.UUID)
	}
	if g["members"] = uuids; err == nil {
		group, err = json.Marshal(g)
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	return group
}

// read is what a reader of what is public sees of the answers to the named
// queries; of a system and settings that have no answer, what the mirror shows.
func (w *watcher) read(t fataler) map[string]anyValue {
	t.Helper()
	ctx, things := context.Background(), map[string]anyValue{}
	ask := func(query string) (answer json.RawMessage) {
		t.Helper()
		a, err := w.db.Ask(ctx, schemas.PluralKit, query, map[string]string{"tenant": w.system})
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		return a.Body
	}
	err := w.db.View(ctx, func(tx *engine.Tx, _ schemas.Position) error {
		for query, public := range map[string]func(json.RawMessage) (json.RawMessage, error){"system": schemas.PublicSystem, "settings": schemas.PublicSettings} {
			thing, key := w.was.things[query+" "+w.system], query+" "+w.system
			if object := ask(query); object != nil {
				shown, err := public(object)
				if err != nil {
					return err
				}
				thing = plainThing(t, query, shown)
			}
			if thing != nil {
				things[key] = thing
			}
		}
		for query, of := range map[string]*schemas.ObjectType{"members": schemas.PKMemberObject, "groups": schemas.PKGroupObject} {
			var list []json.RawMessage
			if err := json.Unmarshal(ask(query), &list); err != nil {
				return err
			}
			shown, open, err := schemas.PublicList(of, list, w.system, pluralkit.Privacy{Tx: tx})
			if err == nil && !open && w.listUntold(t, of.Noun) {
				shown, err = w.publicByID(t, of, tx)
			}
			if err != nil {
				return err
			}
			for _, object := range shown {
				thing := plainThing(t, of.Noun, object)
				things[fmt.Sprint(of.Noun, " ", thing["uuid"])] = thing
			}
		}
		var front schemas.Front
		if err := json.Unmarshal(ask("fronters"), &front); err != nil {
			return err
		}
		shown, open, err := schemas.PublicFront(front, pluralkit.Privacy{Tx: tx})
		if err == nil && open && shown.Switch != "" {
			var object []byte
			object, err = json.Marshal(shown)
			things["front "+w.system] = plainThing(t, "front", object)
		}
		return err
	})
	if err != nil {
		t.Fatalf("%v", err)
	}
	return things
}

// publicByID is what a reader of what is public sees who asks for each by its id.
func (w *watcher) publicByID(t fataler, of *schemas.ObjectType, tx *engine.Tx) (shown []json.RawMessage, err error) {
	for _, object := range w.owned(t, of.Noun) {
		if of == schemas.PKGroupObject {
			object, err = schemas.PublicGroup(object, w.system, pluralkit.Privacy{Tx: tx})
		} else {
			object, err = schemas.PublicMember(object)
		}
		if err != nil {
			return nil, err
		}
		shown = append(shown, object)
	}
	return shown, nil
}

// plainThing is a thing as both show it. PluralKit's API has no null for
// some fields, so there the mirror has what a new thing has for what is not
// known, and the uuid for a short id that is not known; its front names its
// switch in other words, and its members whole.
func plainThing(t fataler, noun string, body []byte) anyValue {
	t.Helper()
	var o anyValue
	if len(body) == 0 {
		return nil
	}
	if err := json.Unmarshal(body, &o); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if o == nil {
		return nil
	}
	if noun == "front" {
		return plainFront(o)
	}
	delete(o, "system")
	if o["message_count"] == 0.0 { // the mirror's, where it is not known, and open
		o["message_count"] = nil
	}
	if o["id"] == nil && o["uuid"] != nil {
		o["id"] = o["uuid"]
	}
	for name, value := range unknownValues[noun] {
		if o[name] == nil {
			o[name] = value
		}
	}
	for _, name := range []string{"created", "last_message_timestamp"} {
		if text, is := o[name].(string); is {
			us, err := schemas.ParseTime(text)
			if err != nil {
				t.Fatalf("%v", err)
			}
			o[name] = us
		}
	}
	return o
}

var unknownValues = map[string]anyValue{
	"member": {"keep_proxy": false, "tts": false},
	"settings": {"pings_enabled": true, "case_sensitive_proxy_tags": true, "proxy_error_message_enabled": true,
		"hid_display_split": false, "hid_display_caps": false, "hid_list_padding": "off", "proxy_switch": "off", "name_format": "{name} {tag}"},
}

// plainFront is who fronts, by which switch.
func plainFront(o anyValue) anyValue {
	front := anyValue{"switch": o["id"], "members": []any{}}
	if o["switch_uuid"] != nil {
		front["switch"] = o["switch_uuid"]
	}
	for _, m := range o["members"].([]any) {
		whole, fronter := m.(anyValue), anyValue{}
		for _, name := range []string{"uuid", "id", "name", "display_name", "pronouns", "color", "avatar_url"} {
			fronter[name] = whole[name]
		}
		if fronter["id"] == nil {
			fronter["id"] = fronter["uuid"]
		}
		front["members"] = append(front["members"].([]any), fronter)
	}
	return front
}
