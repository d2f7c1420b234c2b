package processor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"switchlog/schemas"
)

// memoryOutbox is an outbox in memory.
type memoryOutbox struct {
	mu      sync.Mutex
	due     []schemas.Outgoing
	asked   int
	failing int // how many more times Sent fails, without effect
	empty   chan struct{}
}

func (o *memoryOutbox) Due(_ context.Context, limit int) ([]schemas.Outgoing, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked++
	if len(o.due) == 0 {
		signal(o.empty)
	}
	return slices.Clone(o.due[:min(limit, len(o.due))]), nil
}

func (o *memoryOutbox) Sent(_ context.Context, seq uint64, n int) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failing > 0 {
		o.failing--
		return errors.New("killed")
	}
	o.due = slices.DeleteFunc(o.due, func(e schemas.Outgoing) bool { return !cause{e.Seq, e.N}.after(cause{seq, n}) })
	return nil
}

func (o *memoryOutbox) add(entries ...schemas.Outgoing) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.due = append(o.due, entries...)
}

// outgoing is the nth change that the event seq caused, with a front.
func outgoing(tb testing.TB, seq uint64, n int) schemas.Outgoing {
	tb.Helper()
	front := json.RawMessage(fmt.Sprintf(`{"since_us":%d}`, seq))
	e, err := schemas.NewChange(schemas.FrontChanged, "front", testTenant, schemas.Recorded{Event: testEvent(int(seq)), Seq: seq}, nil, front)
	if err != nil {
		tb.Fatal(err)
	}
	e.ID += fmt.Sprintf(".%d", n)
	m, err := e.Message()
	if err != nil {
		tb.Fatal(err)
	}
	m.Subject = e.Route.ChangeSubject()
	return schemas.Outgoing{Seq: seq, N: n, Change: &m, FrontersKey: testTenant, Fronters: front}
}

func newTestChanges(l *Log, o Outbox, ready bool) *Changes {
	c := make(chan struct{})
	if ready {
		close(c)
	}
	return NewChanges(ChangesConfig{Log: l, Outbox: o, Ready: c})
}

