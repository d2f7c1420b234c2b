package ui

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"
)

// Tokens of the readers in tests.
const (
	operatorToken = "operator-token-for-tests"
	annaToken     = "anna-token-for-tests" // reads system one alone
	publicToken   = "public-token-for-tests"
)

// Systems in tests.
const (
	systemOne = "11111111-1111-4111-8111-111111111111"
	systemTwo = "22222222-2222-4222-8222-222222222222"
)

// noon is when tests happen.
var noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// fakeSwitch is a switch of a fakeSystem; it names members by index.
type fakeSwitch struct {
	at      time.Time
	members []int
}

// fakeSystem is what a system has said. Switches are in order of time.
type fakeSystem struct {
	name     string
	zone     string
	private  bool // who fronts is
	members  []member
	groups   []group
	switches []fakeSwitch
}

// fakeStore answers as the projections do, from memory. It fails a test that
// asks what the projections do not know.
type fakeStore struct {
	t  testing.TB
	mu sync.Mutex // guards systems
	at map[string]*fakeSystem
}

func (f *fakeStore) Ask(_ context.Context, system, query string, params map[string]string) (json.RawMessage, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.at[system]
	if s == nil {
		return nil, false, nil
	}
	known := map[string][]string{"system": nil, "settings": nil, "fronters": {"at"}, "front": {"at"}, "timeline": {"before", "after", "limit"},
		"members": nil, "member": {"ref"}, "groups": nil, "group": {"ref"}, "stats": {"range", "timezone"}}
	names, ok := known[query]
	for name := range params {
		ok = ok && slices.Contains(names, name)
	}
	if !ok {
		f.t.Errorf("the dashboard asks %s %v, which the projections do not know", query, params)
		return nil, false, fmt.Errorf("unknown query %s", query)
	}
	var v any
	switch query {
	case "system":
		v = map[string]any{"uuid": system, "name": orNull(s.name), "privacy": map[string]string{"front_privacy": privacyWord(s.private)}}
	case "settings":
		v = map[string]any{"timezone": orNull(s.zone)}
	case "front", "fronters":
		v = s.fronters(parseTime(f.t, params["at"]))
	case "timeline":
		v = s.timeline(f.t, params)
	case "members":
		v = s.members
	case "groups":
		v = s.groups
	case "stats":
		v = s.stats()
	case "member":
		i := slices.IndexFunc(s.members, func(m member) bool { return params["ref"] == m.UUID || params["ref"] == m.ID })
		if i < 0 {
			return nil, false, nil
		}
		v = s.members[i]
	case "group":
		i := slices.IndexFunc(s.groups, func(g group) bool { return params["ref"] == g.UUID || params["ref"] == g.ID })
		if i < 0 {
			return nil, false, nil
		}
		v = s.groups[i]
	}
	body, err := json.Marshal(v)
	return body, true, err
}

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func privacyWord(private bool) string {
	return map[bool]string{true: "private", false: "public"}[private]
}

func parseTime(t testing.TB, text string) time.Time {
	if text == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Errorf("the dashboard asks with the time %q", text)
	}
	return at
}

func (s *fakeSystem) fronters(at time.Time) any {
	var now *fakeSwitch
	since := map[int]int64{} // since when each member has been in it
	for i, w := range s.switches {
		if at.IsZero() || !w.at.After(at) {
			now = &s.switches[i]
			before := since
			since = map[int]int64{}
			for _, m := range w.members {
				since[m] = w.at.UnixMicro()
				if us, ran := before[m]; ran {
					since[m] = us
				}
			}
		}
	}
	if now == nil {
		return map[string]any{"switch_uuid": nil, "since_us": nil, "members": []member{}}
	}
	members := s.of(*now)
	for i, m := range now.members {
		members[i].SinceUS = since[m]
	}
	return map[string]any{"switch_uuid": now.at.String(), "since_us": now.at.UnixMicro(), "members": members}
}

func (s *fakeSystem) of(w fakeSwitch) []member {
	out := []member{}
	for _, i := range w.members {
		out = append(out, s.members[i])
	}
	return out
}

func (s *fakeSystem) timeline(t testing.TB, params map[string]string) any {
	limit, err := strconv.Atoi(params["limit"])
	if err != nil || limit < 1 || limit > 1000 {
		t.Errorf("the dashboard asks for %q switches", params["limit"])
	}
	before, after := parseTime(t, params["before"]), parseTime(t, params["after"])
	out := []map[string]any{}
	for i, w := range slices.Backward(s.switches) {
		var ended any
		if i+1 < len(s.switches) {
			if end := s.switches[i+1].at; !after.IsZero() && !end.After(after) {
				break
			}
			ended = s.switches[i+1].at
		}
		if before.IsZero() || w.at.Before(before) {
			out = append(out, map[string]any{"switch_uuid": w.at.String(), "started": w.at, "ended": ended, "members": s.of(w)})
		}
		if len(out) == limit {
			break
		}
	}
	return out
}

