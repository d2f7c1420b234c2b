package query

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"golang.org/x/time/rate"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// The NATS service, and its version: of what it says and understands, not of
// the program.
const (
	serviceName    = "switchlog"
	serviceVersion = "1.0.0"

	querySubject  = serviceName + ".query.*.*.*"
	replaySubject = serviceName + ".replay.*.*"
)

// commonInbox is the prefix of whoever has none of its own: the operator.
const commonInbox = "_INBOX"

// service is the NATS door.
type service struct {
	*core
	ctx     context.Context // of all requests; ends when the service stops
	replays *shares
	warn    rate.Sometimes // of what anybody can do as often as they like

	mu       sync.Mutex // guards stopping, and that nothing is added to requests after
	stopping bool
	requests sync.WaitGroup
}

// ServeNATS answers at switchlog.query.{source}.{tenant}.{query} and
// switchlog.replay.{source}.{tenant} until ctx ends (then nil) or the
// connection is closed. Who may ask is for the server's permissions to say: a
// tenant's reader may publish to the subjects of its tenant.
func ServeNATS(ctx context.Context, c Config) error { return serveNATS(ctx, c, func() {}) }

// serveNATS calls ready when requests will be answered.
func serveNATS(ctx context.Context, c Config, ready func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	k := newCore(c)
	s := &service{core: k, ctx: ctx, replays: newShares(k.MaxReplays, k.MaxTenantReplays), warn: rate.Sometimes{Interval: time.Minute}}
	closed := make(chan struct{})
	svc, err := micro.AddService(c.Conn, micro.Config{
		Name: serviceName, Version: serviceVersion,
		Description: "What is known, and the log again.",
		DoneHandler: func(micro.Service) { close(closed) },
	})
	if err != nil {
		return fmt.Errorf("query: nats service: %w", err)
	}
	if err = s.addEndpoints(svc); err == nil {
		err = k.flush(ctx)
	}
	if err == nil {
		ready()
		select {
		case <-ctx.Done():
		case <-closed:
			err = errors.New("the connection was closed")
		}
	}
	asked := ctx.Err() != nil
	err = errors.Join(err, svc.Stop())
	s.stop()
	cancel()
	s.requests.Wait()
	if err != nil && !asked {
		return fmt.Errorf("query: nats service: %w", err)
	}
	return nil
}

func (s *service) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopping = true
}

// begin runs fn for a request in a goroutine of its own: requests come one by
// one, and each may take long. How many run is limited where the work is.
//
// NATS lets a requester name any subject as the one to answer to, also one it may not publish to
// itself, and we may publish anywhere. So a request is answered only if its reply is below the
// inbox prefix of a reader who may ask about the tenant of the subject, with what that reader may
// see. Whatever else it names gets nothing, not even an error (P7).
func (s *service) begin(req micro.Request, fn func(reader Reader, reply string)) {
	reply := req.Reply()
	reader, ok := s.asker(req.Subject(), reply)
	if !ok {
		s.metrics.requests.WithLabelValues(labelNone, "400").Inc()
		s.warn.Do(func() {
			s.Logger.Warn("nats service: refused to answer to what is no inbox of a reader of that tenant (hint: connect with the inbox prefix that switchlog access add has answered)",
				"subject", clip(req.Subject()), "reply", clip(reply))
		})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		s.fail(reply, errBusy, nil)
		return
	}
	s.requests.Go(func() { fn(reader, reply) })
}

// asker is the reader in whose inbox reply is, if it may ask at the subject.
func (s *service) asker(subject, reply string) (Reader, bool) {
	prefix, rest, below := strings.Cut(reply, ".")
	if !below || rest == "" || strings.ContainsAny(reply, "*> \t\r\n") || s.Inbox == nil {
		return Reader{}, false
	}
	if prefix == commonInbox && !unguessable(rest) {
		return Reader{}, false
	}
	reader, found := s.Inbox(prefix)
	if !found {
		return Reader{}, false
	}
	source, tenant, err := whose(subject)
	if err != nil {
		// The server lets a reader publish to its own tenant's subjects alone, malformed or not.
		return reader, reader.Admin || reader.Tenant != "" && strings.Split(subject, ".")[3] == schemas.Token(reader.Tenant)
	}
	return reader, reader.May(source, tenant)
}

