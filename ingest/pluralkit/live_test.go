package pluralkit_test

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"switchlog/ingest/pluralkit"
	"switchlog/projections"
	"switchlog/projections/engine"
	"switchlog/schemas"
	"switchlog/test/fakepk"
)

const (
	epoch = "test"
	hook  = "https://hooks.example.org/in/pluralkit"
)

// A live is a world, and the real projections of what we hear and ask of it.
// Everything accepted is folded at once.
type live struct {
	t         *testing.T
	world     *fakepk.World
	api       *fakepk.API
	transport *http.Transport
	db        *projections.DB
	log       []schemas.Recorded
	ids       map[string]bool
	last      time.Time
}

// inBubble gives f a world whose clock is the bubble's.
func inBubble(t *testing.T, w fakepk.Config, c fakepk.APIConfig, f func(*live)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		pluralkit.Later(pluralkit.NewYear)
		w.Now = time.Now
		l := &live{t: t, world: fakepk.New(t, w), ids: map[string]bool{}}
		c.Strict = pluralkit.Strictly
		l.api = fakepk.NewAPI(t, l.world, c)
		l.transport = pluralkit.Pipes(t, l.api)
		l.db = l.open()
		f(l)
	})
}

func (l *live) open() *projections.DB {
	l.t.Helper()
	db, err := projections.Open(engine.Config{Path: filepath.Join(l.t.TempDir(), "projections.db")})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		if err := db.Close(); err != nil {
			l.t.Error(err)
		}
	})
	return db
}

// Append is the spool, the log and the loop behind it.
func (l *live) Append(ctx context.Context, events ...schemas.Event) (fresh int, err error) {
	var batch []schemas.Recorded
	for _, e := range events {
		if l.ids[e.MsgID()] {
			continue
		}
		l.ids[e.MsgID()] = true
		at := time.Now().UTC().Truncate(time.Microsecond)
		if !at.After(l.last) {
			at = l.last.Add(time.Microsecond)
		}
		e.Time, l.last = at, at
		m, err := e.Message()
		if err != nil {
			l.t.Errorf("got an event that cannot be stored: %v", err)
			return fresh, err
		}
		stored, err := schemas.ParseMessage(m)
		if err != nil {
			l.t.Error(err)
			return fresh, err
		}
		fresh++
		batch = append(batch, schemas.Recorded{Event: stored, Seq: uint64(len(l.log) + len(batch) + 1)})
	}
	l.log = append(l.log, batch...)
	return fresh, l.db.Apply(ctx, epoch, batch)
}

// system makes one, with a webhook and a reconciler.
func (l *live) system(account string) *subject {
	l.t.Helper()
	sys, err := l.world.CreateSystem(account, fakepk.Fields{"name": "Harbour House"})
	l.world.Must(err)
	_, err = sys.SetWebhook(hook)
	l.world.Must(err)
	return &subject{live: l, System: sys, Reconciler: l.reconciler(sys)}
}

func (l *live) reconciler(sys *fakepk.System) *pluralkit.Reconciler {
	l.t.Helper()
	client, err := pluralkit.NewClient(pluralkit.Config{BaseURL: "http://localhost", Token: sys.Token(),
		HTTP: &http.Client{Transport: l.transport}})
	if err != nil {
		l.t.Fatal(err)
	}
	r, err := pluralkit.NewReconciler(pluralkit.ReconcilerConfig{System: sys.UUID(), Client: client, Known: l.db, Append: l,
		Ours: func(url string) bool { return url == hook }})
	if err != nil {
		l.t.Fatal(err)
	}
	return r
}

// A subject is one system and how we follow it.
type subject struct {
	*live
	*fakepk.System
	*pluralkit.Reconciler
}

// natural is the prefix of the ids of what happens once.
var natural = map[string]string{schemas.PKMemberCreate: "create_member.", schemas.PKMemberDelete: "delete_member.",
	schemas.PKGroupCreate: "create_group.", schemas.PKGroupDelete: "delete_group.", schemas.PKSwitchCreate: "create_switch.",
	schemas.PKSwitchDelete: "delete_switch.", schemas.PKMessageCreate: "create_message."}

// hear takes deliveries in, as the webhook does.
func (l *live) hear(ds []fakepk.Delivery, seen func(schemas.Recorded)) {
	l.t.Helper()
	for _, d := range ds {
		e, isEvent := l.event(d)
		if !isEvent {
			continue
		}
		before := len(l.log)
		if _, err := l.Append(context.Background(), e); err != nil {
			l.t.Fatalf("%s: %v", d.Body, err)
		}
		for _, r := range l.log[before:] {
			seen(r)
		}
	}
}

