package ingest

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"switchlog/schemas"
)

func (b *bench) subscribe(t *testing.T, name, url, secret string) schemas.Subscription {
	t.Helper()
	s, err := b.reg.Subscribe(t.Context(), schemas.Subscription{Name: name, Provider: schemas.ProviderStandard, URL: "https://***", Events: []string{"*"}, Enabled: true}, url, secret)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// mustSign holds the secrets that sign against those that should.
func (b *bench) mustSign(t *testing.T, when, id string, want ...string) {
	t.Helper()
	url, got, err := b.reg.SubscriptionSecrets(id)
	if err != nil || url != discordURL || !slices.Equal(got, want) {
		t.Errorf("%s: url %q, secrets %q, %v; want %q, %q", when, url, got, err, discordURL, want)
	}
}

// A replaced secret signs for a day, after a restart as well, and is then gone
// from the file.
func TestSubscriptionRotation(t *testing.T) {
	b := newBench(t, EdgeConfig{})
	id := b.subscribe(t, "a", discordURL, "one").ID
	b.mustSign(t, "new", id, "one")
	rotate := func(secret string) {
		t.Helper()
		if _, err := b.reg.RotateSubscription(t.Context(), id, secret); err != nil {
			t.Fatal(err)
		}
	}
	rotate("two")
	b.mustSign(t, "rotated", id, "two", "one")
	rotate("three")
	b.mustSign(t, "rotated again", id, "three", "two")
	if got := secretsIn(t, b.dir); got != 3 {
		t.Errorf("%d secrets kept, want the URL and two", got)
	}
	b.dir = copyDir(t, b.dir)
	b.reg = openRegistry(t, b.dir, b.clock, b.lines, b.log)
	b.mustSign(t, "after a restart", id, "three", "two")
	b.clock.pass(24*time.Hour - time.Microsecond)
	b.mustSign(t, "just in time", id, "three", "two")
	b.clock.pass(time.Microsecond)
	b.mustSign(t, "too late", id, "three")
	b.dir = copyDir(t, b.dir)
	b.reg = openRegistry(t, b.dir, b.clock, b.lines, b.log)
	b.mustSign(t, "after a later restart", id, "three")
	if got := secretsIn(t, b.dir); got != 2 {
		t.Errorf("%d secrets kept, want the URL and one", got)
	}
	if err := b.reg.Unsubscribe(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.reg.SubscriptionSecrets(id); !errors.Is(err, schemas.ErrNotFound) || secretsIn(t, b.dir) != 0 {
		t.Errorf("deleted: %v, %d secrets kept; want schemas.ErrNotFound and none", err, secretsIn(t, b.dir))
	}
}

// Of two people who change the same, the second is told; what changes nothing
// is no event; a reason goes when the webhook is enabled again.
func TestSubscriptionChanges(t *testing.T) {
	b := newBench(t, EdgeConfig{})
	s := b.subscribe(t, "a", discordURL, "one")
	before, err := b.reg.SubscriptionRecord(s.ID)
	if err != nil {
		t.Fatal(err)
	}
	s.Name = "b"
	if _, err := b.reg.Resubscribe(t.Context(), s, before.Updated, ""); err != nil {
		t.Fatal(err)
	}
	s.Name = "c"
	if _, err := b.reg.Resubscribe(t.Context(), s, before.Updated, ""); !errors.Is(err, schemas.ErrConflict) {
		t.Errorf("the second change: %v, want schemas.ErrConflict", err)
	}
	b.mustSign(t, "changed", s.ID, "one")
	events := len(b.log.all())
	for range 2 {
		if err := b.reg.Disable(t.Context(), s.ID, "gone for good"); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := b.reg.Subscription(s.ID); err != nil || got.Enabled || got.Reason != "gone for good" || got.Name != "b" {
		t.Errorf("disabled: %+v, %v", got, err)
	}
	if got := len(b.log.all()) - events; got != 1 {
		t.Errorf("disabled twice: %d events, want 1", got)
	}
	for _, err := range []error{b.reg.Disable(t.Context(), "none", ""), b.reg.Unsubscribe(t.Context(), "none")} {
		if !errors.Is(err, schemas.ErrNotFound) {
			t.Errorf("a subscription that is not there: %v, want schemas.ErrNotFound", err)
		}
	}
	b.clock.pass(-time.Hour) // the clock is set back: order must not suffer
	b.subscribe(t, "younger", discordURL, "")
	var names []string
	for _, s := range b.reg.Subscriptions() {
		names = append(names, s.Name)
	}
	if want := []string{"younger", "b"}; !slices.Equal(names, want) {
		t.Errorf("newest first: got %q, want %q", names, want)
	}
}

// Those who watch hear of every change, and nobody waits for them.
func TestWatch(t *testing.T) {
	b := newBench(t, EdgeConfig{})
	changed, stop := b.reg.Watch()
	heard := func() bool {
		select {
		case <-changed:
			return true
		default:
			return false
		}
	}
	if heard() {
		t.Error("heard of a change before any")
	}
	s := b.subscribe(t, "a", discordURL, "")
	b.subscribe(t, "b", discordURL, "")
	if !heard() || heard() {
		t.Error("two changes: want one to hear")
	}
	stop()
	if err := b.reg.Unsubscribe(t.Context(), s.ID); err != nil {
		t.Fatal(err)
	}
	if heard() {
		t.Error("heard of a change after stop")
	}
}

// A registry that has only the log knows the subscriptions, in whatever order
// it met them, and says that it lacks their secrets.
func TestMergeSubscriptions(t *testing.T) {
	a := newBench(t, EdgeConfig{})
	s := a.subscribe(t, "a", discordURL, "one")
	gone := a.subscribe(t, "gone", discordURL, "")
	if _, err := a.reg.RotateSubscription(t.Context(), s.ID, "two"); err != nil {
		t.Fatal(err)
	}
	if err := a.reg.Unsubscribe(t.Context(), gone.ID); err != nil {
		t.Fatal(err)
	}
	events := a.log.all()
	reversed := slices.Clone(events)
	slices.Reverse(reversed)
	noise := schemas.Event{ID: "1", Source: schemas.SelfURI, Type: schemas.DeliveryAttempted, Route: schemas.RegistryRoute("delivery", "attempted")}
	for name, order := range map[string][]schemas.Event{"in order": events, "backwards": append(reversed, noise)} {
		b := newBench(t, EdgeConfig{})
		for _, e := range order {
			if err := b.reg.Merge(t.Context(), []schemas.Event{e}); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := b.reg.Subscriptions(), a.reg.Subscriptions(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
		if _, _, err := b.reg.SubscriptionSecrets(s.ID); !errors.Is(err, schemas.ErrNotFound) || !strings.Contains(err.Error(), "(hint: ") {
			t.Errorf("%s: secrets that did not come: %v, want schemas.ErrNotFound and a hint", name, err)
		}
		if eventsIn(t, b.dir) != len(events) {
			t.Errorf("%s: %d events kept, want %d", name, eventsIn(t, b.dir), len(events))
		}
	}
}
