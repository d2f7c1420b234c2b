package ui

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// Operator shows and changes how the server is, for a reader that is the operator. Errors
// that wrap ErrRefused have a sentence for her.
type Operator interface {
	// Sources are the configured senders.
	Sources(ctx context.Context) ([]Source, error)

	// Problems say what is wrong with the server, for a person. None: all is well.
	Problems(ctx context.Context) []string

	// Webhooks are the outgoing webhooks.
	Webhooks(ctx context.Context) ([]Webhook, error)

	// Deliveries are the latest of a webhook, newest first.
	Deliveries(ctx context.Context, webhook string) ([]Delivery, error)

	// TestWebhook sends a test to a webhook, and says in a sentence what came of it.
	TestWebhook(ctx context.Context, webhook string) (string, error)

	// RetryDelivery makes one more attempt, and says in a sentence what came of it.
	RetryDelivery(ctx context.Context, webhook, delivery string) (string, error)

	// Readers are those who may read, besides the operator.
	Readers(ctx context.Context) ([]Access, error)

	// AddReader lets somebody read a system, and gives the token, once.
	AddReader(ctx context.Context, a Access) (token string, err error)

	// RevokeReader ends a reader.
	RevokeReader(ctx context.Context, name string) error
}

// Refused is what the operator asked for and cannot have, as a sentence for
// her.
type Refused string

func (r Refused) Error() string { return string(r) }

// Source is a configured sender, and how it is.
type Source struct {
	Kind, Name, Tenant string
	URL                string    // where it posts to
	LastEvent          time.Time // zero: none is known
	Coverage           string    // how much webhooks brought first; empty: unknown
	State              string    // in words; empty: nothing to say
	Notes              []string  // what the person may want to do or know
}

// Webhook is an outgoing webhook.
type Webhook struct {
	ID, Name, Provider, URL string // URL without secrets
	Events                  []string
	Enabled                 bool
	Reason                  string // why it is disabled; empty: a person did it
}

// Delivery is one event on its way to a webhook.
type Delivery struct {
	ID, Event, Status string
	Created           time.Time
	Attempts          int
	Answer            string // of the receiver, its beginning; empty: none
}

// Access is a reader.
type Access struct {
	Name    string
	System  string // uuid; empty: all
	Public  bool
	Expires time.Time // zero: never
}

// operator serves a page to the operator, and to nobody else.
func (h *Handler) operator(page pageFunc) pageFunc {
	return func(v *visit) error {
		if !v.view.Operator {
			return errNotFound
		}
		return page(v)
	}
}

// sourceRow is a source on its page.
type sourceRow struct {
	Source
	Last *moment
	ID   string // of the field that is copied from
}

type sourcesData struct {
	Rows     []sourceRow
	Problems []string
}

func (h *Handler) sourcesPage(v *visit) error {
	v.view.Title, v.view.Here = "Sources", "sources"
	all, err := h.Operator.Sources(v.r.Context())
	if err != nil {
		return err
	}
	d := sourcesData{Problems: h.Operator.Problems(v.r.Context())}
	for i, s := range all {
		row := sourceRow{Source: s, ID: "address-" + string(rune('a'+i%26)) + strings.Repeat("x", i/26)}
		if !s.LastEvent.IsZero() {
			m := v.view.At(s.LastEvent)
			row.Last = &m
		}
		d.Rows = append(d.Rows, row)
	}
	h.render(v, 200, "sources", d)
	return nil
}

func (h *Handler) webhooksPage(v *visit) error {
	v.view.Title, v.view.Here = "Webhooks", "webhooks"
	all, err := h.Operator.Webhooks(v.r.Context())
	if err != nil {
		return err
	}
	h.render(v, 200, "webhooks", all)
	return nil
}

type deliveryRow struct {
	Delivery
	At moment
}

type webhookData struct {
	Webhook
	Said string // what came of a test or an attempt; empty: none was made
	Rows []deliveryRow
}

func (h *Handler) webhookPage(v *visit) error { return h.showWebhook(v, "") }

