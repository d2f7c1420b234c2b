package processor

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"switchlog/schemas"
)

func TestStreamsAreAsPromised(t *testing.T) {
	_, l, _ := freshLog(t)
	for name, live := range map[string]string{schemas.StreamEvents: schemas.Events, schemas.StreamChanges: schemas.Changes} {
		info, err := l.stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		c := info.Config
		if c.Storage != jetstream.FileStorage || c.Compression != jetstream.NoCompression || !c.AllowAtomicPublish ||
			c.Duplicates != 30*time.Second || c.DenyDelete || c.DenyPurge || c.Discard != jetstream.DiscardNew || c.Replicas != 1 {
			t.Errorf("%s: got %+v", name, c)
		}
		if !slices.Equal(c.Subjects, []string{"log." + live + ".>"}) || c.RePublish == nil ||
			c.RePublish.Source != "log."+live+".>" || c.RePublish.Destination != live+".>" || c.RePublish.HeadersOnly {
			t.Errorf("%s: got subjects %v, republish %+v", name, c.Subjects, c.RePublish)
		}
		if c.Metadata[epochKey] == "" {
			t.Errorf("%s: no epoch", name)
		}
	}
	if _, err := l.js.KeyValue(t.Context(), schemas.BucketFronters); err != nil {
		t.Error(err)
	}
}

func TestAppendStoresInOrder(t *testing.T) {
	for name, sizes := range map[string][]int{
		"one":               {1},
		"singles":           {1, 2, batchFrom - 1},
		"batch":             {batchFrom, batchFrom + 1},
		"more than a batch": {2*batchMax + 3},
		"mixed":             {1, batchFrom, 3, 200, 1},
	} {
		t.Run(name, func(t *testing.T) {
			_, l, start := freshLog(t)
			total := 0
			var now schemas.Anchor
			for _, n := range sizes {
				now = mustAppend(t, l, 1+total, n)
				total += n
			}
			want := schemas.Anchor{Epoch: start.Epoch, Seq: uint64(total), Count: uint64(total), ID: testEvent(total).MsgID()}
			if now != want {
				t.Errorf("got %+v, want %+v", now, want)
			}
			ids, _ := stored(t, l, ReadOptions{})
			if want := wantIDs(1, total); !slices.Equal(ids, want) {
				t.Errorf("got %d events, want %d in order", len(ids), len(want))
			}
			if n, err := l.Count(t.Context(), schemas.LogEvents+".>"); n != uint64(total) || err != nil {
				t.Errorf("count: got %d, %v, want %d", n, err, total)
			}
			if n, err := l.Count(t.Context(), schemas.LogEvents+".nobody.>"); n != 0 || err != nil {
				t.Errorf("count of nobody's: got %d, %v, want 0", n, err)
			}
			again, delivered, err := l.Recover(t.Context(), "spool", start)
			if err != nil || again != now || delivered != uint64(total) {
				t.Errorf("recover: got %+v, %d, %v; want %+v, %d", again, delivered, err, now, total)
			}
		})
	}
}

