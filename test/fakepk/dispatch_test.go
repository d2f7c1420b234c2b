package fakepk

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// receiver is a webhook that keeps what it got.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	token   string // the right one
	status  int    // for everything else than a wrong token
	bodies  []string
	lines   []string // "POST /path HTTP/1.1"
	headers []http.Header
	conns   map[string]bool
	onBody  func(body string)
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{status: 200, conns: map[string]bool{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	if r.onBody != nil {
		r.onBody(string(body))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bodies = append(r.bodies, string(body))
	r.lines = append(r.lines, req.Method+" "+req.URL.RequestURI()+" "+req.Proto)
	r.headers = append(r.headers, req.Header)
	r.conns[req.RemoteAddr] = true
	status := r.status
	if !strings.Contains(string(body), r.token) {
		status = 401
	}
	w.WriteHeader(status)
}

func (r *receiver) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.bodies)
}

// register goes through a registration against the receiver.
func (r *receiver) register(x *example, path string) string {
	reg, err := x.RegisterWebhook(r.URL + path)
	x.w.Must(err)
	r.mu.Lock()
	r.token = reg.Token
	r.mu.Unlock()
	outcome, err := reg.Continue(x.t.Context())
	x.w.Must(err)
	return outcome
}

func TestDispatchOverHTTP(t *testing.T) {
	x, r := newExample(t, Config{}), newReceiver(t)
	x.w.Must(x.ClearWebhook())
	if got := r.register(x, "/in?q=1"); got != OutcomeOK {
		t.Fatalf("got outcome %s, want OK", got)
	}
	_, token := x.Webhook()
	if raw, err := base64.StdEncoding.DecodeString(token); len(raw) != 48 || len(token) != 64 || err != nil {
		t.Errorf("got token %q, want base64 of 48 bytes", token)
	}
	pings := r.got()
	if want := string(pingBody(token, exSystem, false)); len(pings) != 2 || pings[0] != want || pings[1] == want {
		t.Errorf("got %q, want a right PING and a wrong one", pings)
	}
	d := NewDispatcher(x.w, DispatcherConfig{})
	defer d.Close()
	before := len(r.conns)
	x.system(Fields{"tag": "a"})
	x.system(Fields{"tag": "b"})
	d.Flush()
	if got := r.got()[2:]; len(got) != 2 || !strings.Contains(got[0], `{"tag":"a"}`) || !strings.Contains(got[1], `{"tag":"b"}`) {
		t.Fatalf("got %q, want two updates in order", got)
	}
	if got := len(r.conns) - before; got != 2 {
		t.Errorf("got %d connections for two deliveries, want 2", got)
	}
	h := r.headers[3]
	want := http.Header{"Accept": {"*/*"}, "Content-Type": {"application/json"}, "User-Agent": {dispatchUserAgent},
		"Content-Length": h["Content-Length"]}
	if !reflect.DeepEqual(h, want) {
		t.Errorf("got headers %v\nwant %v", h, want)
	}
	if got := r.lines[3]; got != "POST /in?q=1 HTTP/1.1" {
		t.Errorf("got %s", got)
	}
	// Once, whatever the answer; nobody hears of it.
	r.status = 503
	x.system(Fields{"tag": "c"})
	if got := r.got()[4:]; len(got) != 1 || d.Results()[2].Status != 503 {
		t.Errorf("got %q, want one delivery answered with 503", got)
	}
	d.Silence(true)
	x.system(Fields{"tag": "d"})
	d.Silence(false)
	if got := len(r.got()); got != 5 {
		t.Errorf("got %d bodies, want nothing more in silence", got)
	}
}

