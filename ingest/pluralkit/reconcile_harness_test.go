package pluralkit

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"switchlog/schemas"
	"switchlog/test/fakepk"
)

// A notebook keeps what was observed, and nothing of webhooks: what is held is
// exactly what the reconciler has said. It checks each event by its schema's
// types, and that what is appended could be stored.
type notebook struct {
	t  *testing.T
	mu sync.Mutex // guards what follows

	held     schemas.Held
	switches map[string]schemas.HeldSwitch
	entities map[string]map[string]schemas.HeldEntity // by noun; by id and server
	events   []schemas.Event                          // but those of the source
	states   []State                                  // of the source, each as an event told it
	refuse   int                                      // appends that are let through before the next is refused; negative: all are
	aside    func(schemas.Event) bool                 // events that the fold sets aside; nil: none
}

var errNoRoom = errors.New("no room")

func newNotebook(t *testing.T) *notebook {
	return &notebook{t: t, switches: map[string]schemas.HeldSwitch{}, entities: map[string]map[string]schemas.HeldEntity{}, refuse: -1}
}

func (n *notebook) Append(_ context.Context, events ...schemas.Event) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.refuse == 0 {
		return 0, errNoRoom
	}
	n.refuse--
	for _, e := range events {
		e.Time = time.Now().UTC()
		if _, err := e.Message(); err != nil {
			n.t.Errorf("got an event that cannot be stored: %v", err)
		}
		if strings.Contains(string(e.Data), "webhook_url") || e.Origin != schemas.OriginAPI {
			n.t.Errorf("got a secret, or another origin, in %s", e.Data)
		}
		if n.aside == nil || !n.aside(e) {
			n.fold(e)
		}
		if e.Type != schemas.SourceObserved {
			n.events = append(n.events, e)
		}
	}
	return len(events), nil
}

func (n *notebook) fold(e schemas.Event) {
	noun := e.Route.Noun
	var o schemas.Observed
	if err := json.Unmarshal(e.Data, &o); err != nil {
		n.t.Fatal(err)
	}
	us, err := schemas.ParseTime(o.Asked)
	if err != nil {
		n.t.Fatal(err)
	}
	gone := e.Route.Verb == "absent"
	if noun == "source" {
		state, err := o.Object.Text("state")
		if _, unknown := schemas.NewSourceReport(State(state), us); err != nil || unknown != nil || n.held.Source == State(state) {
			n.t.Errorf("got %s after %s, want another state", e.Data, n.held.Source)
		}
		n.held.Source = State(state)
		n.states = append(n.states, n.held.Source)
		return
	}
	if noun == "switch" {
		n.foldSwitch(e, o.Object, us, gone)
		return
	}
	guild, _ := o.Object.Text("guild_id")
	if gone {
		var a schemas.Absent
		if err := json.Unmarshal(e.Data, &a); err != nil {
			n.t.Fatal(err)
		}
		guild = a.Guild
	}
	n.put(noun, schemas.HeldEntity{ID: e.Subject, Guild: guild, Object: o.Object, Gone: gone, TouchedUS: us})
}

func (n *notebook) put(noun string, h schemas.HeldEntity) {
	if n.entities[noun] == nil {
		n.entities[noun] = map[string]schemas.HeldEntity{}
	}
	n.entities[noun][h.ID+"/"+h.Guild] = h
}

func (n *notebook) foldSwitch(e schemas.Event, o schemas.Object, us int64, gone bool) {
	h := n.switches[e.Subject]
	h.ID, h.Gone, h.Listed, h.TouchedUS = e.Subject, gone, !gone, us
	if !gone {
		at, ok := micros(o["timestamp"])
		if !ok || json.Unmarshal(o["members"], &h.Members) != nil {
			n.t.Fatalf("got the switch %v", o)
		}
		h.TimestampUS, h.Ordered = &at, true
	}
	n.switches[e.Subject] = h
}

func (n *notebook) Held(context.Context, string) (schemas.Held, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.held
	for _, key := range slices.Sorted(maps.Keys(n.entities["system"])) {
		s := n.entities["system"][key]
		h.System = &s
	}
	for _, key := range slices.Sorted(maps.Keys(n.entities["settings"])) {
		s := n.entities["settings"][key]
		h.Settings = &s
	}
	for noun, list := range map[string]*[]schemas.HeldEntity{"member": &h.Members, "group": &h.Groups, "account": &h.Accounts,
		"system_guild": &h.SystemGuilds, "member_guild": &h.MemberGuilds, "autoproxy": &h.Autoproxy} {
		for _, key := range slices.Sorted(maps.Keys(n.entities[noun])) {
			*list = append(*list, n.entities[noun][key])
		}
	}
	return h, nil
}

