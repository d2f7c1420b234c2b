package query

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"switchlog/schemas"
)

// Headers of a replay. The first is on every event, as when it was live; the
// others are on the empty message at the end.
const (
	sequenceHeader     = "Nats-Sequence"
	countHeader        = "Switchlog-Count"         // events sent: fewer arrived means that some were lost on the way
	lastSequenceHeader = "Switchlog-Last-Sequence" // of the last event sent; 0: none
)

// After so many events, or bytes, a replay waits until the server has them:
// it can be no further ahead than that. What a reader is slow to take waits in
// the server, up to its max_pending; then the server cuts that reader off, and
// nobody else. A reader that wants to go at its own pace asks in parts: `limit`.
const (
	flushEvents = 500
	flushBytes  = 1 << 20
)

// replayRequest is what a replay is asked with; nothing is everything.
type replayRequest struct {
	From json.RawMessage `json:"from"` // bound: the first
	To   json.RawMessage `json:"to"`   // bound: a sequence is the last, a time the one before which
	Type string          `json:"type"` // glob over event types

	Limit json.RawMessage `json:"limit"` // events at most; the end says where to go on
}

// errEnough ends the reading of the log at a replay's limit.
var errEnough = errors.New("as many as were asked for")

// span is what a replay request asks for.
type span struct {
	from, to schemas.Bound
	open     bool // no `to` is given: up to the end
	glob     string
	limit    uint64 // events at most; 0: as many as there are
}

func parseReplay(body []byte, now time.Time) (span, error) {
	var req replayRequest
	if err := decodeObject(body, &req); err != nil {
		return span{}, err
	}
	if len(req.Type) > 256 {
		return span{}, fmt.Errorf("%w: type: over 256 bytes", schemas.ErrInvalid)
	}
	out := span{glob: req.Type}
	if text := string(req.Limit); text != "" && text != "null" {
		var err error
		if out.limit, err = strconv.ParseUint(text, 10, 64); err != nil || out.limit == 0 {
			return span{}, fmt.Errorf("%w: limit: want a number of events, 1 or more", schemas.ErrInvalid)
		}
	}
	from, given, err := parseBound(req.From, now)
	if err != nil {
		return span{}, fmt.Errorf("from: %w", err)
	}
	if given {
		out.from = from
	}
	to, given, err := parseBound(req.To, now)
	if err != nil {
		return span{}, fmt.Errorf("to: %w", err)
	}
	out.to, out.open = to, !given
	return out, nil
}

// parseBound reads a bound that is a number or text in JSON; null is none.
func parseBound(raw json.RawMessage, now time.Time) (b schemas.Bound, given bool, err error) {
	if len(raw) == 0 || string(raw) == "null" {
		return b, false, nil
	}
	text := string(raw)
	if raw[0] == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			return b, false, fmt.Errorf("%w: no text", schemas.ErrInvalid)
		}
	}
	b, err = schemas.ParseBound(text, now)
	return b, true, err
}

// handleReplay sends a tenant's events again to the caller's inbox.
func (s *service) handleReplay(req micro.Request) {
	begin := time.Now()
	s.begin(req, func(reader Reader, reply string) {
		r := replay{service: s, reader: reader, reply: reply}
		err := r.run(req.Subject(), req.Data())
		header := nats.Header{}
		header.Set(countHeader, strconv.FormatUint(r.count, 10))
		header.Set(lastSequenceHeader, strconv.FormatUint(r.last, 10))
		if r.next > 0 {
			header.Set(nextHeader, strconv.FormatUint(r.next, 10))
		}
		code := 200
		if err == nil {
			s.publish(&nats.Msg{Subject: reply, Header: header})
		} else {
			code = s.fail(reply, err, header)
		}
		s.report(code, "replay", begin, err)
		s.metrics.replays.WithLabelValues(strconv.Itoa(code)).Inc()
	})
}

// replay is one that is going on.
type replay struct {
	*service
	reader Reader
	reply  string
	count  uint64 // events sent
	last   uint64 // sequence of the last one
	next   uint64 // sequence of the first one beyond the limit; 0: there is none

	unflushed int // bytes
}

func (r *replay) run(subject string, body []byte) error {
	source, tenant, err := whose(subject)
	if err != nil {
		return err
	}
	if r.reader.Public {
		return errNotFound // events hold what is private
	}
	if err := r.known(r.ctx, source, tenant); err != nil {
		return err
	}
	want, err := parseReplay(body, time.Now())
	if err != nil {
		return err
	}
	who := source + "/" + tenant
	if err := r.replays.take(who); err != nil {
		return err
	}
	defer r.replays.give(who)
	ctx, cancel := context.WithTimeout(r.ctx, r.ReplayTimeout)
	defer cancel()
	from, to, err := r.resolve(ctx, want)
	if err != nil || !want.open && to < max(from, 1) {
		return err
	}
	prefix := schemas.LogEvents + "." + schemas.Token(source) + "." + schemas.Token(tenant) + "."
	err = r.Log.Replay(ctx, source, tenant, from, to, func(e schemas.Recorded, m schemas.Message) error {
		if !strings.HasPrefix(m.Subject, prefix) {
			return fmt.Errorf("replay of %s: the log gave seq %d of %s", prefix, e.Seq, m.Subject) // P7
		}
		if !schemas.MatchType(want.glob, e.Type) {
			return ctx.Err()
		}
		if want.limit > 0 && r.count == want.limit {
			r.next = e.Seq
			return errEnough
		}
		return r.send(ctx, e.Seq, m)
	})
	if r.next > 0 {
		return nil
	}
	return err
}

// resolve makes sequences of the bounds.
func (r *replay) resolve(ctx context.Context, want span) (from, to uint64, err error) {
	from, to = want.from.Seq, want.to.Seq
	if t := want.from.Time; !t.IsZero() {
		if from, err = r.Log.SeqAt(ctx, t); err != nil {
			return 0, 0, err
		}
	}
	if t := want.to.Time; !t.IsZero() {
		if to, err = r.Log.SeqAt(ctx, t); err != nil {
			return 0, 0, err
		}
		to = max(to, 1) - 1
	}
	return from, to, nil
}

// send sends an event; one larger than the server's messages may be, as a
// reference: without its data, which HTTP has.
func (r *replay) send(ctx context.Context, seq uint64, m schemas.Message) error {
	if len(m.Body)+len(m.ID) > r.room() {
		var err error
		if m, err = schemas.WithoutData(m); err != nil {
			return err
		}
	}
	msg := &nats.Msg{Subject: r.reply, Data: m.Body, Header: nats.Header{}}
	msg.Header.Set("Content-Type", schemas.ContentType)
	msg.Header.Set(nats.MsgIdHdr, m.ID)
	msg.Header.Set(sequenceHeader, strconv.FormatUint(seq, 10))
	if err := r.Conn.PublishMsg(msg); err != nil {
		return err
	}
	r.count++
	r.last = seq
	r.unflushed += len(m.Body)
	if r.count%flushEvents != 0 && r.unflushed < flushBytes {
		return nil
	}
	r.unflushed = 0
	return r.Conn.FlushWithContext(ctx)
}