// stats are front times by members alone, in the shape of the real answer.
func (s *fakeSystem) stats() any {
	var a statsAnswer
	a.To = noon
	if len(s.switches) > 0 {
		a.KnownFrom = s.switches[0].at
	} else {
		a.KnownFrom = a.To
	}
	of := map[int]float64{}
	for i, w := range s.switches {
		end := noon
		if i+1 < len(s.switches) {
			end = s.switches[i+1].at
		}
		for _, m := range w.members {
			of[m] += end.Sub(w.at).Seconds()
			a.HoursSeconds[(int(w.at.Weekday())+6)%7][w.at.Hour()] += end.Sub(w.at).Seconds()
		}
	}
	members := []map[string]any{}
	for i, m := range s.members {
		if of[i] > 0 {
			members = append(members, map[string]any{"uuid": m.UUID, "name": m.Name, "display_name": orNull(m.DisplayName), "color": orNull(m.Color),
				"sessions": 1, "total_seconds": of[i], "average_seconds": of[i], "longest_seconds": of[i], "share": 12.5})
		}
	}
	pairs := []map[string]any{}
	if len(members) > 1 {
		pairs = append(pairs, map[string]any{"members": members[:2], "total_seconds": 90.0})
	}
	return map[string]any{"known_from": a.KnownFrom, "to": a.To, "fronted_seconds": 3600.0, "nobody_seconds": 0, "switches": len(s.switches),
		"switches_a_day": 1.5, "members": members, "pairs": pairs, "hours_seconds": a.HoursSeconds}
}

// change lets something happen to a system, and tells the dashboard.
func (b *bench) change(system string, change func(*fakeSystem)) {
	b.store.mu.Lock()
	change(b.store.at[system])
	b.store.mu.Unlock()
	b.h.Changed(system)
}

// people makes members of these names.
func people(names ...string) []member {
	var all []member
	for i, name := range names {
		m := member{UUID: fmt.Sprintf("aaaaaaaa-0000-4000-8000-%012d", i), ID: fmt.Sprintf("m%04d", i), Name: name,
			Color: []string{"", "3b82f6", "f59e0b", "10b981", "ffffff", "000000"}[i%6], Created: "2025-01-02T03:04:05.000000Z"}
		if i%2 == 0 {
			m.Pronouns = "they/them"
		}
		all = append(all, m)
	}
	return all
}

// bench is a dashboard on a socket.
type bench struct {
	t     testing.TB
	h     *Handler
	store *fakeStore
	url   string
	local bool // requests come from this machine

	mu  sync.Mutex // guards what follows
	now time.Time
	bad map[[32]byte]bool // tokens that were revoked
}

func newBench(t testing.TB, c Config) *bench {
	b := &bench{t: t, local: true, now: noon, bad: map[[32]byte]bool{}}
	b.store = &fakeStore{t: t, at: map[string]*fakeSystem{
		systemOne: {name: "Harbour", members: people("Alder", "Birch", "Cedar"), switches: []fakeSwitch{
			{noon.Add(-30 * time.Hour), []int{2}},
			{noon.Add(-5 * time.Hour), []int{0}},
			{noon.Add(-2 * time.Hour), []int{0, 1}},
		}},
		systemTwo: {name: "Meadow", members: people("Dune"), switches: []fakeSwitch{{noon.Add(-time.Hour), []int{0}}}},
	}}
	c.Store, c.Systems, c.Events = b.store, b.systems, b.events
	if c.Operator == nil {
		c.Operator = &fakeOperator{}
	}
	if c.Documents == nil {
		c.Documents = fstest.MapFS{"README.md": {Data: []byte("# Read me\n\nA [design](DESIGN.md#laws), a [licence](LICENSE), <b>bold</b>.\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n")}, "DESIGN.md": {Data: []byte("# Design\n")}}
	}
	c.Reader = b.reader
	c.Local = func(*http.Request) bool { return b.local }
	c.Now = func() time.Time {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.now
	}
	done := make(chan struct{})
	c.Done = done
	b.h = New(c)
	server := httptest.NewServer(b.h)
	b.url = server.URL
	t.Cleanup(func() {
		close(done)
		server.Close()
	})
	return b
}

