package test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// attempt is something a reader of one tenant tries against another. It returns an error if it was
// refused or brought nothing. It ends because of what happens, never because time has passed: with what it
// wants, or, ctx being over then, with what NATS refuses.
type attempt struct {
	name string
	try  func(ctx context.Context, w *attacker) error
}

// attacker is somebody with credentials: the reader's, or, to show that an attempt is one, the operator's.
type attacker struct {
	s     *server
	nc    *nats.Conn
	js    jetstream.JetStream
	token string

	witness *nats.Conn // the operator's, to see what arrives
	other   *victim

	refused atomic.Pointer[context.CancelCauseFunc] // ends the attempt that is going on
}

var errNothing = errors.New("it brought nothing")

// TestAttacks: with the credentials of one tenant's reader nothing of another tenant's is read, changed
// or disturbed. Each attempt succeeds with the operator's credentials, for which the protection is not
// there: else it would show nothing.
func TestAttacks(t *testing.T) {
	t.Parallel()
	s := startTwoTenants(t)
	a := s.addReader("mallory", "--tenant", sampleSystem)
	b := s.addReader("bob", "--tenant", otherSystem)
	reader := newAttacker(t, s, a)
	operator := newAttacker(t, s, s.operator())
	witness := s.admin()
	other := &victim{s: s, witness: witness, inbox: b.InboxPrefix}
	for _, w := range []*attacker{reader, operator} {
		w.witness, w.other = witness, other
	}
	if err := prepareLoot(t.Context(), operator.js); err != nil {
		t.Fatal(err)
	}
	attempts := append(append(natsAttempts(b), apiAttempts()...), httpAttempts()...)
	if len(attempts) < 40 {
		t.Errorf("%d attempts, want 40 at least", len(attempts))
	}
	for _, try := range attempts {
		switch err := reader.make(t, try); {
		case err == nil:
			t.Errorf("%s: succeeds for a reader of another tenant", try.name)
		case errors.Is(err, context.DeadlineExceeded):
			t.Errorf("%s: neither refused nor answered to a reader of another tenant", try.name)
		}
		if err := operator.make(t, try); err != nil {
			t.Errorf("%s: does not succeed without the protection: %v", try.name, err)
		}
	}
	if !reader.nc.IsConnected() {
		t.Error("the reader was cut off: some attempts were not made")
	}
	// It still does what it may.
	if m, err := reader.nc.Request("switchlog.query.pluralkit."+sampleSystem+".members", nil, startWithin); err != nil || m.Header.Get("Nats-Service-Error-Code") != "" {
		t.Errorf("its own query: %v", err)
	}
}

// make makes an attempt and gives what refuses it.
func (w *attacker) make(t *testing.T, a attempt) error {
	limited, end := context.WithTimeout(t.Context(), startWithin)
	defer end()
	ctx, refuse := context.WithCancelCause(limited)
	defer refuse(nil)
	w.refused.Store(&refuse)
	err := a.try(ctx, w)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func newAttacker(t *testing.T, s *server, c credentials) *attacker {
	t.Helper()
	w := &attacker{s: s, token: c.Token}
	var err error
	w.nc, err = nats.Connect(c.URL, nats.UserInfo(c.User, c.Password), nats.CustomInboxPrefix(c.InboxPrefix),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if refuse := w.refused.Load(); refuse != nil {
				(*refuse)(err)
			}
		}))
	if err == nil {
		w.js, err = jetstream.New(w.nc)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.nc.Close)
	return w
}

// operator gives the operator's credentials.
func (s *server) operator() (c credentials) {
	s.t.Helper()
	stdout, stderr, code := s.quietly("", "access", "show", "admin", "--json")
	if code != 0 {
		s.t.Fatal(stderr)
	}
	if err := json.Unmarshal([]byte(stdout), &c); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// prepareLoot makes what attempts are after: a durable consumer of ours, on the whole log.
func prepareLoot(ctx context.Context, js jetstream.JetStream) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	_, err := js.CreateOrUpdateConsumer(ctx, "EVENTS", jetstream.ConsumerConfig{Durable: "projector", AckPolicy: jetstream.AckExplicitPolicy})
	return err
}