func (n *notebook) HeldSwitches(_ context.Context, _ string, beforeUS int64, beforeID string, limit int) (list []schemas.HeldSwitch, _ error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, h := range n.switches {
		if h.Listed && (*h.TimestampUS < beforeUS || *h.TimestampUS == beforeUS && id < beforeID) {
			list = append(list, h)
		}
	}
	slices.SortFunc(list, func(a, b schemas.HeldSwitch) int {
		return cmp.Or(cmp.Compare(*b.TimestampUS, *a.TimestampUS), cmp.Compare(b.ID, a.ID))
	})
	return list[:min(limit, len(list))], nil
}

func (n *notebook) HeldSwitchesByID(_ context.Context, _ string, ids []string) (list []schemas.HeldSwitch, _ error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, id := range ids {
		if h, known := n.switches[id]; known {
			list = append(list, h)
		}
	}
	return list, nil
}

func (n *notebook) UnlistedSwitches(_ context.Context, _, after string, limit int) (list []schemas.HeldSwitch, _ error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(n.switches)) {
		if h := n.switches[id]; id > after && !h.Listed && !h.Gone && !h.StandIn && len(list) < limit {
			list = append(list, h)
		}
	}
	return list, nil
}

// A reconciling is a setting with a reconciler and a notebook.
type reconciling struct {
	*setting
	*Reconciler
	book *notebook
}

func (s *setting) reconciler(change func(*ReconcilerConfig)) *reconciling {
	s.t.Helper()
	book := newNotebook(s.t)
	c := ReconcilerConfig{System: s.sys.UUID(), Client: s.Client, Known: book, Append: book, Log: s.slog}
	change(&c)
	r := must[*Reconciler](s.t)(NewReconciler(c))
	return &reconciling{s, r, book}
}

// reconcileIn runs f with a world whose time is the bubble's: events and
// answers are of the same clock.
func reconcileIn(t *testing.T, c fakepk.APIConfig, f func(*testing.T, *reconciling)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		later(NewYear)
		w := fakepk.New(t, fakepk.Config{Now: time.Now})
		sys, err := w.CreateSystem(account, fakepk.Fields{"name": "Harbour House"})
		w.Must(err)
		if c.Strict == (fakepk.Strict{}) {
			c.Strict = strictly
		}
		s := newSetting(t, w, sys, c)
		_, err = sys.SetWebhook("https://hooks.example.org/in/pluralkit")
		w.Must(err)
		f(t, s.reconciler(func(*ReconcilerConfig) {}))
	})
}

func later(d time.Duration) { time.Sleep(d) }

// look reconciles and fails on an error.
func (r *reconciling) look(d Depth) Report {
	r.t.Helper()
	later(10 * time.Second) // beyond the margin of what was said before
	return must[Report](r.t)(r.Reconcile(r.t.Context(), d, false))
}

// converged checks that what is held is what is true, and that a second look
// says nothing.
func (r *reconciling) converged(d Depth) {
	r.t.Helper()
	for _, line := range r.wrong() {
		r.t.Errorf("after reconciliation: %s", line)
	}
	if again := r.look(d); again.Emitted != 0 || len(again.Deferred) != 0 {
		r.t.Errorf("a second look: got %s%v, want nothing", again, again.Differences)
	}
}

func (r *reconciling) wrong() []string {
	r.t.Helper()
	held := must[schemas.Held](r.t)(r.book.Held(r.t.Context(), r.sys.UUID()))
	r.book.mu.Lock()
	defer r.book.mu.Unlock()
	var switches []schemas.HeldSwitch
	for _, s := range r.book.switches {
		switches = append(switches, s)
	}
	return stateOf(r.t, held, switches).Diff(comparable(r.world.Truth(r.sys)))
}