func (h *Handler) showWebhook(v *visit, said string) error {
	v.view.Title, v.view.Here, v.view.Path = "Webhook", "webhooks", "/ui/webhooks/"+v.r.PathValue("webhook")
	all, err := h.Operator.Webhooks(v.r.Context())
	if err != nil {
		return err
	}
	for _, w := range all {
		if w.ID != v.r.PathValue("webhook") {
			continue
		}
		rows, err := h.Operator.Deliveries(v.r.Context(), w.ID)
		if err != nil {
			return err
		}
		d := webhookData{Webhook: w, Said: said}
		for _, r := range rows {
			d.Rows = append(d.Rows, deliveryRow{r, v.view.At(r.Created)})
		}
		h.render(v, 200, "webhook", d)
		return nil
	}
	return errNotFound
}

func (h *Handler) testWebhook(v *visit) error {
	said, err := h.Operator.TestWebhook(v.r.Context(), v.r.PathValue("webhook"))
	if err != nil {
		return err
	}
	return h.showWebhook(v, said)
}

func (h *Handler) retryDelivery(v *visit) error {
	if err := readForm(v); err != nil {
		return err
	}
	said, err := h.Operator.RetryDelivery(v.r.Context(), v.r.PathValue("webhook"), v.r.PostForm.Get("delivery"))
	if err != nil {
		return err
	}
	return h.showWebhook(v, said)
}

// accessRow is a reader on the page of access.
type accessRow struct {
	Access
	System  string // what it is called; empty: all
	Expires *moment
}

type accessData struct {
	Rows    []accessRow
	Systems []System
	Made    *madeAccess
}

// madeAccess is a reader that was just added. Its token is shown this once.
type madeAccess struct {
	Access
	Token   string
	Page    string // addresses of the public page and the overlay; empty: it is not public
	Overlay string
}

func (h *Handler) accessPage(v *visit) error { return h.showAccess(v, nil) }

func (h *Handler) showAccess(v *visit, made *madeAccess) error {
	v.view.Title, v.view.Here, v.view.Path = "Access", "access", "/ui/access"
	readers, err := h.Operator.Readers(v.r.Context())
	if err != nil {
		return err
	}
	d := accessData{Made: made}
	if d.Systems, err = h.Systems(v.r.Context(), maxSystems); err != nil {
		return err
	}
	names := map[string]string{}
	for _, s := range d.Systems {
		names[s.UUID] = v.view.NameOf(s)
	}
	for _, r := range readers {
		row := accessRow{Access: r, System: r.System}
		if name := names[r.System]; name != "" {
			row.System = name
		}
		if !r.Expires.IsZero() {
			m := v.view.At(r.Expires)
			row.Expires = &m
		}
		d.Rows = append(d.Rows, row)
	}
	h.render(v, http.StatusOK, "access", d)
	return nil
}

func (h *Handler) addReader(v *visit) error {
	if err := readForm(v); err != nil {
		return err
	}
	a := Access{Name: strings.TrimSpace(v.r.PostForm.Get("name")), System: v.r.PostForm.Get("system"), Public: v.r.PostForm.Get("sees") == "public"}
	if a.Public && a.System == "" {
		return badRequest("A public page is about one system: choose which.")
	}
	token, err := h.Operator.AddReader(v.r.Context(), a)
	if err != nil {
		return err
	}
	made := &madeAccess{Access: a, Token: token}
	if a.Public {
		scheme := "http://"
		if v.r.TLS != nil || v.r.Header.Get("X-Forwarded-Proto") == "https" {
			scheme = "https://"
		}
		made.Page, made.Overlay = scheme+v.r.Host+"/ui/public/"+token, scheme+v.r.Host+"/ui/overlay/"+token
	}
	return h.showAccess(v, made)
}

func (h *Handler) revokeReader(v *visit) error {
	if err := h.Operator.RevokeReader(v.r.Context(), v.r.PathValue("name")); err != nil {
		return err
	}
	http.Redirect(v.w, v.r, "/ui/access", http.StatusSeeOther)
	return nil
}