// victim is the other tenant, and those who work for it.
type victim struct {
	s       *server
	witness *nats.Conn
	inbox   string // prefix of its reader
	out     bool   // it has switched out last
}

// act makes something happen on every subject that an attempt may listen to: an event, a change, a query
// with its answer, and a message to its reader.
func (v *victim) act(ctx context.Context) error {
	body := bytes.Replace(switchBody(uuid.NewString(), time.Now()), []byte(sampleToken), []byte(otherToken), 1)
	body = bytes.Replace(body, []byte(sampleSystem), []byte(otherSystem), 1)
	if v.out = !v.out; v.out { // each is a change
		body = bytes.Replace(body, []byte(`["0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1"]`), []byte("[]"), 1)
	}
	if got := v.s.post(body); got != 200 {
		return fmt.Errorf("an event of the other tenant: got %d, want 200", got)
	}
	if _, err := v.witness.RequestWithContext(ctx, "switchlog.query.pluralkit."+otherSystem+".members", nil); err != nil {
		return err
	}
	return v.witness.Publish(v.inbox+".x", []byte("for the other tenant's reader"))
}

// listenTo listens and makes something happen; it wants a message.
func listenTo(subject string) func(context.Context, *attacker) error {
	return func(ctx context.Context, w *attacker) error {
		sub, err := w.nc.SubscribeSync(subject)
		if err != nil {
			return err
		}
		return w.receive(ctx, sub)
	}
}

func (w *attacker) receive(ctx context.Context, sub *nats.Subscription) error {
	defer sub.Unsubscribe()
	if err := w.nc.FlushWithContext(ctx); err != nil {
		return err
	}
	if err := w.other.act(ctx); err != nil {
		return err
	}
	_, err := sub.NextMsgWithContext(ctx)
	return err
}

// request asks and wants an answer that is no error.
func request(subject, body string) func(context.Context, *attacker) error {
	return func(ctx context.Context, w *attacker) error {
		m, err := w.nc.RequestWithContext(ctx, subject, []byte(body))
		if err != nil {
			return err
		}
		return refusedBy(m)
	}
}

// refusedBy is the error an answer is, if it is one.
func refusedBy(m *nats.Msg) error {
	var api struct {
		Error *struct{ Description string } `json:"error"`
	}
	switch {
	case m.Header.Get("Nats-Service-Error-Code") != "":
		return errors.New(m.Header.Get("Nats-Service-Error"))
	case m.Header.Get("Status") != "":
		return errors.New(m.Header.Get("Status") + m.Header.Get("Description"))
	case json.Unmarshal(m.Data, &api) == nil && api.Error != nil:
		return errors.New(api.Error.Description)
	}
	return nil
}

// publish publishes what a witness of the operator's wants to see arrive.
func publish(subject string) func(context.Context, *attacker) error {
	return func(ctx context.Context, w *attacker) error {
		sub, err := w.witness.SubscribeSync(subject)
		if err != nil {
			return err
		}
		defer sub.Unsubscribe()
		if err := w.witness.FlushWithContext(ctx); err != nil {
			return err
		}
		mark := uuid.NewString()
		if err := w.nc.Publish(subject, []byte(mark)); err != nil {
			return err
		}
		for {
			m, err := sub.NextMsgWithContext(ctx)
			if err != nil {
				return err
			}
			if string(m.Data) == mark {
				return nil
			}
		}
	}
}

