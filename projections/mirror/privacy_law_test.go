package mirror

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"switchlog/projections"
	"switchlog/schemas"
)

// TestOnePrivacyPolicy: after each event of 1,000 random histories, in which most
// fields were never set, all who are not the owner see the same: whoever asks the
// mirror without a token, whoever is sent changes by a webhook that is not
// owner-only, and at the end of each a reader of what is public. What an owner-only webhook is sent says which changes there were.
func TestOnePrivacyPolicy(t *testing.T) {
	db := openDB(t) // each history has a system of its own in it
	w := &watcher{db: db, had: map[string]int{}, api: NewHandler(Config{Store: db})}
	w.fold(t, hookEvent("others", false), hookEvent("owner", true))
	rapid.Check(t, func(rt *rapid.T) {
		for range 10 {
			w.histories++
			w.begin(fmt.Sprintf("7f3c1a52-0d4e-4c1b-9a6e-%012x", w.histories))
			for i := range rapid.IntRange(1, 6).Draw(rt, "events") {
				d := drawer{T: rt, system: w.system, n: 10*w.histories + i}
				w.check(rt, d.event())
			}
			if got := w.read(rt); !reflect.DeepEqual(got, w.was.things) {
				rt.Fatalf("reader: %s\nmirror: %s", got, w.was.things)
			}
		}
	})
	t.Logf("%d histories, %d changes, %d of them for others, too", w.histories, w.changes, w.passed)
	if !t.Failed() && (w.passed < w.changes/20 || w.passed > w.changes*3/4) {
		t.Errorf("of %d changes others got %d: too few or too many to prove anything", w.changes, w.passed)
	}
}

func hookEvent(id string, ownerOnly bool) schemas.Event {
	data, err := json.Marshal(schemas.Subscription{ID: id, Provider: schemas.ProviderStandard, Events: []string{"*.changed"}, Enabled: true, OwnerOnly: ownerOnly})
	if err != nil {
		panic(err)
	}
	return schemas.Event{ID: "sub-" + id, Source: schemas.SelfURI, Type: schemas.SubscriptionCreated, Subject: id, Data: data,
		Route: schemas.RegistryRoute("subscription", "created")}
}

// A watcher folds events and compares what each audience sees.
type watcher struct {
	db                         *projections.DB
	api                        http.Handler
	seq                        uint64
	had                        map[string]int // deliveries so far, by webhook
	system                     string
	was                        publicView
	histories, changes, passed int
}

// A publicView is what the mirror shows to all, by the noun of a change and what it
// is about. What it does not show is not there.
type publicView struct {
	things map[string]anyValue
	lists  string // which lists are open
}

type anyValue = map[string]any

