package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"switchlog/processor"
	"switchlog/projections/query/ui"
	"switchlog/schemas"
)

// pagesOperator does for the dashboard what the shell's commands do, by the
// same routes of the private listener: there is one set of rules.
type pagesOperator struct{ n *node }

var _ ui.Operator = pagesOperator{}

// answerBuffer is an answer that stays in the process.
type answerBuffer struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (a *answerBuffer) Header() http.Header         { return a.header }
func (a *answerBuffer) Write(b []byte) (int, error) { return a.body.Write(b) }
func (a *answerBuffer) WriteHeader(code int)        { a.code = code }

// call asks a route as the operator. What the route refuses becomes a
// ui.Refused.
func (o pagesOperator) call(ctx context.Context, method, path string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, path, &body)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+o.n.token)
	a := &answerBuffer{header: http.Header{}, code: http.StatusOK}
	o.n.private.ServeHTTP(a, r)
	says := refusalWords(a.body.Bytes())
	switch {
	case a.code >= 500:
		return fmt.Errorf("%s %s: status %d: %s", method, path, a.code, says)
	case a.code >= 400:
		return ui.Refused(capitalised(says))
	case out == nil:
		return nil
	}
	return decode(&a.body, out)
}

// capitalised makes a sentence of the shell's words.
func capitalised(text string) string {
	if text == "" {
		return "This was refused."
	}
	return string(bytes.ToUpper([]byte(text[:1]))) + text[1:] + "."
}

func pageTime(rfc3339 string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, rfc3339)
	if err != nil {
		return time.Time{} // none is known
	}
	return t
}

// Sources implements ui.Operator.
func (o pagesOperator) Sources(ctx context.Context) ([]ui.Source, error) {
	s, err := o.n.status(ctx)
	if err != nil {
		return nil, err
	}
	var all []ui.Source
	for _, in := range s.Sources {
		out := ui.Source{Kind: in.Kind, Name: in.Name, Tenant: in.Tenant, URL: in.URL, LastEvent: pageTime(in.LastEvent), State: in.API}
		if in.Coverage != nil {
			out.Coverage = fmt.Sprintf("%.0f %% of the changes", 100**in.Coverage)
		}
		if in.Conflict != "" {
			out.Notes = append(out.Notes, capitalised(in.Conflict))
		}
		if in.Unproven > 0 {
			out.Notes = append(out.Notes, fmt.Sprintf("%d requests for it came with a wrong secret. If its token was made anew, give the new one: switchlog source rotate.", in.Unproven))
		}
		if in.LastEvent == "" && in.LastPing != "" {
			out.Notes = append(out.Notes, "It was linked, and has sent nothing yet.")
		}
		all = append(all, out)
	}
	return all, nil
}

// Problems implements ui.Operator.
func (o pagesOperator) Problems(context.Context) []string { return o.n.problems() }

// Webhooks implements ui.Operator.
func (o pagesOperator) Webhooks(ctx context.Context) ([]ui.Webhook, error) {
	var list []struct {
		ID       string   `json:"id"`
		URL      string   `json:"url"`
		Events   []string `json:"events"`
		Provider string   `json:"provider"`
		Enabled  bool     `json:"enabled"`
		Name     *string  `json:"name"`
		Problem  *string  `json:"problem"`
		Disabled *string  `json:"disabledReason"`
	}
	if err := o.call(ctx, "GET", "/api/webhooks", nil, &list); err != nil {
		return nil, err
	}
	all := make([]ui.Webhook, len(list))
	for i, w := range list {
		all[i] = ui.Webhook{ID: w.ID, Name: deref(w.Name), Provider: w.Provider, URL: w.URL, Events: w.Events, Enabled: w.Enabled, Reason: deref(w.Disabled)}
		if problem := deref(w.Problem); problem != "" {
			all[i].Reason = problem
		}
	}
	return all, nil
}

func webhookPath(id string) string { return "/api/webhooks/" + url.PathEscape(id) }