func TestStoredMessageIsAsSpooled(t *testing.T) {
	s, l, _ := freshLog(t)
	live := make(chan *nats.Msg, 4)
	if _, err := l.nc.ChanSubscribe(schemas.Events+".>", live); err != nil {
		t.Fatal(err)
	}
	in := spooled(t, 7, 1)
	if _, err := l.Append(t.Context(), "spool", in); err != nil {
		t.Fatal(err)
	}
	r, m, err := l.Get(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if m.Subject != in[0].Subject || m.ID != in[0].ID || string(m.Body) != string(in[0].Body) {
		t.Errorf("got %+v, want %+v", m, in[0].Message)
	}
	if r.Fault != nil || r.Seq != 1 || r.ID != "event-7" || r.Route != testEvent(7).Route {
		t.Errorf("got %+v", r)
	}
	pub := <-live
	if pub.Subject != testEvent(7).Route.EventSubject() || string(pub.Data) != string(in[0].Body) {
		t.Errorf("republished: got %s", pub.Subject)
	}
	for key, want := range map[string]string{
		"Nats-Sequence": "1", "Nats-Last-Sequence": "0", "Nats-Msg-Id": in[0].ID,
		"Content-Type": schemas.ContentType, spoolHeader: "spool/7",
	} {
		if got := pub.Header.Get(key); got != want {
			t.Errorf("%s: got %q, want %q", key, got, want)
		}
	}
	_ = s
}

// Law 1: a message that is stored already, and sent again because the answer
// was lost, is stored once; in a batch it does not take the others with it.
func TestLaw1SentAgainIsStoredOnce(t *testing.T) {
	for _, n := range []int{5, 100} {
		_, l, start := freshLog(t)
		mustAppend(t, l, 1, 3)
		now := mustAppend(t, l, 1, n) // the first three again, then new ones
		if now.Seq != uint64(n) || now.Count != uint64(n) || now.ID != testEvent(n).MsgID() {
			t.Errorf("%d: got %+v", n, now)
		}
		ids, _ := stored(t, l, ReadOptions{})
		if !slices.Equal(ids, wantIDs(1, n)) {
			t.Errorf("%d: got %v", n, ids)
		}
		// All of it again: nothing is stored, the anchor stays.
		if again := mustAppend(t, l, 1, n); again != now {
			t.Errorf("%d: got %+v, want %+v", n, again, now)
		}
		if got := mustRecover(t, l, start); got != now {
			t.Errorf("%d: got %+v, want %+v", n, got, now)
		}
	}
}

func TestAnchorIsExactBesideOtherPublishers(t *testing.T) {
	s, l, start := freshLog(t)
	other := newLog(t, connect(t, s))
	if _, _, err := other.Recover(t.Context(), "other", schemas.Anchor{}); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Append(t.Context(), "other", spooled(t, 1000, 5)); err != nil {
		t.Fatal(err)
	}
	now := mustAppend(t, l, 1, 2)
	if want := (schemas.Anchor{Epoch: start.Epoch, Seq: 7, Count: 7, ID: testEvent(2).MsgID()}); now != want {
		t.Errorf("got %+v, want %+v", now, want)
	}
	_, delivered, err := l.Recover(t.Context(), "spool", start)
	if err != nil || delivered != 2 {
		t.Errorf("got %d, %v; want 2 of this spool", delivered, err)
	}
	_, delivered, err = l.Recover(t.Context(), "other", start)
	if err != nil || delivered != 1004 {
		t.Errorf("got %d, %v; want 1004 of the other spool", delivered, err)
	}
}

func TestAppendTooLarge(t *testing.T) {
	_, l, start := freshLog(t)
	big := spooled(t, 1, 1)
	big[0].Body = []byte(`"` + strings.Repeat("x", 2<<20) + `"`)
	if _, err := l.Append(t.Context(), "spool", big); !errors.Is(err, nats.ErrMaxPayload) {
		t.Errorf("got %v, want %v", err, nats.ErrMaxPayload)
	}
	if got := mustRecover(t, l, start); got != start {
		t.Errorf("got %+v, want %+v", got, start)
	}
}

// A stream that takes no batches gets singles.
func TestAppendWithoutBatches(t *testing.T) {
	_, l, _ := freshLog(t)
	s, err := l.js.Stream(t.Context(), schemas.StreamEvents)
	if err != nil {
		t.Fatal(err)
	}
	c := s.CachedInfo().Config
	c.AllowAtomicPublish = false
	if _, err := l.js.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if now := mustAppend(t, l, 1, 100); now.Seq != 100 { // refused, then one by one
		t.Errorf("got %+v", now)
	}
	mustRecover(t, l, schemas.Anchor{})
	if now := mustAppend(t, l, 101, 100); now.Seq != 200 || l.batches() {
		t.Errorf("got %+v, batches %v", now, l.batches())
	}
}

func TestReadEdges(t *testing.T) {
	_, l, _ := freshLog(t)
	if ids, _ := stored(t, l, ReadOptions{}); len(ids) != 0 {
		t.Errorf("empty log: got %v", ids)
	}
	if _, err := l.SeqAt(t.Context(), time.Now()); err != nil {
		t.Error(err)
	}
	mustAppend(t, l, 1, 6)
	other, err := schemas.Event{ID: "other", Source: "urn:x", Type: "com.example.thing.made", Time: time.Now(),
		Route: schemas.Route{Source: "cloudevents", Tenant: "x", Noun: "event", Verb: "receive"}}.Message()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(t.Context(), "spool", []schemas.Spooled{{Message: other, Pos: 7}}); err != nil {
		t.Fatal(err)
	}
	if err := l.Erase(t.Context(), []uint64{3}); err != nil {
		t.Fatal(err)
	}
	pluralkit := schemas.LogEvents + ".pluralkit.>"
	for name, c := range map[string]struct {
		o    ReadOptions
		want []uint64
	}{
		"all":                        {ReadOptions{}, []uint64{1, 2, 4, 5, 6, 7}},
		"from":                       {ReadOptions{From: 5}, []uint64{5, 6, 7}},
		"to":                         {ReadOptions{To: 4}, []uint64{1, 2, 4}},
		"to beyond the end":          {ReadOptions{To: 99}, []uint64{1, 2, 4, 5, 6, 7}},
		"one":                        {ReadOptions{From: 2, To: 2}, []uint64{2}},
		"erased at the start":        {ReadOptions{From: 3, To: 4}, []uint64{4}},
		"erased at the end":          {ReadOptions{From: 2, To: 3}, []uint64{2}},
		"erased alone":               {ReadOptions{From: 3, To: 3}, nil},
		"from after to":              {ReadOptions{From: 5, To: 4}, nil},
		"from beyond the end":        {ReadOptions{From: 8}, nil},
		"others at the end":          {ReadOptions{Subject: pluralkit}, []uint64{1, 2, 4, 5, 6}},
		"others only":                {ReadOptions{Subject: pluralkit, From: 7}, nil},
		"filter with nothing":        {ReadOptions{Subject: schemas.LogEvents + ".discord.>"}, nil},
		"filter, to inside":          {ReadOptions{Subject: pluralkit, To: 5}, []uint64{1, 2, 4, 5}},
		"filter, others before it":   {ReadOptions{Subject: schemas.LogEvents + ".cloudevents.>"}, []uint64{7}},
		"filter, to before the find": {ReadOptions{Subject: schemas.LogEvents + ".cloudevents.>", To: 6}, nil},
	} {
		if _, got := stored(t, l, c.o); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
	if _, _, err := l.Get(t.Context(), 3); !errors.Is(err, ErrNotFound) {
		t.Errorf("erased: got %v, want %v", err, ErrNotFound)
	}
	if _, _, err := l.Get(t.Context(), 8); !errors.Is(err, ErrNotFound) {
		t.Errorf("beyond: got %v, want %v", err, ErrNotFound)
	}
}

// What is erased behind the reader's back, at the end, does not leave it
// waiting for it.
func TestReadEndsWhenTheRestIsErased(t *testing.T) {
	_, l, _ := freshLog(t)
	mustAppend(t, l, 1, 5)
	var seqs []uint64
	err := l.Read(t.Context(), ReadOptions{}, func(r schemas.Recorded, _ schemas.Message) error {
		seqs = append(seqs, r.Seq)
		if r.Seq == 1 {
			return l.Erase(t.Context(), []uint64{4, 5})
		}
		return nil
	})
	if err != nil || len(seqs) < 3 {
		t.Errorf("got %v, %v", seqs, err)
	}
}

func TestReadStopsWhenToldTo(t *testing.T) {
	_, l, _ := freshLog(t)
	mustAppend(t, l, 1, 5)
	boom := errors.New("boom")
	for _, c := range []struct{ give, want error }{{boom, boom}, {ErrEnd, nil}} {
		n := 0
		err := l.Read(t.Context(), ReadOptions{}, func(schemas.Recorded, schemas.Message) error {
			n++
			return c.give
		})
		if !errors.Is(err, c.want) || n != 1 {
			t.Errorf("%v: got %v after %d, want %v after 1", c.give, err, n, c.want)
		}
	}
}

func TestReadGoesOnAfterARestart(t *testing.T) {
	s, l, _ := freshLog(t)
	mustAppend(t, l, 1, 300)
	var ids []string
	err := l.Read(t.Context(), ReadOptions{}, func(r schemas.Recorded, _ schemas.Message) error {
		ids = append(ids, r.ID)
		if len(ids) == 100 {
			return s.Restart(t.Context())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(ids, wantIDs(1, 300)) {
		t.Errorf("got %d events, want 300 in order, each once", len(ids))
	}
}

// P6: what is no event is kept, comes with its fault, and stops nothing.
func TestReadGivesFaults(t *testing.T) {
	_, l, _ := freshLog(t)
	mustAppend(t, l, 1, 1)
	bad := []schemas.Spooled{{Message: schemas.Message{Subject: schemas.LogEvents + ".a.b.c.d", ID: "bad", Body: []byte("{")}, Pos: 2}}
	if _, err := l.Append(t.Context(), "spool", bad); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, 3, 1)
	var faults []bool
	err := l.Read(t.Context(), ReadOptions{}, func(r schemas.Recorded, m schemas.Message) error {
		faults = append(faults, r.Fault != nil)
		if r.Fault != nil && (!errors.Is(r.Fault, schemas.ErrInvalid) || string(m.Body) != "{") {
			t.Errorf("got %v, %q", r.Fault, m.Body)
		}
		return nil
	})
	if err != nil || !slices.Equal(faults, []bool{false, true, false}) {
		t.Errorf("got %v, %v", faults, err)
	}
}

func TestSeqAt(t *testing.T) {
	_, l, _ := freshLog(t)
	mustAppend(t, l, 1, 3)
	at := func(seq uint64) time.Time {
		m, err := l.raw(t.Context(), schemas.StreamEvents, seq)
		if err != nil {
			t.Fatal(err)
		}
		return m.Time
	}
	for _, c := range []struct {
		t    time.Time
		want uint64
	}{
		{time.Time{}, 1}, {at(1), 1}, {at(1).Add(1), 2}, {at(3), 3}, {at(3).Add(1), 4}, {time.Now().Add(time.Hour), 4},
	} {
		got, err := l.SeqAt(t.Context(), c.t)
		if err != nil || got != c.want {
			t.Errorf("%v: got %d, %v; want %d", c.t, got, err, c.want)
		}
	}
}

func TestInfoAndLast(t *testing.T) {
	_, l, a := freshLog(t)
	if p, err := l.Last(t.Context()); err != nil || p != (schemas.Position{Epoch: a.Epoch}) {
		t.Errorf("empty: got %+v, %v", p, err)
	}
	mustAppend(t, l, 1, 3)
	if p, err := l.Last(t.Context()); err != nil || p != (schemas.Position{Epoch: a.Epoch, Seq: 3, ID: "event-3"}) {
		t.Errorf("got %+v, %v", p, err)
	}
	if err := l.Erase(t.Context(), []uint64{1, 3, 99, 3}); err != nil {
		t.Fatal(err)
	}
	if p, err := l.Last(t.Context()); err != nil || p != (schemas.Position{Epoch: a.Epoch, Seq: 3}) {
		t.Errorf("erased: got %+v, %v", p, err)
	}
	i, err := l.Info(t.Context())
	if err != nil || i.Messages != 1 || i.First != 2 || i.Last != 3 || i.Erased != 2 || i.Missing != 2 || i.Bytes == 0 || i.LastTime.IsZero() {
		t.Errorf("got %+v, %v", i, err)
	}
	if now := mustAppend(t, l, 4, 1); now.Seq != 4 || now.Count != 2 {
		t.Errorf("append after an erasure: got %+v, want seq 4, count 2", now)
	}
}
