package projections

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"switchlog/projections/engine"
	"switchlog/projections/webhooks"
	"switchlog/schemas"
)

// TestLaw7DeliveriesAreRebuilt: a life with subscriptions, attempts, retries
// and replays in it gives the same rows in whatever batches it is folded, also
// with a new process for each; and so does a rebuild, which has nothing to send.
func TestLaw7DeliveriesAreRebuilt(t *testing.T) {
	dir := t.TempDir()
	run, deliveries := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		path := func(name string) string { return filepath.Join(dir, fmt.Sprintf("%d-%s.db", run, name)) }
		live, err := Open(engine.Config{Log: loud(rt), Path: path("live")})
		if err != nil {
			rt.Fatal(err)
		}
		defer live.Close()
		l := liveHooks(t, rt, live)
		want := everyRow(rt, live)
		deliveries += len(want["deliveries"])

		reopen := rapid.Bool().Draw(rt, "reopened")
		if got := foldAll(rt, All, path("cut"), reopen, cut(rt, l.events)); !same(got, want) {
			rt.Errorf("in batches:%s", difference(got, want))
		}
		rebuilt, err := live.Scratch(0)
		if err != nil {
			rt.Fatal(err)
		}
		defer rebuilt.Discard()
		for _, batch := range cut(rt, l.events) {
			if err := rebuilt.Apply(t.Context(), "epoch", batch); err != nil {
				rt.Fatal(err)
			}
		}
		if c, err := live.Compare(t.Context(), rebuilt); err != nil || c.Total > 0 {
			rt.Errorf("rebuilt: %d rows differ (%v), first %s", c.Total, err, asJSON(c.First))
		}
		if out := everyRow(rt, rebuilt)["outbox"]; len(out) > 0 {
			rt.Errorf("rebuilt: got %v to be sent, want nothing", out)
		}
	})
	if deliveries < 100 {
		t.Errorf("only %d deliveries were made", deliveries)
	}
}

// liveHooks draws a life and folds it as it happens: what is attempted depends
// on what is due.
func liveHooks(t *testing.T, rt *rapid.T, db *DB) *hookLog {
	l := &hookLog{}
	h := hookLife{T: rt, l: l, db: db, t: t}
	for _, e := range entityHistory(rt) {
		h.step()
		e.ID, e.Time = "", time.Time{}
		l.add(e.Event)
		l.fold(t, db)
	}
	for range 5 {
		h.step()
		l.fold(t, db)
	}
	return l
}

type hookLife struct {
	*rapid.T
	l  *hookLog
	db *DB
	t  *testing.T
}

func (h *hookLife) of(label string, choices ...string) string {
	return rapid.SampledFrom(choices).Draw(h.T, label)
}

// step does one of the things that people and senders do.
func (h *hookLife) step() {
	w := h.of("webhook", "w1", "w2", "w3")
	switch h.of("step", "write", "none", "attempt", "attempt", "attempt", "switch", "again", "delete", "double") {
	case "write":
		s := hook(w, rapid.SampledFrom([][]string{{"*"}, {"member.changed"}, {"me.pluralkit.*", "front.*"}, {"*.changed"}}).Draw(h.T, "events")...)
		s.Tenant = h.of("tenant", "", "", "sys-a")
		s.Ordered, s.OwnerOnly = rapid.Bool().Draw(h.T, "ordered"), rapid.Bool().Draw(h.T, "owner only")
		s.Enabled = h.of("enabled", "yes", "yes", "yes", "no") == "yes"
		s.DebounceS = rapid.SampledFrom([]int{0, 0, 2, 20}).Draw(h.T, "debounce")
		s.Condition = h.of("condition", "", "", `tenant == "sys-b"`, `data.after.name != "x"`)
		h.l.updated(s)
	case "delete":
		if h.of("really", "yes", "no", "no") == "yes" {
			h.l.deleted(w)
		}
	case "switch":
		tenant := h.of("system", "sys-a", "sys-b")
		uuid := fmt.Sprintf("%s-sw-%d", tenant, len(h.l.events))
		h.l.add(schemas.Event{Type: schemas.PKSwitchCreate, Subject: uuid, Route: schemas.PluralKitRoute(schemas.PKSwitchCreate, tenant),
			Data: asJSON(map[string]any{"uuid": uuid, "timestamp": schemas.FormatTime(h.l.at(len(h.l.events))),
				"members": []string{tenant + "-mem-" + h.of("fronter", "1", "2")}})})
	case "attempt":
		due, err := h.db.DueDeliveries(h.t.Context(), w, rapid.Bool().Draw(h.T, "in order"), h.l.at(1e6), 3)
		if err != nil {
			h.Fatal(err)
		}
		for _, d := range due.Deliveries {
			h.l.attempt(schemas.DeliveryAttempt{Webhook: w, Delivery: d.ID, Attempt: d.Attempts + 1, Status: 200,
				Outcome: h.of("outcome", schemas.OutcomeDelivered, schemas.OutcomeFailed, schemas.OutcomeRefused, schemas.OutcomeExhausted)})
		}
	case "again":
		h.again(w)
	case "double":
		if n := len(h.l.events); n > 0 {
			h.l.add(h.l.events[rapid.IntRange(0, n-1).Draw(h.T, "which")].Event)
		}
	}
}