func TestRegistrationOutcomes(t *testing.T) {
	x, r := newExample(t, Config{}), newReceiver(t)
	r.status = 204
	if got := r.register(x, ""); got != "InvalidResponseCode(204)" {
		t.Errorf("got %s, want a refusal of 204", got)
	}
	r.status = 200
	reg, err := x.RegisterWebhook(r.URL)
	x.w.Must(err)
	r.token = "PING" // any token is right
	if got, err := reg.Continue(t.Context()); got != OutcomeTestFailed || err != nil {
		t.Errorf("got %s %v, want TestFailed", got, err)
	}
	if url, token := x.Webhook(); url != exHook || token != exToken {
		t.Errorf("got %s %s, want the old webhook kept", url, token)
	}
	for _, c := range []struct{ url, want string }{
		{"http://example.org/", OutcomeBadData}, {"https://127.0.0.1/", OutcomeResolveFailed}, {"https://localhost/", OutcomeInvalidIP},
	} {
		reg, err := x.RegisterWebhook(c.url)
		x.w.Must(err)
		reg.Strict = true
		if got, err := reg.Continue(t.Context()); got != c.want || err != nil {
			t.Errorf("%s: got %s %v, want %s", c.url, got, err, c.want)
		}
	}
	if _, err := x.RegisterWebhook("https://discord.com/api/webhooks/1/x"); !errors.Is(err, ErrWebhookRefused) {
		t.Errorf("got %v, want ErrWebhookRefused", err)
	}
	r.Close()
	reg, err = x.RegisterWebhook(r.URL)
	x.w.Must(err)
	if got, err := reg.Continue(t.Context()); got != OutcomeFetchFailed || err != nil {
		t.Errorf("got %s %v, want FetchFailed", got, err)
	}
}

// TestReissuedToken: registering again is a direct message, and what is sent after it has the new token.
func TestReissuedToken(t *testing.T) {
	x, r := newExample(t, Config{}), newReceiver(t)
	x.w.Deliveries()
	if got := r.register(x, ""); got != OutcomeOK {
		t.Fatalf("got %s, want OK", got)
	}
	x.system(Fields{"tag": "new"})
	ds := x.w.Deliveries()
	if len(ds) != 2 || ds[0].Type != "UPDATE_MEMBER_GUILD" || !strings.Contains(string(ds[0].Body), exToken) ||
		strings.Contains(string(ds[1].Body), exToken) || ds[1].URL != r.URL {
		t.Errorf("got %s, want a DM with the old token, then an update with the new", kinds(ds))
	}
	if got, err := x.OperatorPing(t.Context(), nil); got != OutcomeOK || err != nil {
		t.Errorf("got %s %v, want OK", got, err)
	}
	if got := r.got()[2]; !strings.HasPrefix(got, `{"type": "PING", "signing_token": "`) {
		t.Errorf("got %s, want spaces", got)
	}
}

// TestSentBeforeWritten: while the event of an edit is on its way, the API still shows what was.
func TestSentBeforeWritten(t *testing.T) {
	for _, c := range []struct {
		name string
		act  func(*example)
		path string
		want bool // whether the API shows it while the event arrives
	}{
		{"member", func(x *example) { x.alder(Fields{"name": "Changed"}) }, "/members/abvenk", false},
		{"system", func(x *example) { x.system(Fields{"name": "Changed"}) }, "/systems/kfazoe", true},
		{"group", func(x *example) { x.w.Must(x.EditGroup(exGarden, Fields{"name": "Changed"})) }, "/groups/gnohev", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			x, r := newExample(t, Config{}), newReceiver(t)
			_, api := serveAPI(t, x.w, APIConfig{})
			x.must2(x.SetWebhook(r.URL))
			var shown string
			r.onBody = func(string) { shown = api.get(c.path) }
			d := NewDispatcher(x.w, DispatcherConfig{})
			defer d.Close()
			c.act(x)
			if got := strings.Contains(shown, "Changed"); got != c.want {
				t.Errorf("got %v, want %v: %s", got, c.want, shown)
			}
			if got := api.get(c.path); !strings.Contains(got, "Changed") {
				t.Errorf("got %s, want the change in the end", got)
			}
		})
	}
}

