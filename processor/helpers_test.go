package processor

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"switchlog/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testPassword = "a-password-of-admin"

const testTenant = "2ab1cf04-0b0c-4d5e-9a62-0f7f3a6d1a55"

func testConfig(tb testing.TB) ServerConfig {
	c := ServerConfig{StoreDir: tb.TempDir(), Listen: "127.0.0.1:0", AdminPassword: testPassword, SysPassword: "a-password-of-sys"}
	if os.Getenv("TEST_LOG") != "" {
		c.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return c
}

func startServer(tb testing.TB, c ServerConfig) *Server {
	tb.Helper()
	s, err := StartServer(c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func connect(tb testing.TB, s *Server) *nats.Conn {
	tb.Helper()
	nc, err := Connect(ConnectConfig{Server: s, Password: testPassword})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(nc.Close)
	return nc
}

func newLog(tb testing.TB, nc *nats.Conn) *Log {
	tb.Helper()
	c := LogConfig{Conn: nc, Timeout: 2 * time.Second}
	if os.Getenv("TEST_LOG") != "" {
		c.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	l, err := NewLog(c)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// freshLog is a server with an empty log that Recover has made.
func freshLog(tb testing.TB) (*Server, *Log, schemas.Anchor) {
	tb.Helper()
	s := startServer(tb, testConfig(tb))
	l := newLog(tb, connect(tb, s))
	return s, l, mustRecover(tb, l, schemas.Anchor{})
}

func mustRecover(tb testing.TB, l *Log, a schemas.Anchor) schemas.Anchor {
	tb.Helper()
	now, _, err := l.Recover(tb.Context(), "spool", a)
	if err != nil {
		tb.Fatal(err)
	}
	return now
}

// spooled makes n messages with the positions from, from+1, …
func spooled(tb testing.TB, from, n int) []schemas.Spooled {
	tb.Helper()
	batch := make([]schemas.Spooled, n)
	for i := range batch {
		pos := from + i
		m, err := testEvent(pos).Message()
		if err != nil {
			tb.Fatal(err)
		}
		batch[i] = schemas.Spooled{Message: m, Pos: uint64(pos)}
	}
	return batch
}

func testEvent(n int) schemas.Event {
	return schemas.Event{
		ID: fmt.Sprintf("event-%d", n), Source: schemas.PluralKitSystemURL + testTenant, Type: schemas.PKMemberUpdate,
		Subject: "3c8c4d34-9e5e-4b5e-8d6f-0a4b8c8f6a11", Time: time.UnixMicro(1_700_000_000_000_000 + int64(n)),
		Origin: schemas.OriginWebhook, DataSchema: schemas.SchemaID(schemas.PKMemberUpdate),
		Data:  fmt.Appendf(nil, `{"name":"Name %d","description":"%0200d"}`, n, n),
		Route: schemas.PluralKitRoute(schemas.PKMemberUpdate, testTenant),
	}
}

func mustAppend(tb testing.TB, l *Log, from, n int) schemas.Anchor {
	tb.Helper()
	now, err := l.Append(tb.Context(), "spool", spooled(tb, from, n))
	if err != nil {
		tb.Fatal(err)
	}
	return now
}

// stored reads the whole log: the event ids in order.
func stored(tb testing.TB, l *Log, o ReadOptions) (ids []string, seqs []uint64) {
	tb.Helper()
	err := l.Read(tb.Context(), o, func(r schemas.Recorded, _ schemas.Message) error {
		ids, seqs = append(ids, r.ID), append(seqs, r.Seq)
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return ids, seqs
}

func wantIDs(from, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("event-%d", from+i)
	}
	return ids
}

func deleteMsg(tb testing.TB, l *Log, seq uint64) {
	tb.Helper()
	s, err := l.js.Stream(tb.Context(), schemas.StreamEvents)
	if err != nil {
		tb.Fatal(err)
	}
	if err := s.DeleteMsg(tb.Context(), seq); err != nil {
		tb.Fatal(err)
	}
}

func deleteStream(tb testing.TB, l *Log, name string) {
	tb.Helper()
	if err := l.js.DeleteStream(tb.Context(), name); err != nil {
		tb.Fatal(err)
	}
}

// runInBackground runs a component until the test ends, and waits for it.
func runInBackground(tb testing.TB, run func(context.Context) error) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				tb.Error(err)
			}
		})
	}
	tb.Cleanup(stop)
	return stop
}
