package test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"switchlog/schemas"
)

// doing is an operation of a history: one append, or what was seen of the log.
type doing struct {
	tenant string

	append bool
	id     string // of an append
	sure   bool   // it was answered 200

	// Of a look: the ids that it gave, in order. A replay gives all there are;
	// a subscription gives one after another.
	ids []string
	all bool

	at int // where its event, or the first of them, stands in the tenant's log; holdAgainstModel finds it

	call, end int64 // ns
}

// told is what clients did and saw, by the clock of the test.
type told struct {
	mu    sync.Mutex
	began time.Time
	ops   []doing
}

func (h *told) now() int64 { return time.Since(h.began).Nanoseconds() }

func (h *told) add(d doing) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, d)
}

// The model is an append-only list for each tenant. Its state is how long the
// list is: what stands where is fixed by the log at the end, and every look is
// held against that first.
var appendOnly = porcupine.Model{
	Partition: func(ops []porcupine.Operation) (parts [][]porcupine.Operation) {
		by := map[string][]porcupine.Operation{}
		for _, op := range ops {
			tenant := op.Input.(doing).tenant
			by[tenant] = append(by[tenant], op)
		}
		for _, part := range by {
			parts = append(parts, part)
		}
		return parts
	},
	Init: func() any { return 0 },
	Step: func(state, input, _ any) (bool, any) {
		length, d := state.(int), input.(doing)
		switch {
		case d.append:
			return d.at == length, length + 1
		case d.all:
			return d.at+len(d.ids) == length, length
		}
		return d.at+len(d.ids) <= length, length
	},
}

// holdAgainstModel holds a history against the model: final is each tenant's log.
//
// Two histories are checked. Of the appends alone, each takes place between
// its call and its answer, the unsure at any time after their call: so the log
// has the order in which they were accepted. Of the appends and the looks, an
// append takes place at any time after its call, since a 200 says that it is
// durable and not that it is in the log: so nothing is seen before it was sent,
// and what was seen stays.
func holdAgainstModel(ops []doing, final map[string][]string) error {
	at := map[string]int{}
	for tenant, ids := range final {
		for i, id := range ids {
			if _, twice := at[tenant+id]; twice {
				return fmt.Errorf("%s is in the log twice", id)
			}
			at[tenant+id] = i
		}
	}
	stood := maps.Clone(at)
	var accepted, seen []porcupine.Operation
	for i, d := range ops {
		op := porcupine.Operation{ClientId: i, Call: d.call, Return: d.end}
		if d.append {
			var there bool
			if d.at, there = at[d.tenant+d.id]; !there {
				if d.sure {
					return fmt.Errorf("%s was accepted and is not in the log", d.id)
				}
				continue
			}
			delete(at, d.tenant+d.id)
			op.Input = d
			late := op
			late.Return = math.MaxInt64
			seen = append(seen, late)
			if !d.sure {
				op = late
			}
			accepted = append(accepted, op)
			continue
		}
		if !d.all {
			d.at = stood[d.tenant+d.ids[0]]
		}
		if ids := final[d.tenant]; d.at+len(d.ids) > len(ids) || !slices.Equal(d.ids, ids[d.at:d.at+len(d.ids)]) {
			return fmt.Errorf("a look saw %d events from %d on that the log does not have so", len(d.ids), d.at)
		}
		op.Input = d
		seen = append(seen, op)
	}
	if len(at) > 0 {
		return fmt.Errorf("%d events are in the log that nobody sent", len(at))
	}
	for name, ops := range map[string][]porcupine.Operation{"the order of acceptance": accepted, "what was seen": seen} {
		if got := porcupine.CheckOperationsTimeout(appendOnly, ops, time.Minute); got != porcupine.Ok {
			return fmt.Errorf("%s: the model says %s", name, got)
		}
	}
	return nil
}

// TestLaw1Model has clients of two tenants append, replay and subscribe while
// the server is killed, and holds what they were answered and saw against the
// model of an append-only list.
func TestLaw1Model(t *testing.T) {
	s := start(t, t.TempDir())
	s.addPluralKit()
	tokens := map[string]string{sampleSystem: sampleToken, uuid.NewString(): s.newSecret()}
	for system, token := range tokens {
		if system != sampleSystem {
			s.cli(token+"\n", "source", "add", "pluralkit", "other", "--token-file", "-", "--system", system)
		}
	}
	h := &told{began: time.Now()}
	random := rand.New(rand.NewPCG(uint64(h.began.UnixNano()), 0))
	for range rounds(3, 100) {
		round(t, s, h, tokens, 60+random.IntN(60))
		s.kill()
		s.start()
		s.ready()
	}
	final := map[string][]string{}
	for _, m := range Check(s) {
		for system := range tokens {
			if id, ok := strings.CutPrefix(m.MsgID, "pluralkit/"+system+"/create_switch."); ok {
				final[system] = append(final[system], id)
			}
		}
	}
	if err := holdAgainstModel(h.ops, final); err != nil {
		t.Errorf("Law 1: %v", err)
	}
	appends, looks := 0, 0
	for _, d := range h.ops {
		if d.append {
			appends++
		} else {
			looks++
		}
	}
	t.Logf("%d appends and %d looks are as the model says", appends, looks)
	if looks < 3 {
		t.Errorf("got %d looks, want some", looks)
	}
	doctored(t, h.ops, final)
}