func TestParallelDispatch(t *testing.T) {
	x, r := newExample(t, Config{}), newReceiver(t)
	x.must2(x.SetWebhook(r.URL))
	d := NewDispatcher(x.w, DispatcherConfig{Parallel: true, Budget: 5 * time.Second, Plan: Plan{Delay: 5 * time.Millisecond}})
	defer d.Close()
	for range 20 {
		x.system(Fields{"tag": "a"})
	}
	d.Flush()
	if got := len(r.got()); got != 20 {
		t.Errorf("got %d, want 20", got)
	}
	// A receiver that does not answer costs the budget, no more.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.onBody = func(string) { <-ctx.Done() }
	d.conf.Budget = 20 * time.Millisecond
	x.system(Fields{"tag": "b"})
	d.Flush()
	cancel()
	if got := d.Results()[20]; got.Err == nil || got.Status != 0 {
		t.Errorf("got %+v, want no answer", got)
	}
}

// history is a seeded run of actions; refusals are part of it.
func history(t *testing.T, seed uint64, odds Odds) (*World, *System, []Delivery) {
	w := New(t, Config{Seed: seed, Odds: odds})
	s, err := w.CreateSystem(exAccount, nil)
	w.Must(err)
	_, err = s.SetWebhook(exHook)
	w.Must(err)
	rng := rand.New(rand.NewPCG(seed, 1))
	var members []string
	for range 60 {
		pick := func() string {
			if len(members) == 0 {
				return ""
			}
			return members[rng.IntN(len(members))]
		}
		switch rng.IntN(6) {
		case 0:
			id, err := s.CreateMember("m", nil)
			w.Must(err)
			members = append(members, id)
		case 1:
			_ = s.EditMember(pick(), Fields{"tts": true})
		case 2:
			_, _ = s.Switch(pick())
		case 3:
			_, _ = s.Proxy(Message{Member: pick()})
		case 4:
			if id, err := s.APICreateMember(Fields{"name": "api"}); err == nil {
				members = append(members, id)
			}
		case 5:
			_ = s.DeleteMember(pick())
		}
	}
	return w, s, w.Deliveries()
}

// TestSeeds: a seed decides everything, and another decides otherwise.
func TestSeeds(t *testing.T) {
	odds := Odds{APICreateSeen: 0.5, CounterFirst: 0.5, WriteFails: 0.2, EditLost: 0.2}
	plan := Plan{Seed: 4, Drop: 0.2, Double: 0.2, Late: 0.3, LateBy: 5, Silence: []Window{{10, 14}}}
	w1, s1, a := history(t, 7, odds)
	w2, s2, b := history(t, 7, odds)
	_, _, c := history(t, 8, odds)
	if !reflect.DeepEqual(a, b) || len(w1.Truth(s1).Diff(w2.Truth(s2))) > 0 {
		t.Errorf("got two histories from one seed")
	}
	if reflect.DeepEqual(a, c) {
		t.Errorf("got one history from two seeds")
	}
	if !reflect.DeepEqual(plan.Arrivals(a), plan.Arrivals(b)) {
		t.Errorf("got two arrivals from one plan")
	}
	other := plan
	other.Seed++
	if reflect.DeepEqual(plan.Arrivals(a), other.Arrivals(a)) {
		t.Errorf("got one arrival from two plans")
	}
	if got := (Plan{}).Arrivals(a); !reflect.DeepEqual(got, a) {
		t.Errorf("got another order from no plan")
	}
	for _, d := range plan.Arrivals(a) {
		if d.N >= 10 && d.N < 14 {
			t.Errorf("got delivery %d in the silence", d.N)
		}
	}
	all := (Plan{Late: 1, LateBy: 3}).Arrivals(a)
	if len(all) != len(a) || reflect.DeepEqual(all, a) {
		t.Errorf("got %d late deliveries, want all %d in another order", len(all), len(a))
	}
	for i, d := range Shuffle(rand.New(rand.NewPCG(1, 2)), a, 2) {
		if diff := i + 1 - (d.N - a[0].N + 1); diff > 4 || diff < -4 {
			t.Errorf("got delivery %d at %d, want it near", d.N, i+1)
		}
	}
	for _, d := range a {
		if !json.Valid(d.Body) {
			t.Errorf("got %s, want JSON", d.Body)
		}
	}
}

func kinds(ds []Delivery) string {
	var list []string
	for _, d := range ds {
		list = append(list, d.Type)
	}
	return strings.Join(list, " ")
}
