package processor

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"switchlog/schemas"
)

// payloadLog is an empty log on an outside server of that max_payload.
func payloadLog(tb testing.TB, maxPayload int32) *Log {
	tb.Helper()
	opts, err := testConfig(tb).options()
	if err != nil {
		tb.Fatal(err)
	}
	opts.MaxPayload, opts.NoSigs, opts.NoLog = maxPayload, true, true
	ns, err := server.NewServer(opts)
	if err != nil {
		tb.Fatal(err)
	}
	ns.Start()
	tb.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	if !ns.ReadyForConnections(10 * time.Second) {
		tb.Fatal("the NATS server does not listen")
	}
	nc, err := Connect(ConnectConfig{URL: ns.ClientURL(), Password: testPassword})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(nc.Close)
	for deadline := time.Now().Add(10 * time.Second); nc.FlushTimeout(time.Second) != nil; {
		if time.Now().After(deadline) {
			tb.Fatal("no connection")
		}
	}
	return newLog(tb, nc)
}

// describedFront is the front of n members with all that can be said of them.
func describedFront(tb testing.TB, tenant string, n int) json.RawMessage {
	tb.Helper()
	text := func(s string, n int) *string { s = strings.Repeat(s, n); return &s }
	f := schemas.Front{System: tenant, Switch: "5e1b54ac-0000-4000-8000-000000000001", Since: "2026-01-01T00:00:00.000000Z", SinceUS: 1, Members: []schemas.Fronter{}}
	for i := range n {
		f.Members = append(f.Members, schemas.Fronter{
			UUID: fmt.Sprintf("d0d0d0d0-0000-4000-8000-%012d", i), ID: text("x", 5), Name: text("名", 100), DisplayName: text("名", 100),
			Pronouns: text("代", 100), Color: text("f", 6), AvatarURL: text("a", 256),
		})
	}
	raw, err := json.Marshal(f)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// changed is an outbox entry of a change of that type.
func changed(tb testing.TB, seq uint64, typ, noun, tenant string, before, after json.RawMessage) schemas.Outgoing {
	tb.Helper()
	of := testEvent(int(seq))
	of.Route.Tenant = tenant
	e, err := schemas.NewChange(typ, noun, tenant, schemas.Recorded{Event: of, Seq: seq}, before, after)
	if err != nil {
		tb.Fatal(err)
	}
	m, err := e.Message()
	if err != nil {
		tb.Fatal(err)
	}
	m.Subject = e.Route.ChangeSubject()
	o := schemas.Outgoing{Seq: seq, Change: &m}
	if typ == schemas.FrontChanged {
		o.FrontersKey, o.Fronters = tenant, after
	}
	return o
}

// What is too large for a message of the server is sent in a form that fits, and
// says so; what others have to say goes out before and after it, whatever the
// server's max_payload is.
func TestChangesFitTheServer(t *testing.T) {
	const other = "9c2ae1a4-1111-4000-8000-000000000009"
	for _, tc := range []struct {
		payload int32
		members int
	}{{minPayload, 1000}, {64 << 10, 1000}, {1 << 20, 1000}, {1 << 20, 9000}, {8 << 20, 1000}} {
		t.Run(fmt.Sprint(tc.payload, " ", tc.members), func(t *testing.T) {
			l := payloadLog(t, tc.payload)
			mustRecover(t, l, schemas.Anchor{})
			o := &memoryOutbox{empty: make(chan struct{}, 1)}
			big := describedFront(t, testTenant, tc.members)
			long, err := json.Marshal(map[string]any{"uuid": other, "name": "short", "description": strings.Repeat("語", 100_000), "note": strings.Repeat("n", 1<<20)})
			if err != nil {
				t.Fatal(err)
			}
			small := describedFront(t, other, 1)
			o.add(changed(t, 1, schemas.FrontChanged, "front", other, nil, small),
				changed(t, 2, schemas.FrontChanged, "front", testTenant, big, big),
				changed(t, 3, schemas.MemberChanged, "member", testTenant, long, long),
				changed(t, 4, schemas.FrontChanged, "front", other, small, small))
			c := newTestChanges(l, o, true)
			stop := runInBackground(t, c.Run)
			<-o.empty
			stop()
			if got, want := fmt.Sprint(causes(t, l)), "[1/0 2/0 3/0 4/0]"; got != want {
				t.Errorf("changes: got %s, want %s", got, want)
			}
			if got := c.Status(); got.Err != nil || !got.Since.IsZero() {
				t.Errorf("status: got %+v, want nothing waiting", got)
			}
			checkFront(t, l, tc.members)
			// What is stored at the limit can be read back, by every way.
			if last, err := newTestChanges(l, o, true).last(t.Context()); err != nil || last != (cause{4, 0}) {
				t.Errorf("last: got %v, %v", last, err)
			}
			err = l.ReadChanges(t.Context(), ReadOptions{}, func(seq uint64, _ int, e schemas.Event) error {
				var got schemas.Change
				if err := json.Unmarshal(e.Data, &got); err != nil {
					return err
				}
				if wholeFits := int(tc.payload) > 2*len(big)+headerBytes; seq == 2 && wholeFits == (len(got.Omitted) > 0) {
					t.Errorf("front: %d bytes of at most %d, omitted %q", len(e.Data), tc.payload, got.Omitted)
				}
				if seq == 3 && tc.payload < 2<<20 && (fmt.Sprint(got.Omitted[0]) != "note" || !strings.Contains(string(got.After), `"name":"short"`)) {
					t.Errorf("member: omitted %q of %.200s", got.Omitted, got.After)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// checkFront reads the bucket's entry of the test's tenant.
func checkFront(t *testing.T, l *Log, members int) {
	t.Helper()
	var f schemas.Front
	if err := json.Unmarshal([]byte(front(t, l)), &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Members) == 0 || len(f.Members) != members && f.MembersTotal != members {
		t.Errorf("bucket: %d members, said to be %d of %d, omitted %q", len(f.Members), f.MembersTotal, members, f.Omitted)
	}
	for _, m := range f.Members {
		if m.UUID == "" {
			t.Fatal("bucket: a member without its uuid")
		}
	}
}

// A stream may have a limit of its own below the server's.
func TestChangesFitTheStream(t *testing.T) {
	_, l, _ := freshLog(t)
	for _, name := range []string{schemas.StreamChanges, schemas.StreamEvents} {
		s, err := l.js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		c := s.CachedInfo().Config
		c.MaxMsgSize = 32 << 10
		if _, err := l.js.UpdateStream(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	o := &memoryOutbox{empty: make(chan struct{}, 1)}
	big := describedFront(t, testTenant, 1000)
	o.add(changed(t, 2, schemas.FrontChanged, "front", testTenant, nil, big))
	runInBackground(t, newTestChanges(l, o, true).Run)
	<-o.empty
	if got, want := fmt.Sprint(causes(t, l)), "[2/0]"; got != want {
		t.Errorf("changes: got %s, want %s", got, want)
	}
	mustRecover(t, l, schemas.Anchor{})
	if got, want := l.Limit(), 32<<10-headerBytes; got != want {
		t.Errorf("limit of an event: got %d, want %d", got, want)
	}
}

// A server that takes next to nothing is named at once.
func TestTooSmallPayload(t *testing.T) {
	l := payloadLog(t, 4<<10)
	_, _, err := l.Recover(t.Context(), "spool", schemas.Anchor{})
	if err == nil || !strings.Contains(err.Error(), "max_payload") {
		t.Errorf("got %v, want max_payload to be named", err)
	}
}

// What cannot be sent is seen: by its error, and by how long it has waited.
func TestChangesStatusSaysThatTheyStand(t *testing.T) {
	_, l, _ := freshLog(t)
	o := &memoryOutbox{empty: make(chan struct{}, 1), failing: 1 << 30}
	o.add(outgoing(t, 1, 0))
	c := newTestChanges(l, o, true)
	if err := c.session(t.Context(), func() {}); err == nil {
		t.Fatal("got no error from Sent")
	}
	since := c.Status().Since
	if since.IsZero() || c.Status().Stuck(since.Add(stuckAfter-1)) || !c.Status().Stuck(since.Add(stuckAfter)) {
		t.Errorf("got %+v, want it to be stuck after %v", c.Status(), stuckAfter)
	}
}