func natsAttempts(b credentials) []attempt {
	of := "pluralkit." + otherSystem
	return []attempt{
		{"live events of another", listenTo("events." + of + ".>")},
		{"live changes of another", listenTo("changes." + of + ".>")},
		{"events of all", listenTo("events.>")},
		{"events by a wildcard for the tenant", listenTo("events.pluralkit.*.>")},
		{"events of a noun of all", listenTo("events.*.*.switch.*")},
		{"the log itself", listenTo("log.events." + of + ".>")},
		{"everything", listenTo(">")},
		{"everything in a queue group", func(ctx context.Context, w *attacker) error {
			sub, err := w.nc.QueueSubscribeSync("events.>", "q")
			if err != nil {
				return err
			}
			return w.receive(ctx, sub)
		}},
		{"the operator's inboxes", listenTo("_INBOX.>")},
		{"another's inbox", listenTo(b.InboxPrefix + ".>")},
		{"what is answered to anybody", listenTo("*.x")},
		{"query of another", request("switchlog.query."+of+".fronters", "")},
		{"replay of another", request("switchlog.replay."+of, "")},
		{"publish an event of another", publish("events." + of + ".switch.create")},
		{"publish a change of another", publish("changes." + of + ".front")},
		{"publish a change of its own", publish("changes.pluralkit." + sampleSystem + ".front")},
		{"publish into another's inbox", publish(b.InboxPrefix + ".x")},
		{"publish into the operator's inbox", publish("_INBOX.victimvictimvictimvic")},
		{"answer for the service", publish("switchlog.query." + of + ".fronters")},
		{"write into the log", func(ctx context.Context, w *attacker) error {
			_, err := w.js.PublishMsg(ctx, &nats.Msg{Subject: "log.events." + of + ".switch.forged", Data: []byte(`{}`), Header: nats.Header{"Nats-Msg-Id": {uuid.NewString()}}})
			return err
		}},
		{"ping the services", request("$SRV.PING", "")},
		{"look at the services", request("$SRV.INFO", "")},
	}
}

// apiAttempts are what the API of JetStream would allow.
func apiAttempts() []attempt {
	of := "log.events.pluralkit." + otherSystem + ".>"
	consumer := func(name, subject string, config string) attempt {
		return attempt{name, request(subject, `{"stream_name":"EVENTS","config":{`+config+`}}`)}
	}
	return []attempt{
		{"JetStream's account", request("$JS.API.INFO", "")},
		{"the streams", request("$JS.API.STREAM.NAMES", "")},
		{"all tenants, by the subjects of the stream", request("$JS.API.STREAM.INFO.EVENTS", `{"subjects_filter":">"}`)},
		{"an event by its sequence", request("$JS.API.STREAM.MSG.GET.EVENTS", `{"seq":1}`)},
		{"the next event of another", request("$JS.API.STREAM.MSG.GET.EVENTS", `{"next_by_subj":"`+of+`","seq":1}`)},
		{"the last event of another", request("$JS.API.STREAM.MSG.GET.EVENTS", `{"last_by_subj":"`+of+`"}`)},
		consumer("a consumer of another's events", "$JS.API.CONSUMER.CREATE.EVENTS.spy1."+of, `"name":"spy1","ack_policy":"none","filter_subject":"`+of+`"`),
		consumer("a consumer of all", "$JS.API.CONSUMER.CREATE.EVENTS.spy2", `"name":"spy2","ack_policy":"none"`),
		consumer("a consumer with several filters", "$JS.API.CONSUMER.CREATE.EVENTS.spy3", `"name":"spy3","ack_policy":"none","filter_subjects":["`+of+`"]`),
		consumer("a consumer in the old form", "$JS.API.CONSUMER.CREATE.EVENTS", `"ack_policy":"none","deliver_subject":"spy4","filter_subject":"`+of+`"`),
		consumer("a durable in the old form", "$JS.API.CONSUMER.DURABLE.CREATE.EVENTS.spy5", `"durable_name":"spy5","ack_policy":"none"`),
		consumer("messages sent to where it may not publish", "$JS.API.CONSUMER.CREATE.EVENTS.spy6", `"name":"spy6","ack_policy":"none","deliver_subject":"internal.commands"`),
		consumer("our durable made anew", "$JS.API.CONSUMER.CREATE.EVENTS.projector", `"durable_name":"projector","name":"projector","ack_policy":"explicit"`),
		{"our durable's next message", request("$JS.API.CONSUMER.MSG.NEXT.EVENTS.projector", "1")},
		{"look at our durable", request("$JS.API.CONSUMER.INFO.EVENTS.projector", "")},
		{"the front of another, from the bucket", request("$JS.API.STREAM.MSG.GET.KV_FRONTERS", `{"last_by_subj":"$KV.FRONTERS.`+otherSystem+`"}`)},
		{"end an event for our durable", func(ctx context.Context, w *attacker) error {
			m, err := w.witness.RequestWithContext(ctx, "$JS.API.CONSUMER.MSG.NEXT.EVENTS.projector", []byte("1"))
			if err != nil {
				return fmt.Errorf("%w: %w", errNothing, err)
			}
			answer, err := w.nc.RequestWithContext(ctx, m.Reply, []byte("+TERM")) // the answer says that it was taken
			if err != nil {
				return err
			}
			return refusedBy(answer)
		}},
		{"pause our durable", request("$JS.API.CONSUMER.PAUSE.EVENTS.projector", `{}`)},
		{"delete our durable", request("$JS.API.CONSUMER.DELETE.EVENTS.projector", "")},
		{"delete one event", request("$JS.API.STREAM.MSG.DELETE.EVENTS", `{"seq":2,"no_erase":true}`)},
		{"purge another's events", request("$JS.API.STREAM.PURGE.EVENTS", `{"filter":"log.events.nobody.>"}`)},
		{"a stream of its own", request("$JS.API.STREAM.CREATE.SPY", `{"name":"SPY","subjects":["spy.>"]}`)},
	}
}

