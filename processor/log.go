package processor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"switchlog/schemas"
)

// requestWithin bounds one question to the server. Storing a batch of a
// thousand takes tens of milliseconds on a disk that is well.
const requestWithin = 5 * time.Second

// LogConfig is what a Log needs.
type LogConfig struct {
	Conn     *nats.Conn // made by Connect, as admin; closed by the caller, after all who use it
	Replicas int        // of streams, when they are created; 0: 1
	Timeout  time.Duration
	Logger   *slog.Logger
	Metrics  prometheus.Registerer
}

// Log is the log: the stream EVENTS, with CHANGES and FRONTERS beside it.
// It may be used by several goroutines, but one spool's Recover and Append
// are for one goroutine at a time.
type Log struct {
	nc       *nats.Conn
	js       jetstream.JetStream
	replicas int
	timeout  time.Duration
	log      *slog.Logger
	metrics  *logMetrics

	mu         sync.Mutex // guards the rest
	epoch      string     // of EVENTS, as Recover found it; empty before
	reconnects uint64     // of the connection, when Recover last began
	missing    uint64     // sequences of EVENTS with no message, at the last look
	singles    bool       // the stream takes no atomic batches

	maxMsgSize map[string]int // of streams that have one, as last seen; headers count
}

const (
	// headerBytes is the room in a message for the headers that we set: those
	// of an atomic batch, the spool's position or the cause, the media type. The
	// id counts with the message.
	headerBytes = 1 << 10

	// minPayload is the least max_payload of a server that we work with. The
	// smallest form of a change, and of anything else we send, has room in it.
	minPayload = 16 << 10
)

// Limit is how many bytes subject, id and body of an event may have together for
// the server to take it: its max_payload as it says now, less our headers, or
// the stream's own limit. 0: no server was reached yet.
func (l *Log) Limit() int {
	if l.nc.MaxPayload() <= 0 {
		return 0
	}
	return l.limit(schemas.StreamEvents)
}

func (l *Log) limit(stream string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	most := int(l.nc.MaxPayload())
	if own := l.maxMsgSize[stream]; own > 0 {
		most = min(most, own)
	}
	return most - headerBytes
}

// payload refuses a server whose messages are too small for anything.
func (l *Log) payload() error {
	if got := l.nc.MaxPayload(); got > 0 && got < minPayload {
		return fmt.Errorf("log: the NATS server takes messages of %d bytes at most, switchlog needs %d (hint: raise max_payload in its configuration; 1MB is its default)", got, minPayload)
	}
	return nil
}

// NewLog makes a Log. It does not talk to the server: Recover does.
func NewLog(c LogConfig) (*Log, error) {
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	if c.Timeout == 0 {
		c.Timeout = requestWithin
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	js, err := jetstream.New(c.Conn, jetstream.WithDefaultTimeout(c.Timeout))
	if err != nil {
		return nil, fmt.Errorf("log: %w", err)
	}
	return &Log{
		nc: c.Conn, js: js, replicas: c.Replicas, timeout: c.Timeout,
		log: c.Logger, metrics: newLogMetrics(c.Metrics), maxMsgSize: map[string]int{},
	}, nil
}

// Info is what there is in the log.
type Info struct {
	Epoch     string
	Messages  uint64
	Bytes     uint64
	First     uint64 // sequence of the first message; 0: there is none
	Last      uint64 // last sequence given out; 0: none yet
	FirstTime time.Time
	LastTime  time.Time
	Erased    uint64 // messages that Erase took out
	Missing   uint64 // sequences without a message; more than Erased is damage
}

// Info asks the server for the state of the log.
func (l *Log) Info(ctx context.Context) (Info, error) {
	info, err := l.stream(ctx, schemas.StreamEvents)
	if err != nil {
		return Info{}, err
	}
	return l.look(info)
}

// look reads what the stream says about itself, and keeps what Append needs.
func (l *Log) look(info *jetstream.StreamInfo) (Info, error) {
	s := info.State
	i := Info{
		Epoch: info.Config.Metadata[epochKey], Messages: s.Msgs, Bytes: s.Bytes,
		Last: s.LastSeq, FirstTime: s.FirstTime, LastTime: s.LastTime, Missing: s.LastSeq - s.Msgs,
	}
	if s.Msgs > 0 {
		i.First = s.FirstSeq
	}
	if text := info.Config.Metadata[erasedKey]; text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return Info{}, fmt.Errorf("log: %w: metadata %s of stream %s: %w", schemas.ErrLogDamaged, erasedKey, info.Config.Name, err)
		}
		i.Erased = n
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.missing, l.singles = i.Missing, !info.Config.AllowAtomicPublish
	return i, nil
}

// Last is the position of the end of the log. Its ID is the event's, empty if
// the log is empty or its last message was erased.
func (l *Log) Last(ctx context.Context) (schemas.Position, error) {
	info, err := l.Info(ctx)
	if err != nil {
		return schemas.Position{}, err
	}
	p := schemas.Position{Epoch: info.Epoch, Seq: info.Last}
	if p.Seq == 0 {
		return p, nil
	}
	r, _, err := l.Get(ctx, p.Seq)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return schemas.Position{}, err
	}
	p.ID = r.ID
	return p, nil
}

// stream asks for a stream's configuration and state.
func (l *Log) stream(ctx context.Context, name string) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	s, err := l.js.Stream(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("log: stream %s: %w", name, err)
	}
	return s.CachedInfo(), nil
}
