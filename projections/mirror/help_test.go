package mirror

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"switchlog/projections"
	"switchlog/projections/engine"
	"switchlog/schemas"
	"switchlog/test/fakepk"
)

// Discord servers and accounts of the tests.
const (
	guild        = "1150000000000000001"
	otherGuild   = "1150000000000000011"
	account      = "1150000000000000003"
	otherAccount = "1150000000000000004"
	operator     = "operator-token"
)

// A pair is PluralKit and a mirror that is told what PluralKit sends.
type pair struct {
	t      testing.TB
	w      *fakepk.World
	db     *projections.DB
	api    http.Handler // PluralKit's
	mirror http.Handler
	seq    uint64
	owners map[string]string // uuids of systems by PluralKit's token
}

func newPair(t testing.TB) *pair {
	t.Helper()
	p := &pair{t: t, w: fakepk.New(t, fakepk.Config{}), owners: map[string]string{}}
	p.api = fakepk.NewAPI(t, p.w, fakepk.APIConfig{Unlimited: true})
	p.db = openDB(t)
	p.mirror = NewHandler(Config{Store: p.db, Authorize: p.authorize, Now: p.w.Clock.Now})
	return p
}

func openDB(t testing.TB) *projections.DB {
	t.Helper()
	db, err := projections.Open(engine.Config{Path: filepath.Join(t.TempDir(), "projections.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// authorize takes PluralKit's own tokens, so that both sides can be asked with
// the same request.
func (p *pair) authorize(token string) (Reader, bool) {
	uuid, known := p.owners[token]
	return Reader{Tenant: uuid}, known || token == operator
}

// system makes one with a webhook.
func (p *pair) system(account string, f fakepk.Fields) *fakepk.System {
	p.t.Helper()
	s, err := p.w.CreateSystem(account, f)
	p.w.Must(err)
	_, err = s.SetWebhook("https://hooks.example.org/pk")
	p.w.Must(err)
	p.owners[s.Token()] = s.UUID()
	return s
}

// deliver folds what PluralKit has sent since the last time.
func (p *pair) deliver() {
	p.t.Helper()
	var batch []schemas.Event
	for _, d := range p.w.Deliveries() {
		batch = append(batch, dispatched(p.t, d))
	}
	p.fold(batch...)
}

// deliverAllBut is deliver without the events of those types, which it gives.
func (p *pair) deliverAllBut(types ...string) (late []schemas.Event) {
	p.t.Helper()
	var batch []schemas.Event
	for _, d := range p.w.Deliveries() {
		if slices.Contains(types, d.Type) {
			late = append(late, dispatched(p.t, d))
			continue
		}
		batch = append(batch, dispatched(p.t, d))
	}
	p.fold(batch...)
	return late
}

func (p *pair) fold(events ...schemas.Event) {
	p.t.Helper()
	batch := make([]schemas.Recorded, len(events))
	for i, e := range events {
		p.seq++
		if e.Time.IsZero() {
			e.Time = p.w.Clock.Now().Add(time.Duration(p.seq) * time.Microsecond)
		}
		batch[i] = schemas.Recorded{Seq: p.seq, Event: e}
	}
	if err := p.db.Apply(p.t.Context(), "epoch", batch); err != nil {
		p.t.Fatal(err)
	}
	_, skipped, _, err := p.db.SQL(p.t.Context(), `SELECT type, reason FROM skipped`, 10)
	if err != nil || len(skipped) > 0 {
		p.t.Fatalf("got skipped %v, %v; want none", skipped, err)
	}
}

// dispatched is the event of a delivery.
func dispatched(t testing.TB, d fakepk.Delivery) schemas.Event {
	t.Helper()
	var in struct{ Data json.RawMessage }
	if err := json.Unmarshal(d.Body, &in); err != nil {
		t.Fatal(err)
	}
	typ, known := schemas.PluralKitType(d.Type)
	if !known {
		t.Fatalf("type %s", d.Type)
	}
	if typ == schemas.PKMemberGuildUpdate && !bytes.Contains(in.Data, []byte(`"guild_id"`)) {
		typ = schemas.PKAccountUpdate
	}
	in.Data = bytes.ReplaceAll(in.Data, []byte(`"webhook_url":"https://hooks.example.org/pk",`), nil)
	return schemas.Event{
		ID: schemas.NewID(), Source: schemas.PluralKitSystemURL + d.System, Type: typ, Subject: d.ID,
		Data: in.Data, Route: schemas.PluralKitRoute(typ, d.System),
	}
}

// ask is "status body" of a GET.
func ask(h http.Handler, token, path string) string {
	w := send(h, http.MethodGet, token, path)
	return strings.TrimSpace(http.StatusText(w.Code) + " " + w.Body.String())
}

func send(h http.Handler, method, token, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/v2/"+path, nil)
	r.Header.Set("User-Agent", "mirror-test/1")
	r.Header.Set("Authorization", token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}
