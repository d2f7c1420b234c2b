package fakepk

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestLife: a seeded life uses every action, is the same each time, and leaves a world whose rows agree.
func TestLife(t *testing.T) {
	run := func(steps int) (*World, *System, map[string]int, map[string]int, []Delivery) {
		w := New(t, Config{Seed: 3, Odds: Odds{APICreateSeen: Measured, CounterFirst: 0.5, WriteFails: 0.01, EditLost: 0.01}})
		s, err := w.CreateSystem(exAccount, Fields{"name": "S"})
		w.Must(err)
		_, err = s.SetWebhook(exHook)
		w.Must(err)
		life := s.Live(5)
		life.Ties, life.Futures = true, true
		tried, done := map[string]int{}, map[string]int{}
		for range steps {
			name, err := life.Step()
			tried[name]++
			if err == nil {
				done[name]++
			}
		}
		return w, s, tried, done, w.Deliveries()
	}
	w, s, tried, done, ds := run(3000)
	for _, d := range deeds {
		if done[d.name] == 0 && d.name != "failed import" {
			t.Errorf("%s: done 0 of %d times, want some", d.name, tried[d.name])
		}
	}
	for _, d := range ds {
		if strings.Contains(string(d.Body), "UPDATE_GROUP_MEMBERS") {
			t.Fatalf("got %s, want it never sent", d.Body)
		}
	}
	w.checkRows(t, s)
	w2, s2, _, _, ds2 := run(3000)
	if diff := w.Truth(s).Diff(w2.Truth(s2)); len(diff) > 0 || !reflect.DeepEqual(ds, ds2) {
		t.Errorf("got two lives from one seed: %v", diff)
	}
}

// checkRows looks for rows that hang on nothing.
func (w *World) checkRows(t *testing.T, s *System) {
	t.Helper()
	for _, turn := range s.turns {
		for _, m := range turn.members {
			if !slices.Contains(s.members, m) {
				t.Errorf("switch %s has a member that is gone", turn.uuid)
			}
		}
	}
	for _, l := range s.links {
		if !slices.Contains(s.members, l.member) || !slices.Contains(s.groups, l.group) {
			t.Errorf("a membership of something that is gone")
		}
	}
	hids := map[string]bool{}
	for _, m := range s.members {
		if hids[m.hid] {
			t.Errorf("two members have the id %s", m.hid)
		}
		hids[m.hid] = true
	}
}

// TestReadsBesideActions: the API and Truth may be asked while people act (for the race detector).
func TestReadsBesideActions(t *testing.T) {
	x := newExample(t, Config{})
	_, c := serveAPI(t, x.w, APIConfig{Unlimited: true})
	c = c.as(x.Token())
	done := make(chan struct{})
	go func() {
		defer close(done)
		x.Live(1).Steps(300)
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		for _, path := range []string{"", "/members", "/groups?with_members=true", "/switches", "/fronters", "/settings"} {
			c.get("/systems/@me" + path)
		}
		x.w.Truth(x.System)
		x.w.Deliveries()
	}
}