// events are of the switches of a system.
func (b *bench) events(_ context.Context, system string, before uint64, limit int) ([]Event, error) {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	var all []Event
	s := b.store.at[system]
	for i := range s.switches {
		seq := uint64(len(s.switches) - i)
		if before == 0 || seq < before {
			e := Event{Seq: seq, Time: s.switches[seq-1].at, Type: "me.pluralkit.member.update", Origin: "webhook", Data: json.RawMessage(`{"id":"x"}`)}
			if len(s.members) > 0 {
				e.Subject = s.members[0].UUID
				e.Data, _ = json.Marshal(map[string]string{"name": s.members[0].Name}) // of text there is always JSON
			}
			all = append(all, e)
		}
		if len(all) == limit {
			break
		}
	}
	return all, nil
}

// fakeOperator is a server with a source, a webhook and a reader.
type fakeOperator struct {
	name    string // others' text, in all of them
	added   []Access
	revoked []string
}

func (f *fakeOperator) Sources(context.Context) ([]Source, error) {
	return []Source{{Kind: "pluralkit", Name: f.name, Tenant: systemOne, URL: "http://127.0.0.1:8080/in/pluralkit", LastEvent: noon.Add(-time.Hour), Coverage: "97 %", State: "ok", Notes: []string{f.name}},
		{Kind: "standard", Name: "shop"}}, nil
}
func (f *fakeOperator) Problems(context.Context) []string {
	return []string{"the log is away " + f.name}
}
func (f *fakeOperator) Webhooks(context.Context) ([]Webhook, error) {
	return []Webhook{{ID: "w1", Name: f.name, Provider: "discord", URL: "https://example.com/***", Events: []string{"front.changed", f.name}, Enabled: true, Reason: f.name}}, nil
}
func (f *fakeOperator) Deliveries(context.Context, string) ([]Delivery, error) {
	return []Delivery{{ID: "d1", Event: "front.changed", Status: "failed", Created: noon.Add(-time.Hour), Attempts: 3, Answer: f.name}}, nil
}
func (f *fakeOperator) TestWebhook(context.Context, string) (string, error) {
	return "It answered 200.", nil
}
func (f *fakeOperator) RetryDelivery(context.Context, string, string) (string, error) {
	return "It answered 500. " + f.name, nil
}
func (f *fakeOperator) Readers(context.Context) ([]Access, error) {
	return []Access{{Name: "anna", System: systemOne, Expires: noon.Add(240 * time.Hour)}, {Name: "overlay", System: systemOne, Public: true}, {Name: "all"}}, nil
}
func (f *fakeOperator) AddReader(_ context.Context, a Access) (string, error) {
	if a.Name == "taken" {
		return "", Refused("There is a reader of this name.")
	}
	f.added = append(f.added, a)
	return "new-token-of-" + a.Name, nil
}
func (f *fakeOperator) RevokeReader(_ context.Context, name string) error {
	f.revoked = append(f.revoked, name)
	return nil
}

func (b *bench) systems(context.Context, int) ([]System, error) {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	var all []System
	for uuid, s := range b.store.at {
		all = append(all, System{UUID: uuid, Name: s.name})
	}
	slices.SortFunc(all, func(x, y System) int { return strings.Compare(x.UUID, y.UUID) })
	return all, nil
}

func (b *bench) reader(hash [32]byte) (Reader, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for token, r := range map[string]Reader{
		operatorToken: {Name: "admin", Operator: true},
		annaToken:     {Name: "anna", System: systemOne},
		publicToken:   {Name: "overlay", System: systemOne, Public: true},
	} {
		if sha256.Sum256([]byte(token)) == hash && !b.bad[hash] {
			return r, true
		}
	}
	return Reader{}, false
}

func (b *bench) revoke(token string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bad[sha256.Sum256([]byte(token))] = true
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

// client is a client with cookies that does not follow redirects.
func (b *bench) client() *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// signedIn is a client that has signed in.
func (b *bench) signedIn(token string) *http.Client {
	b.t.Helper()
	c := b.client()
	if res, _ := b.post(c, "/ui/sign-in", "token", token); res.StatusCode != http.StatusSeeOther {
		b.t.Fatalf("sign in: status %d", res.StatusCode)
	}
	return c
}

func (b *bench) get(c *http.Client, path string) (*http.Response, string) {
	b.t.Helper()
	return b.do(c, "GET", path, nil)
}

// post sends a form with these fields, names and values in turns.
func (b *bench) post(c *http.Client, path string, fields ...string) (*http.Response, string) {
	b.t.Helper()
	return b.do(c, "POST", path, strings.NewReader(encode(fields...)))
}

// encode makes a form of names and values in turns.
func encode(fields ...string) string {
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return form.Encode()
}

func (b *bench) do(c *http.Client, method, path string, body io.Reader, header ...string) (*http.Response, string) {
	b.t.Helper()
	req, err := http.NewRequest(method, b.url+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := c.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	res.Body.Close()
	return res, string(text)
}