func (l *live) event(d fakepk.Delivery) (schemas.Event, bool) {
	l.t.Helper()
	var env struct {
		Type string          `json:"type"`
		ID   string          `json:"id"`
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(d.Body, &env); err != nil {
		l.t.Fatal(err)
	}
	if env.Type == "PING" {
		return schemas.Event{}, false
	}
	typ, _ := schemas.PluralKitType(env.Type)
	var data map[string]any
	if err := json.Unmarshal(env.Data, &data); err != nil {
		l.t.Fatal(err)
	}
	if _, inGuild := data["guild_id"]; typ == schemas.PKMemberGuildUpdate && !inGuild {
		typ = schemas.PKAccountUpdate
	}
	if typ == schemas.PKMessageCreate {
		env.ID = data["id"].(string)
		delete(data["system"].(map[string]any), "webhook_url")
		redacted, err := json.Marshal(data)
		if err != nil {
			l.t.Fatal(err)
		}
		env.Data = redacted
	}
	id := schemas.NewID()
	if prefix, once := natural[typ]; once {
		id = prefix + env.ID
	}
	return schemas.Event{ID: id, Source: schemas.PluralKitSystemURL + d.System, Type: typ, Subject: env.ID, Origin: schemas.OriginWebhook,
		DataSchema: schemas.SchemaID(typ), Data: env.Data, Route: schemas.PluralKitRoute(typ, d.System)}, true
}

func nobody(schemas.Recorded) {}

// reconcile looks at everything, a while after the last thing that happened.
func (s *subject) reconcile() pluralkit.Report {
	s.t.Helper()
	pluralkit.Later(10 * time.Second)
	report, err := s.Reconcile(s.t.Context(), pluralkit.Full, false)
	if err != nil {
		s.t.Fatal(err)
	}
	return report
}

// held is what the rows of a database say about the system.
func (s *subject) held(db *projections.DB) (schemas.Held, []schemas.HeldSwitch) {
	s.t.Helper()
	held, err := db.Held(s.t.Context(), s.UUID())
	if err != nil {
		s.t.Fatal(err)
	}
	var all []schemas.HeldSwitch
	for at, id := int64(math.MaxInt64), ""; ; {
		page, err := db.HeldSwitches(s.t.Context(), s.UUID(), at, id, 1000)
		if err != nil {
			s.t.Fatal(err)
		}
		if all = append(all, page...); len(page) == 0 {
			return held, all
		}
		at, id = *page[len(page)-1].TimestampUS, page[len(page)-1].ID
	}
}

// wrong is how what we hold differs from the truth, less what nobody who has
// not heard of it can ask for: servers and accounts.
func (s *subject) wrong() []string {
	s.t.Helper()
	held, switches := s.held(s.db)
	got, want := pluralkit.StateOf(s.t, held, switches), pluralkit.Comparable(s.world.Truth(s.System))
	knows := func(guild string) bool { return slices.Contains(held.Guilds, guild) }
	keep := func(rows map[string]fakepk.Fields) {
		for guild := range rows {
			if !knows(guild) {
				delete(rows, guild)
			}
		}
	}
	keep(want.Guilds)
	keep(want.Autoproxy)
	for id, rows := range want.MemberGuilds {
		if keep(rows); len(rows) == 0 {
			delete(want.MemberGuilds, id)
		}
	}
	for id := range want.Accounts {
		if !slices.ContainsFunc(held.Accounts, func(a schemas.HeldEntity) bool { return a.ID == id }) {
			delete(want.Accounts, id)
		}
	}
	return got.Diff(want)
}

// converged: what we hold is true, and looking again says nothing.
func (s *subject) converged() {
	s.t.Helper()
	for _, line := range s.wrong() {
		s.t.Errorf("after reconciliation: %s", line)
	}
	unlisted, err := s.db.UnlistedSwitches(s.t.Context(), s.UUID(), "", 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, w := range unlisted {
		s.t.Errorf("after reconciliation: %+v is neither in the timeline nor gone", w)
	}
	known := s.world.Truth(s.System).Members
	held, _ := s.held(s.db)
	for _, g := range held.MemberGuilds {
		if _, there := known[g.ID]; !there && !g.Gone {
			s.t.Errorf("after reconciliation: settings in server %s of %s, whom PluralKit does not have", g.Guild, g.ID)
		}
	}
	if again := s.reconcile(); again.Emitted != 0 || len(again.Deferred) != 0 {
		s.t.Errorf("a second reconciliation: got %s%s", again, strings.Join(again.Differences, "\n"))
	}
}

// replays: the log alone, folded in other batches, gives the same rows.
func (l *live) replays(subjects ...*subject) {
	l.t.Helper()
	db := l.open()
	for batch := range slices.Chunk(l.log, 97) {
		if err := db.Apply(l.t.Context(), epoch, batch); err != nil {
			l.t.Fatal(err)
		}
	}
	for _, s := range subjects {
		got, gotSwitches := s.held(db)
		want, wantSwitches := s.held(s.db)
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(gotSwitches, wantSwitches) {
			l.t.Errorf("replayed: got %v %v, want %v %v", got, gotSwitches, want, wantSwitches)
		}
	}
}
