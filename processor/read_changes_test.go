package processor

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"switchlog/schemas"
)

// Changes are found by what caused them, though some are erased.
func TestReadChanges(t *testing.T) {
	_, l, _ := freshLog(t)
	o := &memoryOutbox{empty: make(chan struct{}, 1)}
	for seq := uint64(10); seq <= 400; seq += 10 {
		o.add(outgoing(t, seq, 0), outgoing(t, seq, 1))
	}
	c := newTestChanges(l, o, true)
	runInBackground(t, c.Run)
	<-o.empty
	s, err := l.js.Stream(t.Context(), schemas.StreamChanges)
	if err != nil {
		t.Fatal(err)
	}
	for seq := uint64(35); seq <= 48; seq++ { // those of 180 to 230, and half of 240
		if err := s.DeleteMsg(t.Context(), seq); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			t.Fatal(err)
		}
	}
	for _, r := range []struct {
		from, to uint64
		want     []string
	}{
		{395, 1000, []string{"400/0", "400/1"}},
		{0, 20, []string{"10/0", "10/1", "20/0", "20/1"}},
		{11, 30, []string{"20/0", "20/1", "30/0", "30/1"}},
		{175, 240, nil}, {180, 250, []string{"250/0", "250/1"}},
		{160, 240, []string{"160/0", "160/1", "170/0", "170/1"}},
		{401, 0, nil},
		{400, 0, []string{"400/0", "400/1"}},
	} {
		var got []string
		err := l.ReadChanges(t.Context(), ReadOptions{From: r.from, To: r.to, Subject: schemas.LogChanges + ".>"}, func(seq uint64, n int, e schemas.Event) error {
			if e.Route.EventName() != "front.changed" || e.Route.Tenant != testTenant {
				t.Errorf("%d/%d: route %+v", seq, n, e.Route)
			}
			got = append(got, fmt.Sprintf("%d/%d", seq, n))
			return nil
		})
		if err != nil || !slices.Equal(got, r.want) {
			t.Errorf("from %d to %d: got %q, %v, want %q", r.from, r.to, got, err, r.want)
		}
	}
	stop := errors.New("enough")
	if err := l.ReadChanges(t.Context(), ReadOptions{}, func(uint64, int, schemas.Event) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of fn: got %v, want it back", err)
	}
}