// again asks for the newest delivery of a webhook once more.
func (h *hookLife) again(w string) {
	rows, _ := deliveriesOf(h.t, h.db, w, 1, 0)
	if len(rows) == 0 {
		return
	}
	d, err := h.db.DeliveryAgain(h.t.Context(), w, rows[0].ID)
	if err != nil {
		h.Fatal(err)
	}
	id := fmt.Sprintf("again-%d", len(h.l.events))
	if h.of("how", "retry", "replay") == "retry" {
		h.l.attempt(schemas.DeliveryAttempt{Webhook: w, Delivery: id, Of: rows[0].ID, Kind: schemas.DeliveryRetry, Attempt: 1, Outcome: schemas.OutcomeDelivered})
		return
	}
	h.l.self(schemas.DeliveryRequested, "delivery", "requested", w, schemas.DeliveryRequest{Webhook: w, Delivery: id, MessageID: d.MessageID,
		Kind: schemas.DeliveryReplay, Seq: d.Seq, N: d.N, Event: asJSON(d.Event), Route: d.Event.Route.LogSubject(),
		Due: schemas.FormatTime(h.l.at(len(h.l.events)))})
}

// TestLaw4AudienceIsUndoneWithItsRows: a subscription whose transaction was
// undone has no say in the next, and one whose removal was undone still has.
func TestLaw4AudienceIsUndoneWithItsRows(t *testing.T) {
	full := errors.New("the disk is full")
	fails := false
	failing := engine.Projection{Name: "failing", Source: schemas.SharedToken, Handlers: engine.Any(func(_ *engine.Tx, e schemas.Recorded) error {
		switch {
		case e.Route.Tenant == "bad":
			return fmt.Errorf("%w: it is bad", schemas.ErrInvalid)
		case e.Route.Tenant == "full" && fails:
			return full
		}
		return nil
	})}
	db := openTest(t, []engine.Projection{webhooks.Webhooks, webhooks.Deliveries, failing})
	count := func() int64 {
		t.Helper()
		n, err := strconv.ParseInt(strings.TrimSpace(selectRows(t, db, `SELECT count(*) FROM deliveries`)), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	var l hookLog
	apply := func(want error) {
		t.Helper()
		if err := db.Apply(t.Context(), "epoch", l.events); !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
	}
	fails = true
	l.created(hook("w", "message.receive"))
	l.message("m")
	l.message("full")
	apply(full)
	kept := slices.Clone(l.events)
	l.events = nil
	l.message("m")
	apply(nil)
	if n := count(); n != 0 {
		t.Errorf("a subscription that never was: got %d deliveries, want none", n)
	}

	// The same, of one event that is set aside among others that are not.
	fails = false
	l.add(kept[0].Event)
	l.message("bad")
	l.message("m")
	apply(nil)
	if n := count(); n != 1 {
		t.Errorf("got %d deliveries, want that of the good message", n)
	}
	fails = true
	before := slices.Clone(l.events)
	l.deleted("w")
	l.message("full")
	apply(full)
	l.events = before
	l.message("m")
	apply(nil)
	if n := count(); n != 2 {
		t.Errorf("a removal that never was: got %d deliveries, want 2", n)
	}
}

// TestHears: a change need not be made if neither the outbox nor a
// subscription would have it.
func TestHears(t *testing.T) {
	hears := map[string]bool{}
	watching := engine.Projection{Name: "watching", Source: schemas.SharedToken, Handlers: engine.Any(func(tx *engine.Tx, e schemas.Recorded) error {
		for _, typ := range []string{schemas.MemberChanged, schemas.FrontChanged} {
			yes, err := tx.Hears(typ)
			if err != nil {
				return err
			}
			hears[e.Route.Tenant+" "+typ] = yes
		}
		return nil
	})}
	db := openTest(t, []engine.Projection{webhooks.Webhooks, webhooks.Deliveries, watching})
	var l hookLog
	s := hook("w", "member.*")
	s.Tenant = "a"
	l.created(s)
	l.message("a")
	l.message("b")
	l.fold(t, db)
	for _, key := range []string{"a " + schemas.MemberChanged, "a " + schemas.FrontChanged, "b " + schemas.FrontChanged} {
		if !hears[key] {
			t.Errorf("live, %s: got that nobody hears, want the outbox", key)
		}
	}
	rebuilt, err := db.Scratch(0)
	if err != nil {
		t.Fatal(err)
	}
	defer rebuilt.Discard()
	clear(hears)
	if err := rebuilt.Apply(t.Context(), "epoch", l.events); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]bool{
		"a " + schemas.MemberChanged: true, "a " + schemas.FrontChanged: false,
		"b " + schemas.MemberChanged: false, "b " + schemas.FrontChanged: false,
	} {
		if hears[key] != want {
			t.Errorf("rebuilt, %s: got %v, want %v", key, hears[key], want)
		}
	}
}
