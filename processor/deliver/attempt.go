package deliver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"switchlog/schemas"
)

// answer is what came of a request.
type answer struct {
	status int // 0: there was none
	header http.Header
	body   []byte
	why    string // there was none
	took   time.Duration
}

// result is what came of an attempt.
type result struct {
	attempt   schemas.DeliveryAttempt
	throttled bool   // too many, for now: it was no attempt, and is not noted
	limited   bool   // too many: it is noted, but no failure of the receiver
	gone      string // why the subscription must be disabled; empty: it need not
}

// attempt makes one attempt: form, send, judge. The delivery's Attempts are
// those before it.
func (s *Sender) attempt(ctx context.Context, sub schemas.Subscription, d *schemas.Delivery, g *gate, to destination) result {
	now := time.Now().UTC()
	r := result{attempt: schemas.DeliveryAttempt{
		Webhook: sub.ID, Delivery: d.ID, Kind: d.Kind, Attempt: d.Attempts + 1, At: schemas.FormatTime(now),
	}}
	a := &r.attempt
	if to.err != nil { // the rules have changed since it was made
		a.Response = to.err.Error()
		s.failed(a, d, 0, now)
		return r
	}
	red := newRedactor(to.provider, to.url, to.secrets)
	req, err := to.provider.request(input{d, sub, to.url, to.secrets, now})
	if err != nil {
		a.Outcome, a.Response = schemas.OutcomeRefused, "not sent: "+red.response([]byte(err.Error()))
		return r
	}
	a.Request = details(req, to)
	got := s.post(ctx, req)
	a.Duration, a.Status = got.took.Milliseconds(), got.status
	a.Response = red.response(got.body)
	if got.status == 0 {
		a.Response = red.response([]byte(got.why))
	}
	s.judge(&r, d, g, to.provider, got, now.Add(got.took))
	return r
}

// destination is where a subscription's deliveries go.
type destination struct {
	provider provider
	url      *url.URL
	secrets  []string
	err      error // the URL may not be dialled
}

func (s *Sender) destination(sub schemas.Subscription) (destination, error) {
	p, err := providerOf(sub.Provider)
	if err != nil {
		return destination{}, err
	}
	text, secrets, err := s.subs.SubscriptionSecrets(sub.ID)
	if err != nil {
		return destination{}, fmt.Errorf("secrets of subscription %s: %w", sub.ID, err)
	}
	u, err := parseURL(text, s.allow)
	if err != nil {
		return destination{provider: p, url: &url.URL{}, err: fmt.Errorf("not sent: its URL: %w", err)}, nil
	}
	return destination{provider: p, url: u, secrets: secrets}, nil
}

// post sends a request and reads the beginning of the answer. Once there is a
// status it counts, whatever happens to the body.
func (s *Sender) post(ctx context.Context, req request) answer {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	h, err := http.NewRequestWithContext(ctx, http.MethodPost, req.url.String(), bytes.NewReader(req.body))
	if err != nil {
		return answer{why: whyNot(err)}
	}
	h.Header = req.header
	// Not sent: it says that the transport may try a fresh connection when the
	// receiver closes an idle one just as we write. Doubles carry one id.
	h.Header["Idempotency-Key"] = nil
	resp, err := s.client.Do(h)
	if err != nil {
		return answer{why: whyNot(err), took: time.Since(start)}
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxResponseBytes)) // what came of it is shown
	return answer{status: resp.StatusCode, header: resp.Header, body: body, took: time.Since(start)}
}

// judge decides what an answer means.
func (s *Sender) judge(r *result, d *schemas.Delivery, g *gate, p provider, got answer, now time.Time) {
	a := &r.attempt
	throttled, wait, failure := g.learn(got.status, got.header, got.body)
	if throttled {
		r.limited = true
		r.throttled = !failure && repeats(d.Kind)
		s.failed(a, d, wait, now)
		return
	}
	switch {
	case got.status >= 200 && got.status < 300:
		a.Outcome = schemas.OutcomeDelivered
		return
	case got.status == http.StatusGone:
		a.Outcome, r.gone = schemas.OutcomeRefused, "the receiver answered 410: it is gone"
		return
	case got.status != 0:
		v := p.judge(got.status, got.body)
		if v.fate != again {
			a.Outcome, r.gone = schemas.OutcomeRefused, v.why
			return
		}
	}
	wait, _ = retryAfter(got.header, now)
	s.failed(a, d, wait, now)
}

// repeats reports whether a delivery is tried again by itself.
func repeats(kind string) bool { return kind == schemas.DeliveryLive || kind == schemas.DeliveryReplay }

// failed plans the next attempt, not before the receiver wants it.
func (s *Sender) failed(a *schemas.DeliveryAttempt, d *schemas.Delivery, wait time.Duration, now time.Time) {
	in, ok := retryIn(d.ID, a.Attempt)
	if !ok || !repeats(d.Kind) {
		a.Outcome = schemas.OutcomeExhausted
		return
	}
	a.Outcome = schemas.OutcomeFailed
	a.RetryAt = schemas.FormatTime(now.Add(max(in, min(wait, day))))
}

// details is what was asked, less secrets.
func details(req request, to destination) schemas.DeliveryDetails {
	headers := map[string]string{}
	for name := range req.header {
		headers[name] = req.header.Get(name)
		if name == "Authorization" {
			headers[name] = hidden
		}
	}
	return schemas.DeliveryDetails{Method: http.MethodPost, URL: to.provider.show(to.url), Headers: headers, Bytes: len(req.body)}
}

// noteRepeats is for how long an attempt may be noted again: if the answer to
// Append is lost, its repetition changes nothing.
const noteRepeats = time.Hour

// note makes the event of an attempt.
func note(a schemas.DeliveryAttempt) schemas.Event {
	data, err := json.Marshal(a)
	if err != nil {
		panic("deliver: an attempt that is no JSON: " + err.Error())
	}
	return schemas.Event{
		ID:         a.Delivery + "." + strconv.Itoa(a.Attempt),
		Source:     schemas.SelfURI,
		Type:       schemas.DeliveryAttempted,
		Subject:    a.Webhook,
		DataSchema: schemas.SchemaID(schemas.DeliveryAttempted),
		Origin:     schemas.OriginCommand,
		Data:       data,
		Route:      schemas.RegistryRoute("delivery", "attempted"),
		Repeats:    noteRepeats,
	}
}

// disabledWhy is the reason kept with a subscription that failed for long.
func disabledWhy(since time.Time, a schemas.DeliveryAttempt) string {
	last := strconv.Itoa(a.Status)
	if a.Status == 0 {
		last = clip(a.Response, 200)
	}
	return strings.TrimSpace(fmt.Sprintf("failing since %s; the last answer was: %s", since.UTC().Format(time.DateTime), last))
}
