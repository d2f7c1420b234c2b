package manage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"switchlog/processor/deliver"
	"switchlog/schemas"
)

const (
	defaultDeliveries = 50
	maxDeliveries     = 100

	// maxReplay is how many deliveries one replay may ask for. Beside those
	// that are due anyway they stay below what the tables keep of a webhook.
	maxReplay = 5000

	// A replay is asked for in parts: the spool takes no more than 16 MiB at
	// once, and of all that is not in the log yet only so much.
	replayPart  = 4 << 20
	maxReplayed = 64 << 20 // bytes of one replay's events
)

// deliveriesObject is a page of deliveries.
type deliveriesObject struct {
	Deliveries []schemas.DeliveryRecord `json:"deliveries"`
	Total      int                      `json:"total"`
	Limit      int                      `json:"limit"`  // as it was used
	Offset     int                      `json:"offset"` // likewise
}

func (h *webhooks) deliveries(w http.ResponseWriter, r *http.Request, who Caller) error {
	d, err := h.own(r, who)
	if err != nil {
		return err
	}
	o := deliveriesObject{
		Limit:  clamped(r, "limit", defaultDeliveries, 1, maxDeliveries),
		Offset: clamped(r, "offset", 0, 0, 1<<31-1),
	}
	ctx, cancel := context.WithTimeout(r.Context(), commandTimeout)
	defer cancel()
	if o.Deliveries, o.Total, err = h.History.Deliveries(ctx, d.ID, o.Limit, o.Offset); err != nil {
		return err
	}
	if o.Deliveries == nil {
		o.Deliveries = []schemas.DeliveryRecord{}
	}
	h.showSending(d.ID, o.Deliveries)
	reply(w, http.StatusOK, o)
	return nil
}

// clamped is a number of the query, held between least and most; what is no
// number is the default.
func clamped(r *http.Request, name string, otherwise, least, most int) int {
	n, err := strconv.Atoi(r.URL.Query().Get(name))
	switch {
	case errors.Is(err, strconv.ErrRange) && r.URL.Query().Get(name)[0] != '-':
		return most
	case err != nil:
		return otherwise
	}
	return min(max(n, least), most)
}

func (h *webhooks) delivery(w http.ResponseWriter, r *http.Request, who Caller) error {
	d, err := h.own(r, who)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), commandTimeout)
	defer cancel()
	row, err := h.History.Delivery(ctx, d.ID, r.PathValue("delivery"))
	if err != nil {
		return noDelivery(err)
	}
	rows := []schemas.DeliveryRecord{row}
	h.showSending(d.ID, rows)
	reply(w, http.StatusOK, rows[0])
	return nil
}

// showSending adds to what the log knows of deliveries what the sender knows.
func (h *webhooks) showSending(webhook string, rows []schemas.DeliveryRecord) {
	s, now := h.Sender.Sending(webhook), h.Now()
	for i := range rows {
		s.Show(&rows[i], now)
	}
}

func noDelivery(err error) error {
	if errors.Is(err, schemas.ErrNotFound) {
		return errNoDelivery
	}
	return err
}

// retried answers a retry. A receiver that answers anything but 2xx is no
// fault of ours: 200 and success false. One that does not answer is 500, as
// with StellarStack.
type retried struct {
	Success    bool   `json:"success"`
	DeliveryID string `json:"deliveryId"` // of the new delivery
	StatusCode int    `json:"statusCode,omitempty"`
	Error      string `json:"error,omitempty"`
}

func (h *webhooks) retry(w http.ResponseWriter, r *http.Request, who Caller) error {
	d, err := h.own(r, who)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), attemptTimeout)
	defer cancel()
	of := r.PathValue("delivery")
	again, err := h.History.DeliveryAgain(ctx, d.ID, of)
	if err != nil {
		return noDelivery(err)
	}
	a, err := h.once(ctx, again, of)
	if err != nil {
		return err
	}
	o := retried{Success: a.Outcome == schemas.OutcomeDelivered, DeliveryID: again.ID, StatusCode: a.Status}
	if a.Status == 0 {
		o.Error = a.Response
		reply(w, http.StatusInternalServerError, o)
		return nil
	}
	reply(w, http.StatusOK, o)
	return nil
}

// once makes one attempt. ErrConflict: the receiver asked to wait.
func (h *webhooks) once(ctx context.Context, d schemas.Delivery, of string) (schemas.DeliveryAttempt, error) {
	a, err := h.Sender.Once(ctx, d, of)
	if errors.Is(err, deliver.ErrPaused) {
		err = fmt.Errorf("%w: %w", schemas.ErrConflict, err)
	}
	return a, err
}

// tested answers a test: 200, also when the receiver did not like it.
type tested struct {
	Success    bool   `json:"success"`
	StatusCode int    `json:"statusCode,omitempty"`
	Error      string `json:"error,omitempty"`
}

func (h *webhooks) test(w http.ResponseWriter, r *http.Request, who Caller) error {
	d, err := h.own(r, who)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), attemptTimeout)
	defer cancel()
	a, err := h.once(ctx, deliver.NewTest(d.ID), "")
	if err != nil {
		return err
	}
	o := tested{Success: a.Outcome == schemas.OutcomeDelivered, StatusCode: a.Status}
	if !o.Success {
		o.Error = a.Response
	}
	reply(w, http.StatusOK, o)
	return nil
}