// stateOf is what is held, as the world writes its truth.
func stateOf(t *testing.T, held schemas.Held, switches []schemas.HeldSwitch) fakepk.State {
	t.Helper()
	s := fakepk.State{Members: map[string]fakepk.Fields{}, Groups: map[string]fakepk.Fields{}, GroupMembers: map[string][]string{},
		Switches: map[string]fakepk.Switch{}, Accounts: map[string]bool{}, Guilds: map[string]fakepk.Fields{},
		MemberGuilds: map[string]map[string]fakepk.Fields{}, Autoproxy: map[string]fakepk.Fields{}}
	if held.System != nil {
		if held.System.Gone {
			return fakepk.State{Gone: true}
		}
		s.System = fields(t, held.System.Object)
	}
	if held.Settings != nil {
		s.Settings = fields(t, held.Settings.Object)
	}
	there := func(list []schemas.HeldEntity, f func(schemas.HeldEntity, fakepk.Fields)) {
		for _, h := range list {
			if !h.Gone {
				f(h, fields(t, h.Object))
			}
		}
	}
	there(held.Members, func(h schemas.HeldEntity, f fakepk.Fields) { s.Members[h.ID] = f })
	there(held.Groups, func(h schemas.HeldEntity, f fakepk.Fields) {
		list, _ := f["members"].([]any)
		for _, m := range list {
			s.GroupMembers[h.ID] = append(s.GroupMembers[h.ID], m.(string))
		}
		delete(f, "members")
		s.Groups[h.ID] = f
	})
	there(held.SystemGuilds, func(h schemas.HeldEntity, f fakepk.Fields) { s.Guilds[h.Guild] = f })
	there(held.MemberGuilds, func(h schemas.HeldEntity, f fakepk.Fields) {
		if s.MemberGuilds[h.ID] == nil {
			s.MemberGuilds[h.ID] = map[string]fakepk.Fields{}
		}
		s.MemberGuilds[h.ID][h.Guild] = f
	})
	there(held.Autoproxy, func(h schemas.HeldEntity, f fakepk.Fields) {
		delete(f, "channel_id")
		s.Autoproxy[h.Guild] = f
	})
	there(held.Accounts, func(h schemas.HeldEntity, _ fakepk.Fields) { s.Accounts[h.ID] = true })
	for _, w := range switches {
		if w.Listed {
			s.Switches[w.ID] = fakepk.Switch{Timestamp: stampOf(*w.TimestampUS), Members: append([]string{}, w.Members...)}
		}
	}
	return comparable(s)
}

// comparable is a state less what the API does not tell, in one spelling.
func comparable(s fakepk.State) fakepk.State {
	s = s.Canonical()
	s.Messages = nil
	for id := range s.Accounts {
		s.Accounts[id] = true // whether autoproxy works for it cannot be asked for
	}
	delete(s.System, "webhook_url")
	delete(s.Settings, "card_show_color_hex")
	if s.Settings != nil && s.Settings["name_format"] == nil {
		s.Settings["name_format"] = defaultNameFormat
	}
	entities := []fakepk.Fields{s.System}
	entities = slices.AppendSeq(entities, maps.Values(s.Members))
	entities = slices.AppendSeq(entities, maps.Values(s.Groups))
	entities = slices.AppendSeq(entities, maps.Values(s.Guilds))
	for _, f := range s.MemberGuilds {
		entities = slices.AppendSeq(entities, maps.Values(f))
	}
	entities = slices.AppendSeq(entities, maps.Values(s.Autoproxy))
	for _, f := range entities {
		delete(f, "guild_id")
		for name, v := range f {
			if imageFields[name] {
				f[name] = image(v)
			}
			text, isText := v.(string)
			if at := strings.HasSuffix(name, "timestamp") || name == "created"; isText && at {
				us, err := schemas.ParseTime(text)
				if err != nil {
					panic(err)
				}
				f[name] = stampOf(us)
			}
		}
	}
	for id, w := range s.Switches {
		us, err := schemas.ParseTime(w.Timestamp)
		if err != nil {
			panic(err)
		}
		w.Timestamp = stampOf(us)
		s.Switches[id] = w
	}
	for _, f := range s.Autoproxy {
		if f["autoproxy_mode"] == "front" {
			delete(f, "autoproxy_member")
		}
	}
	return s
}

func stampOf(us int64) string { return schemas.FormatTime(time.UnixMicro(us)) }

func fields(t *testing.T, o schemas.Object) (f fakepk.Fields) {
	t.Helper()
	b, err := json.Marshal(o)
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func held(id string) schemas.HeldEntity { return schemas.HeldEntity{ID: id} }