// round runs clients until so many appends were answered, then kills the
// server under them.
func round(t *testing.T, s *server, h *told, tokens map[string]string, want int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	answered := make(chan struct{}, 1<<16)
	public, private, admin := s.Public+"/in/pluralkit", s.Private, s.token()
	for system, token := range tokens {
		for range 3 {
			clients.Go(func() {
				for ctx.Err() == nil {
					d := doing{tenant: system, append: true, id: uuid.NewString(), call: h.now()}
					body := string(switchBody(d.id, time.Now()))
					body = strings.NewReplacer(sampleSystem, system, sampleToken, token).Replace(body)
					status, err := postTo(public, []byte(body))
					d.sure, d.end = err == nil && status == http.StatusOK, h.now()
					h.add(d)
					if err != nil {
						return
					}
					answered <- struct{}{}
				}
			})
		}
		clients.Go(func() {
			for ctx.Err() == nil {
				d := doing{tenant: system, all: true, call: h.now()}
				var err error
				if d.ids, err = replayed(ctx, private, admin, system); err != nil {
					return
				}
				d.end = h.now()
				h.add(d)
			}
		})
	}
	nc := s.admin()
	for system := range tokens {
		sub, err := nc.SubscribeSync("events.pluralkit." + system + ".switch.create")
		if err == nil {
			err = nc.Flush()
		}
		if err != nil {
			t.Fatal(err)
		}
		clients.Go(func() { h.subscriber(ctx, system, sub) })
	}
	for range want {
		select {
		case <-answered:
		case <-time.After(startWithin):
			t.Error("the clients got no answers")
		}
	}
	s.kill()
	cancel()
	clients.Wait()
}

// subscriber notes each event that comes, and that nothing is missing between
// them.
func (h *told) subscriber(ctx context.Context, system string, sub *nats.Subscription) {
	d := doing{tenant: system, call: h.now()}
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			break
		}
		id, err := switchOf(m.Data)
		if err != nil {
			id = err.Error() // which no log has
		}
		d.end = h.now()
		d.ids = append(d.ids, id)
		h.add(doing{tenant: system, ids: []string{id}, call: d.end, end: d.end})
	}
	if len(d.ids) > 0 {
		h.add(d)
	}
}

// switchOf is the id of the switch that an event is about.
func switchOf(body []byte) (string, error) {
	var e struct{ ID, Type string }
	if err := json.Unmarshal(body, &e); err != nil {
		return "", err
	}
	id, ok := strings.CutPrefix(e.ID, "create_switch.")
	if !ok {
		return "", fmt.Errorf("no switch: %s", e.ID)
	}
	return id, nil
}

// replayed reads a tenant's log over HTTP, to its end.
func replayed(ctx context.Context, private, admin, system string) (ids []string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, private+"/api/admin/replay?tenant="+system+"&type="+schemas.PKSwitchCreate, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+admin)
	res, err := patient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for whole := false; !whole; {
		if !lines.Scan() {
			return nil, errors.Join(lines.Err(), errors.New("the replay was cut short"))
		}
		if whole = len(lines.Bytes()) == 0; whole {
			break
		}
		id, err := switchOf(lines.Bytes())
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// doctored spoils the history in each way that a broken server would, and
// wants it to be seen.
func doctored(t *testing.T, ops []doing, final map[string][]string) {
	t.Helper()
	ids := final[sampleSystem]
	changed := func(change func([]string) []string) map[string][]string {
		all := maps.Clone(final)
		all[sampleSystem] = change(slices.Clone(ids))
		return all
	}
	appendsOnly := slices.DeleteFunc(slices.Clone(ops), func(d doing) bool { return !d.append })
	sure := slices.IndexFunc(ops, func(d doing) bool { return d.append && d.sure && d.tenant == sampleSystem })
	early := slices.Clone(ops)
	early = append(early, doing{tenant: sampleSystem, ids: ids[len(ids)-1:], call: -1, end: 0})
	back := append(slices.Clone(ops), doing{tenant: sampleSystem, all: true, ids: ids[:1], call: math.MaxInt64 - 2, end: math.MaxInt64 - 1},
		doing{tenant: sampleSystem, all: true, ids: ids, call: math.MaxInt64 - 4, end: math.MaxInt64 - 3})
	for _, c := range []struct {
		name  string
		ops   []doing
		final map[string][]string
	}{
		{"the first and the last are exchanged", appendsOnly, changed(func(ids []string) []string {
			ids[0], ids[len(ids)-1] = ids[len(ids)-1], ids[0]
			return ids
		})},
		{"one is there twice", ops, changed(func(ids []string) []string { return append(ids, ids[0]) })},
		{"one that was accepted is gone", ops, changed(func(all []string) []string {
			return slices.DeleteFunc(all, func(id string) bool { return id == ops[sure].id })
		})},
		{"one that nobody sent", ops, changed(func(ids []string) []string { return append(ids, "x") })},
		{"a look sees one before it was sent", early, final},
		{"a look sees less than one before it", back, final},
	} {
		if holdAgainstModel(c.ops, c.final) == nil {
			t.Errorf("%s: got nothing wrong, want it to be seen", c.name)
		}
	}
}