// replay asks for a part of the log to be sent again. What matches is counted
// first: of a span that is too much nothing is asked for. It is asked for in
// parts, each durable before the next is read, so that memory and the spool
// hold one part. If a part cannot be stored, those before it are sent, and the
// answer says how many.
func (h *webhooks) replay(w http.ResponseWriter, r *http.Request, who Caller) error {
	d, err := h.own(r, who)
	if err != nil {
		return err
	}
	span, err := readTexts(w, r, map[string]int{"from": maxNameBytes, "to": maxNameBytes})
	if err != nil {
		return err
	}
	if span["from"] == "" {
		return oneFault("from", "Required: a sequence number, a time like 2026-01-31T23:59:59Z, or how long ago, like 90m or 7d")
	}
	if !d.Enabled {
		return fmt.Errorf("%w: the webhook is disabled: nothing is sent (hint: enable it first)", schemas.ErrConflict)
	}
	if !h.replaying.TryLock() {
		return fmt.Errorf("%w: another replay is being prepared (hint: try again in a moment)", schemas.ErrConflict)
	}
	defer h.replaying.Unlock()
	matching := func(fn func(seq uint64, n int, e schemas.Event) error) error {
		return h.LogReader.Matching(r.Context(), d.Subscription, span["from"], span["to"], fn)
	}
	many, bytes := 0, 0
	err = matching(func(_ uint64, _ int, e schemas.Event) error {
		many, bytes = many+1, bytes+len(e.Data)+len(e.Binary)
		switch {
		case many > maxReplay:
			return fmt.Errorf("%w: more than %d events match (hint: a shorter span)", schemas.ErrConflict, maxReplay)
		case bytes > maxReplayed:
			return fmt.Errorf("%w: more than %d MiB of events match (hint: a shorter span)", schemas.ErrConflict, maxReplayed>>20)
		}
		return nil
	})
	if err != nil {
		return err
	}
	part := replayed{h: h, r: r, most: many}
	err = matching(func(seq uint64, n int, e schemas.Event) error { return part.add(d.ID, seq, n, e) })
	if err == nil || errors.Is(err, errEnough) {
		err = part.flush()
	}
	if err != nil {
		if part.queued > 0 {
			h.Log.Error("a replay was stopped", "subscription", d.ID, "queued", part.queued, "err", err)
			return fmt.Errorf("%w: %d events are on their way, the others could not be stored (hint: try again for the rest; what comes twice has the same id)", schemas.ErrConflict, part.queued)
		}
		return err
	}
	reply(w, http.StatusAccepted, map[string]int{"queued": part.queued})
	return nil
}

// errEnough ends a replay at what was counted: more may have arrived since.
var errEnough = errors.New("enough")

// replayed gathers events to be asked for, and appends them in parts.
type replayed struct {
	h      *webhooks
	r      *http.Request
	most   int // events in all
	events []schemas.Event
	bytes  int // of them
	queued int // events that are durable
}

func (p *replayed) add(webhook string, seq uint64, n int, e schemas.Event) error {
	if p.queued+len(p.events) == p.most {
		return errEnough
	}
	again, err := p.h.requested(webhook, seq, n, e)
	if err != nil {
		return err
	}
	if p.bytes+len(again.Data) > replayPart {
		if err := p.flush(); err != nil {
			return err
		}
	}
	p.events, p.bytes = append(p.events, again), p.bytes+len(again.Data)
	return nil
}

// flush makes what was gathered durable.
func (p *replayed) flush() error {
	if len(p.events) == 0 {
		return nil
	}
	ctx, cancel := commandContext(p.r)
	defer cancel()
	if _, err := p.h.Events.Append(ctx, p.events...); err != nil {
		return err
	}
	p.queued += len(p.events)
	p.events, p.bytes = nil, 0
	return nil
}

// requested is the event that asks for a delivery of e.
func (h *webhooks) requested(webhook string, seq uint64, n int, e schemas.Event) (schemas.Event, error) {
	body, err := e.MarshalJSON()
	if err != nil {
		return schemas.Event{}, err
	}
	data, err := json.Marshal(schemas.DeliveryRequest{
		Webhook: webhook, Delivery: uuid.NewString(), MessageID: schemas.DeliveryID(webhook, e), Kind: schemas.DeliveryReplay,
		Seq: seq, N: n, Event: body, Route: e.Route.LogSubject(), Due: schemas.FormatTime(h.Now()),
	})
	return schemas.Event{
		ID: schemas.NewID(), Source: schemas.SelfURI, Type: schemas.DeliveryRequested, Subject: webhook,
		DataSchema: schemas.SchemaID(schemas.DeliveryRequested), Origin: schemas.OriginCommand, Data: data,
		Route: schemas.RegistryRoute("delivery", "requested"),
	}, err
}

// readTexts reads a body of strings, each of at most that many bytes.
func readTexts(w http.ResponseWriter, r *http.Request, members map[string]int) (map[string]string, error) {
	body, err := readObject(w, r)
	if err != nil {
		return nil, err
	}
	texts := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(body)) {
		most, known := members[name]
		if !known {
			return nil, oneFault(clip(name), "Unknown member")
		}
		if texts[name], err = readText(body[name], most); err != nil {
			return nil, oneFault(name, err.Error())
		}
	}
	return texts, nil
}