func (w *watcher) begin(system string) {
	w.system, w.was = system, publicView{}
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

func (w *watcher) fold(t fataler, events ...schemas.Event) {
	t.Helper()
	batch := make([]schemas.Recorded, len(events))
	for i, e := range events {
		w.seq++
		e.Time = time.Date(2025, 6, 1, 0, 0, int(w.seq), 0, time.UTC)
		batch[i] = schemas.Recorded{Seq: w.seq, Event: e}
	}
	if err := w.db.Apply(context.Background(), "epoch", batch); err != nil {
		t.Fatalf("%v", err)
	}
}

// check folds an event and holds against each other what it changed for whom.
func (w *watcher) check(t *rapid.T, e schemas.Event) {
	t.Helper()
	before := w.was
	w.fold(t, e)
	now := w.look(t)
	w.was = now
	owner, others := w.sent(t, "owner"), w.sent(t, "others")
	w.changes, w.passed = w.changes+len(owner), w.passed+len(others)
	for id := range others {
		if _, made := owner[id]; !made {
			t.Fatalf("%s %s\nothers got %s, which the owner did not", e.Type, e.Data, id)
		}
	}
	for id, change := range owner {
		key := change.key
		passed, some := others[id]
		was, is := before.things[key], now.things[key]
		switch {
		case some && !same(change.noun, passed.after, is):
			t.Fatalf("%s %s\n%s: webhook: %s\nmirror:  %s", e.Type, e.Data, key, passed.after, is)
		case some && passed.nothing:
			t.Fatalf("%s %s\n%s: others got a change of nothing: %s", e.Type, e.Data, key, passed.after)
		case before.lists != now.lists: // the list was opened or closed by this event, which is no change of what is in it
		case some && change.noun != "front" && !same(change.noun, passed.before, was):
			t.Fatalf("%s %s\n%s before: webhook: %s\nmirror:  %s", e.Type, e.Data, key, passed.before, was)
		case !some && change.noun != "front" && !same(change.noun, was, is):
			t.Fatalf("%s %s\n%s: webhook: nothing\nmirror: %s, then %s", e.Type, e.Data, key, was, is)
		case !some && change.noun == "front" && is != nil:
			t.Fatalf("%s %s\n%s: webhook: nothing\nmirror: %s", e.Type, e.Data, key, is)
		}
	}
}

// same reports whether both are alike. Of a system and its settings the mirror
// shows something before anything is known of them.
func same(noun string, got, mirror anyValue) bool {
	return reflect.DeepEqual(got, mirror) || (noun == "system" || noun == "settings") && blank(got) && blank(mirror)
}

// blank reports whether nothing is in it but ids and what a new thing has.
func blank(thing anyValue) bool {
	for name, value := range thing {
		if value != nil && name != "id" && name != "uuid" && !reflect.DeepEqual(value, unknownValues["settings"][name]) {
			return false
		}
	}
	return true
}

// A sentChange is a change as a webhook got it.
type sentChange struct {
	noun, key     string
	before, after anyValue // nil: nothing
	nothing       bool     // they are the same to the byte
}

// sent is what a webhook got of the last event.
func (w *watcher) sent(t fataler, webhook string) map[string]sentChange {
	t.Helper()
	rows, total, err := w.db.Deliveries(context.Background(), webhook, 20, 0)
	if err != nil {
		t.Fatalf("%v", err)
	}
	all := map[string]sentChange{}
	fresh := rows[:total-w.had[webhook]]
	w.had[webhook] = total
	for _, row := range fresh {
		var e struct {
			ID, Type, Subject string
			Data              struct{ Before, After json.RawMessage }
		}
		if err := json.Unmarshal(row.Payload, &e); err != nil {
			t.Fatalf("%v", err)
		}
		noun := map[string]string{schemas.FrontChanged: "front", schemas.MemberChanged: "member", schemas.GroupChanged: "group",
			schemas.SystemChanged: "system", schemas.SettingsChanged: "settings"}[e.Type]
		key := noun + " " + e.Subject
		all[e.ID] = sentChange{noun, key, plainThing(t, noun, e.Data.Before), plainThing(t, noun, e.Data.After),
			string(e.Data.Before) == string(e.Data.After)}
	}
	return all
}

// A drawer draws the events of one system.
type drawer struct {
	*rapid.T
	system string
	n      int // how many events there were before, in all histories
}

func (d *drawer) of(label string, choices ...string) string {
	return rapid.SampledFrom(choices).Draw(d.T, label)
}

func (d *drawer) member() string { return d.uuid("a00" + d.of("member", "1", "2", "3")) }

// uuid is the system's with four other digits.
func (d *drawer) uuid(digits string) string { return d.system[:9] + digits + d.system[13:] }

func (d *drawer) event() schemas.Event {
	member, group := d.member(), d.uuid("b00"+d.of("group", "1", "2"))
	typ := d.of("type", schemas.PKMemberCreate, schemas.PKMemberCreate, schemas.PKMemberUpdate, schemas.PKMemberUpdate,
		schemas.PKGroupCreate, schemas.PKGroupUpdate, schemas.PKSystemUpdate, schemas.PKSystemUpdate, schemas.PKSettingsUpdate,
		schemas.PKSwitchCreate, schemas.PKSwitchCreate, schemas.PKMessageCreate, schemas.MemberObserved, schemas.GroupObserved,
		schemas.SystemObserved, schemas.PKMemberDelete)
	subject, data := "", any(nil)
	switch typ {
	case schemas.PKMemberCreate:
		subject, data = member, d.created(schemas.PKMemberFields)
	case schemas.PKMemberUpdate:
		subject, data = member, d.patch(schemas.PKMemberFields)
	case schemas.PKMemberDelete:
		subject = member
	case schemas.PKGroupCreate:
		subject, data = group, d.created(schemas.PKGroupFields)
	case schemas.PKGroupUpdate:
		subject, data = group, d.patch(schemas.PKGroupFields)
	case schemas.PKSystemUpdate:
		data = d.patch(schemas.PKSystemFields)
	case schemas.PKSettingsUpdate:
		data = d.patch(schemas.PKSettingsFields)
	case schemas.PKSwitchCreate:
		subject = fmt.Sprintf("%ss%d", d.system, d.n)
		members := slices.Compact(slices.Sorted(slices.Values([]string{member, d.member()})))
		data = anyValue{"id": subject, "timestamp": fmt.Sprintf("2025-05-01T00:00:%02dZ", d.n%60), "members": members}
	case schemas.PKMessageCreate:
		m := d.whole(schemas.PKMemberObjectFields, member)
		data = anyValue{"timestamp": "2025-05-01T00:00:00Z", "id": fmt.Sprintf("1444000000%09d", d.n), "original": "1", "sender": "2", "channel": "3",
			"guild": nil, "system": d.whole(schemas.PKSystemObjectFields, d.system), "member": m}
	case schemas.MemberObserved:
		subject, data = member, d.asked(d.whole(schemas.PKMemberObjectFields, member))
	case schemas.GroupObserved:
		object := d.whole(schemas.PKGroupObjectFields, group)
		object["members"] = []string{member}
		subject, data = group, d.asked(object)
	case schemas.SystemObserved:
		subject, data = d.system, d.asked(d.whole(schemas.PKSystemObjectFields, d.system))
	}
	body, err := json.Marshal(data)
	if err != nil {
		panic(err)
	}
	return schemas.Event{ID: schemas.NewID(), Source: schemas.PluralKitSystemURL + d.system, Type: typ, Subject: subject, Data: body,
		Route: schemas.PluralKitRoute(typ, d.system)}
}

func (d *drawer) asked(object anyValue) anyValue {
	return anyValue{"asked": "2025-05-31T23:00:00Z", "object": object}
}

// created is what a create carries: a name, and sometimes more.
func (d *drawer) created(fields []schemas.Field) anyValue {
	o := anyValue{}
	switch d.of("created", "name", "name", "private", "more") {
	case "private":
		d.put(o, fields, func(f schemas.Field) bool { return f.In != "" }, func(schemas.Field) any { return "private" })
	case "more":
		o = d.patch(fields)
		delete(o, "id")
	}
	o["name"] = d.value(fields[0])
	return o
}

// patch is a few of the fields, as an update carries them.
func (d *drawer) patch(fields []schemas.Field) anyValue {
	var names []string
	for range rapid.IntRange(1, 4).Draw(d.T, "fields") {
		names = append(names, rapid.SampledFrom(fields).Draw(d.T, "field").Name)
	}
	o := anyValue{}
	d.put(o, fields, func(f schemas.Field) bool { return slices.Contains(names, f.Name) }, d.value)
	return o
}

// whole is an object with all its fields, as PluralKit shows it to its owner.
func (d *drawer) whole(fields []schemas.Field, uuid string) anyValue {
	o := anyValue{}
	d.put(o, fields, func(schemas.Field) bool { return true }, d.value)
	o["uuid"] = uuid
	return o
}

func (d *drawer) put(o anyValue, fields []schemas.Field, want func(schemas.Field) bool, value func(schemas.Field) any) {
	privacy := anyValue{}
	for _, f := range fields {
		switch {
		case !want(f):
		case f.In == "":
			o[f.Name] = value(f)
		default:
			privacy[f.Name] = value(f)
		}
	}
	if len(privacy) > 0 {
		o["privacy"] = maps.Clone(privacy)
	}
}

func (d *drawer) value(f schemas.Field) any {
	switch {
	case f.In != "":
		return d.of(f.Name, "public", "public", "private")
	case f.Name == "id":
		return d.system[30:] + d.of("short id", "a", "b")
	case f.Null && rapid.IntRange(0, 3).Draw(d.T, "null") == 0 && f.Name != "created":
		return nil
	case f.Name == "proxy_tags":
		return []any{anyValue{"prefix": d.of("tag", "a:", "b:"), "suffix": nil}}
	}
	switch f.Kind {
	case schemas.Bool:
		return rapid.Bool().Draw(d.T, f.Name)
	case schemas.Int:
		return rapid.IntRange(0, 9).Draw(d.T, f.Name)
	case schemas.Time:
		return d.of(f.Name, "2025-05-01T00:00:00Z", "2025-04-01T00:00:00.25Z")
	case schemas.List:
		return []string{}
	}
	return "secret " + f.Name + d.of(f.Name, " 1", " 2")
}