// httpAttempts are requests; each wants 200 and something of the other tenant in the answer.
func httpAttempts() []attempt {
	get := func(name, path string) attempt {
		return attempt{name, func(ctx context.Context, w *attacker) error {
			status, body := w.s.as(w.token, path)
			if status != 200 {
				return fmt.Errorf("%d %s", status, body)
			}
			if !strings.Contains(body, otherSystem) && !strings.Contains(body, "[") && !strings.Contains(body, "{") {
				return errNothing
			}
			return nil
		}}
	}
	of := "/api/v1/pluralkit/" + otherSystem
	return []attempt{
		get("fronters of another", of+"/fronters"),
		get("members of another", of+"/members"),
		get("switches of another", of+"/switches"),
		get("timeline of another", of+"/timeline"),
		get("the system of another", of+"/system"),
		get("another, in other letters", "/api/v1/pluralkit/"+strings.ToUpper(otherSystem)+"/fronters"),
		get("another, percent-encoded", "/api/v1/pluralkit/%39"+otherSystem[1:]+"/fronters"),
		get("the members of another in the mirror", "/v2/systems/"+otherSystem+"/members"),
		get("the front of another in the mirror", "/v2/systems/"+otherSystem+"/fronters"),
		get("the switches of another in the mirror", "/v2/systems/"+otherSystem+"/switches"),
		get("the operator's status", "/api/admin/status"),
		get("all events, as the operator", "/api/admin/replay?tenant="+otherSystem),
		get("all sources", "/api/admin/sources"),
		get("all readers", "/api/admin/access"),
		get("the operator's own credentials", "/api/admin/access/admin"),
		{"SQL", func(ctx context.Context, w *attacker) error {
			status, body := w.s.ask("POST", w.s.Private+"/api/admin/sql", http.Header{"Authorization": {"Bearer " + w.token}}, `{"query":"SELECT * FROM switches"}`)
			if status != 200 {
				return fmt.Errorf("%d %s", status, body)
			}
			return nil
		}},
		{"a reader of all", func(ctx context.Context, w *attacker) error {
			name := "r" + strings.ReplaceAll(uuid.NewString(), "-", "")
			status, body := w.s.ask("POST", w.s.Private+"/api/admin/access", http.Header{"Authorization": {"Bearer " + w.token}}, `{"name":"`+name+`","tenant":"*"}`)
			if status != 201 {
				return fmt.Errorf("%d %s", status, body)
			}
			return nil
		}},
		{"the stream of changes of another", func(ctx context.Context, w *attacker) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, "GET", w.s.Private+of+"/changes", nil)
			if err != nil {
				return err
			}
			req.Header.Set("Authorization", "Bearer "+w.token)
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				return err
			}
			defer res.Body.Close()
			if res.StatusCode != 200 {
				return errors.New(res.Status)
			}
			return nil
		}},
		{"a webhook about another", func(ctx context.Context, w *attacker) error {
			body := `{"url":"https://hooks.example.org/` + url.PathEscape(uuid.NewString()) + `","events":["front.changed"],"tenant":"` + otherSystem + `"}`
			status, answer := w.s.ask("POST", w.s.Private+"/api/webhooks", http.Header{"Authorization": {"Bearer " + w.token}, "Content-Type": {"application/json"}}, body)
			if status/100 != 2 {
				return fmt.Errorf("%d %s", status, answer)
			}
			return nil
		}},
	}
}