// unguessable reports whether an inbox below the common prefix begins with a random token, as
// clients make them (22 letters and digits). A reader may name such an inbox, too, but knows none.
func unguessable(rest string) bool {
	token, _, _ := strings.Cut(rest, ".")
	return len(token) >= 16
}

// handleQuery answers a query: the same body as over HTTP, or a page of it.
func (s *service) handleQuery(req micro.Request) {
	begin := time.Now()
	s.begin(req, func(reader Reader, reply string) {
		label, a, of, err := s.query(reader, req.Subject(), req.Data())
		header := nats.Header{}
		if err == nil || errors.Is(err, errNotFound) && a.Position.Seq > 0 {
			header.Set(positionHeader, strconv.FormatUint(a.Position.Seq, 10))
		}
		code := 200
		if err == nil {
			header.Set("Content-Type", "application/json")
			of.describe(header)
			s.publish(&nats.Msg{Subject: reply, Header: header, Data: of.body})
		} else {
			code = s.fail(reply, err, header)
		}
		s.report(code, label, begin, err)
		s.metrics.asked(label, code, begin)
	})
}

func (s *service) query(reader Reader, subject string, body []byte) (label string, a engine.Answer, of page, err error) {
	source, tenant, err := whose(subject)
	if err != nil {
		return labelNone, a, of, err
	}
	query, known := s.sources[source][subject[strings.LastIndexByte(subject, '.')+1:]]
	if !known {
		return labelNone, a, of, engine.ErrUnknownQuery
	}
	given, err := jsonParams(body)
	if err != nil {
		return query.Name, a, of, err
	}
	skip, err := takeSkip(given)
	if err != nil {
		return query.Name, a, of, err
	}
	q, err := ask(source, tenant, query, given, nil)
	if err != nil {
		return query.Name, a, of, err
	}
	q.public = reader.Public
	if a, err = s.answer(s.ctx, q); err == nil {
		of, err = cut(a.Body, skip, s.room())
	}
	return query.Name, a, of, err
}

// room is how many bytes the body of a message may have.
func (s *service) room() int { return int(s.Conn.MaxPayload()) - headerRoom }

// whose reads source and tenant from the third and fourth token of a subject.
// A token that is not exactly as we write it, a wildcard above all, is refused.
func whose(subject string) (source, tenant string, err error) {
	token := strings.Split(subject, ".")
	if source, err = schemas.ParseToken(token[2]); err == nil {
		tenant, err = schemas.ParseToken(token[3])
	}
	if err == nil && (source == "" || tenant == "") {
		err = fmt.Errorf("%w: source and tenant must be given", schemas.ErrInvalid)
	}
	return source, tenant, err
}

// fail answers with an error as NATS services do, and gives its code.
func (s *service) fail(reply string, err error, header nats.Header) (code int) {
	code, says := refusal(err)
	if header == nil {
		header = nats.Header{}
	}
	header.Set(micro.ErrorCodeHeader, strconv.Itoa(code))
	header.Set(micro.ErrorHeader, says)
	s.publish(&nats.Msg{Subject: reply, Header: header})
	return code
}

// publish answers. We do it ourselves because micro.Request may only be used
// while its handler runs.
func (s *service) publish(m *nats.Msg) {
	if err := s.Conn.PublishMsg(m); err != nil {
		s.Logger.Warn("nats service: answer", "err", err)
	}
}

// flush returns when the server has what was sent.
func (k *core) flush(ctx context.Context) error {
	for {
		try, cancel := context.WithTimeout(ctx, k.Timeout)
		err := k.Conn.FlushWithContext(try)
		cancel()
		if err == nil || ctx.Err() != nil || k.Conn.IsClosed() {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(flushAgain):
		}
	}
}

// flushAgain is how long to wait before a server that is away is tried again.
const flushAgain = time.Second