// Deliveries implements ui.Operator.
func (o pagesOperator) Deliveries(ctx context.Context, webhook string) ([]ui.Delivery, error) {
	var page struct {
		Deliveries []schemas.DeliveryRecord `json:"deliveries"`
	}
	if err := o.call(ctx, "GET", webhookPath(webhook)+"/deliveries?limit=50", nil, &page); err != nil {
		return nil, err
	}
	all := make([]ui.Delivery, len(page.Deliveries))
	for i, d := range page.Deliveries {
		all[i] = ui.Delivery{ID: d.ID, Event: d.Event, Status: d.Status, Created: pageTime(d.CreatedAt), Attempts: d.Attempts}
		if d.StatusCode != nil {
			all[i].Answer = fmt.Sprint(*d.StatusCode)
		} else if d.Response != nil {
			all[i].Answer = *d.Response
		}
	}
	return all, nil
}

// TestWebhook implements ui.Operator.
func (o pagesOperator) TestWebhook(ctx context.Context, webhook string) (string, error) {
	return o.attempt(ctx, webhookPath(webhook)+"/test")
}

// RetryDelivery implements ui.Operator.
func (o pagesOperator) RetryDelivery(ctx context.Context, webhook, delivery string) (string, error) {
	return o.attempt(ctx, webhookPath(webhook)+"/deliveries/"+url.PathEscape(delivery)+"/retry")
}

func (o pagesOperator) attempt(ctx context.Context, path string) (string, error) {
	var a attemptInfo
	err := o.call(ctx, "POST", path, nil, &a)
	switch {
	case err != nil:
		return "", err
	case a.Success:
		return fmt.Sprintf("The receiver has it: it answered %d.", a.StatusCode), nil
	case a.StatusCode != 0:
		return fmt.Sprintf("The receiver answered %d: %s", a.StatusCode, orDash(a.Error)), nil
	}
	return "It did not arrive: " + a.Error, nil
}

// Readers implements ui.Operator.
func (o pagesOperator) Readers(ctx context.Context) ([]ui.Access, error) {
	var list []access
	if err := o.call(ctx, "GET", accessPath, nil, &list); err != nil {
		return nil, err
	}
	all := make([]ui.Access, len(list))
	for i, a := range list {
		all[i] = ui.Access{Name: a.Name, System: a.Tenant, Public: a.Public, Expires: pageTime(a.Expires)}
	}
	return all, nil
}

// AddReader implements ui.Operator.
func (o pagesOperator) AddReader(ctx context.Context, a ui.Access) (token string, err error) {
	in := newReaderIn{Name: a.Name, Source: schemas.PluralKit, Tenant: a.System, Public: a.Public}
	if a.System == "" {
		in.Source, in.Tenant = "", allTenants
	}
	var made access
	err = o.call(ctx, "POST", accessPath, in, &made)
	return made.HTTPToken, err
}

// RevokeReader implements ui.Operator.
func (o pagesOperator) RevokeReader(ctx context.Context, name string) error {
	return o.call(ctx, "DELETE", accessPath+"/"+url.PathEscape(name), nil, nil)
}

// firstWindow is how many sequences the search for a system's newest events
// looks at first; it doubles each time.
const firstWindow = 512

// pageEvents reads the newest events of a system before a sequence. The log is read
// forwards only, so it looks at ever larger parts from the end.
func (n *node) pageEvents(ctx context.Context, system string, before uint64, limit int) ([]ui.Event, error) {
	if before == 0 {
		info, err := n.events.Info(ctx)
		if err != nil {
			return nil, err
		}
		before = info.Last + 1
	}
	subject := schemas.TenantSubjects(schemas.LogEvents, schemas.PluralKit, system)
	var found []ui.Event // oldest first
	for to, window := before-1, uint64(firstWindow); to > 0 && len(found) < limit; window *= 2 {
		from := uint64(1)
		if to > window {
			from = to - window + 1
		}
		var part []ui.Event
		err := n.events.Read(ctx, processor.ReadOptions{From: from, To: to, Subject: subject}, func(e schemas.Recorded, _ schemas.Message) error {
			part = append(part, ui.Event{Seq: e.Seq, Time: e.Time, Type: e.Type, Subject: e.Subject, Origin: string(e.Origin), Data: e.Data})
			if len(part) > 2*limit { // only the newest are wanted
				part = append(part[:0], part[len(part)-limit:]...)
			}
			return nil
		})
		if err != nil && !errors.Is(err, schemas.ErrLogDamaged) {
			return nil, err
		}
		found = append(part, found...)
		to = from - 1
	}
	found = found[max(0, len(found)-limit):]
	out := make([]ui.Event, len(found))
	for i, e := range found {
		out[len(found)-1-i] = e
	}
	return out, nil
}