// causes reads the stream CHANGES: the causes in order.
func causes(tb testing.TB, l *Log) (got []string) {
	tb.Helper()
	info, err := l.stream(tb.Context(), schemas.StreamChanges)
	if err != nil {
		tb.Fatal(err)
	}
	err = l.read(tb.Context(), feed{stream: schemas.StreamChanges}, info.State.LastSeq, func(m jetstream.Msg, _ meta) error {
		got = append(got, m.Headers().Get(causeHeader))
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return got
}

func front(tb testing.TB, l *Log) string {
	tb.Helper()
	b, err := l.js.KeyValue(tb.Context(), schemas.BucketFronters)
	if err != nil {
		tb.Fatal(err)
	}
	e, err := b.Get(tb.Context(), testTenant)
	if err != nil {
		tb.Fatal(err)
	}
	return string(e.Value())
}

func TestChangesAreSentInOrder(t *testing.T) {
	_, l, _ := freshLog(t)
	live := make(chan *nats.Msg, 1000)
	if _, err := l.nc.ChanSubscribe(schemas.Changes+".>", live); err != nil {
		t.Fatal(err)
	}
	o := &memoryOutbox{empty: make(chan struct{}, 1)}
	var want []string
	for seq := uint64(1); seq <= 200; seq++ {
		for n := range 2 {
			o.add(outgoing(t, seq, n))
			want = append(want, fmt.Sprintf("%d/%d", seq, n))
		}
	}
	only := outgoing(t, 201, 0) // the bucket's entry alone
	only.Change = nil
	o.add(only)
	c := newTestChanges(l, o, true)
	runInBackground(t, c.Run)
	<-o.empty
	o.add(outgoing(t, 300, 0)) // and what comes later, when we say so
	c.Wake()
	<-o.empty
	want = append(want, "300/0")
	if got := causes(t, l); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got, want := front(t, l), `{"since_us":300}`; got != want {
		t.Errorf("front: got %s, want %s", got, want)
	}
	m := <-live
	sent := outgoing(t, 1, 0).Change
	if want := "changes.pluralkit." + testTenant + ".front"; m.Subject != want || m.Header.Get("Nats-Msg-Id") != sent.ID {
		t.Errorf("got %s %v, want %s, %s", m.Subject, m.Header, want, sent.ID)
	}
	if !bytes.Equal(m.Data, sent.Body) {
		t.Errorf("got %s, want %s", m.Data, sent.Body)
	}
}

// Law 8 and D13's half of it: nothing goes out before the projection has
// caught up.
func TestLaw8NothingIsSentBeforeCaughtUp(t *testing.T) {
	_, l, _ := freshLog(t)
	mustAppend(t, l, 1, 10)
	sink, o := newSink(t), &memoryOutbox{empty: make(chan struct{}, 1)}
	// The sink writes its outbox with its rows.
	sink.fail = func(batch []schemas.Recorded) (error, error) {
		for _, e := range batch {
			o.add(outgoing(t, e.Seq, 0))
		}
		if o.asked != 0 || len(causes(t, l)) != 0 {
			t.Error("something was sent while the projection was behind")
		}
		return nil, nil
	}
	loop := newTestLoop(l, sink)
	c := NewChanges(ChangesConfig{Log: l, Outbox: o, Ready: loop.CaughtUp()})
	runInBackground(t, c.Run)
	runInBackground(t, loop.Run)
	<-o.empty
	if got := len(causes(t, l)); got != 10 {
		t.Errorf("got %d changes, want 10", got)
	}
}

// Exactly once per cause: killed between publishing and Sent, the next life
// does not publish again, however long ago it was (the server's window of
// ids is not what this leans on: here the ids are other ones).
func TestChangesKilledBeforeSent(t *testing.T) {
	_, l, _ := freshLog(t)
	o := &memoryOutbox{empty: make(chan struct{}, 1), failing: 1}
	for seq := uint64(1); seq <= 40; seq++ {
		o.add(outgoing(t, seq, 0))
	}
	if err := newTestChanges(l, o, true).session(t.Context(), func() {}); err == nil {
		t.Fatal("got no error from Sent")
	}
	for i := range o.due {
		other := *o.due[i].Change
		other.ID += ".other"
		o.due[i].Change = &other
	}
	o.add(outgoing(t, 40, 1), outgoing(t, 41, 0))
	runInBackground(t, newTestChanges(l, o, true).Run)
	<-o.empty
	var want []string
	for seq := 1; seq <= 40; seq++ {
		want = append(want, fmt.Sprintf("%d/0", seq))
	}
	want = append(want, "40/1", "41/0")
	if got := causes(t, l); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestChangesSurviveServerRestarts(t *testing.T) {
	s, l, _ := freshLog(t)
	o := &memoryOutbox{empty: make(chan struct{}, 1)}
	c := newTestChanges(l, o, true)
	runInBackground(t, c.Run)
	var want []string
	for seq := uint64(1); seq <= 60; seq++ {
		o.add(outgoing(t, seq, 0))
		want = append(want, fmt.Sprintf("%d/0", seq))
		c.Wake()
		if seq%20 == 0 {
			if err := s.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	late := time.After(time.Minute) // a lost request alone takes LogConfig.Timeout to notice
	for sent := false; !sent; {
		select {
		case <-o.empty:
		case <-late:
			t.Fatal("not sent")
		}
		o.mu.Lock()
		sent = len(o.due) == 0
		o.mu.Unlock()
	}
	if got := causes(t, l); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// What is no change does not hold up the others.
func TestChangesLeaveOutWhatIsNoChange(t *testing.T) {
	_, l, _ := freshLog(t)
	o := &memoryOutbox{empty: make(chan struct{}, 1)}
	big := outgoing(t, 1, 0)
	big.Change.Body = slices.Repeat([]byte("x"), 2<<20)
	o.add(big, outgoing(t, 3, 0))
	runInBackground(t, newTestChanges(l, o, true).Run)
	<-o.empty
	if got := causes(t, l); !slices.Equal(got, []string{"3/0"}) {
		t.Errorf("got %v", got)
	}
}

func TestChangesStopWhenTheStreamIsNotOurs(t *testing.T) {
	_, l, _ := freshLog(t)
	if err := l.nc.Publish(schemas.LogChanges+".a.b.c", []byte("by hand")); err != nil {
		t.Fatal(err)
	}
	o := &memoryOutbox{empty: make(chan struct{}, 1)}
	if err := newTestChanges(l, o, true).Run(t.Context()); !errors.Is(err, schemas.ErrLogDamaged) {
		t.Errorf("got %v, want %v", err, schemas.ErrLogDamaged)
	}
	_, l, _ = freshLog(t)
	deleteStream(t, l, schemas.StreamChanges)
	if err := newTestChanges(l, o, true).Run(t.Context()); !errors.Is(err, schemas.ErrLogDamaged) {
		t.Errorf("without a stream: got %v, want %v", err, schemas.ErrLogDamaged)
	}
}
