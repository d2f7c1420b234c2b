package pluralkit

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"switchlog/schemas"
)

// importNotes keeps what was imported, and holds it.
type importNotes struct {
	t        *testing.T
	held     schemas.Held
	switches []schemas.HeldSwitch
	ids      map[string]bool
	events   []schemas.Event
	refuse   int // this append is refused; 0: none is
	appends  int
}

func (n *importNotes) Append(_ context.Context, events ...schemas.Event) (fresh int, err error) {
	if n.appends++; n.appends == n.refuse {
		return 0, errNoRoom
	}
	for _, e := range events {
		if e.Repeats == 0 || e.Origin != schemas.OriginImport || e.Route.Verb != "imported" || !e.Time.IsZero() {
			n.t.Fatalf("got %+v", e)
		}
		if n.ids == nil {
			n.ids = map[string]bool{}
		}
		if n.ids[e.ID] {
			continue
		}
		n.ids[e.ID] = true
		e.Time = time.Now().UTC()
		if _, err := e.Message(); err != nil {
			n.t.Fatalf("got an event that cannot be stored: %v", err)
		}
		o, err := schemas.Decode[schemas.Observed](e)
		if err != nil || strings.Contains(string(e.Data), "webhook_url") {
			n.t.Fatalf("got %s, %v", e.Data, err)
		}
		n.events = append(n.events, e)
		fresh++
		n.hold(e, o)
	}
	return fresh, nil
}

func (n *importNotes) hold(e schemas.Event, o schemas.Observed) {
	h := schemas.HeldEntity{ID: e.Subject, Object: o.Object}
	switch e.Type {
	case schemas.MemberImported:
		n.held.Members = append(n.held.Members, h)
	case schemas.GroupImported:
		n.held.Groups = append(n.held.Groups, h)
	case schemas.AccountImported:
		n.held.Accounts = append(n.held.Accounts, h)
	case schemas.SwitchImported:
		at, ok := micros(o.Object["timestamp"])
		s := schemas.HeldSwitch{ID: e.Subject, TimestampUS: &at, StandIn: true, Listed: true}
		if !ok || json.Unmarshal(o.Object["members"], &s.Members) != nil {
			n.t.Fatalf("got %s", e.Data)
		}
		n.switches = append(n.switches, s)
	}
}

func (n *importNotes) Held(context.Context, string) (schemas.Held, error) { return n.held, nil }

func (n *importNotes) HeldSwitches(_ context.Context, _ string, beforeUS int64, beforeID string, limit int) (list []schemas.HeldSwitch, _ error) {
	for _, s := range n.switches {
		if *s.TimestampUS < beforeUS || *s.TimestampUS == beforeUS && s.ID < beforeID {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b schemas.HeldSwitch) int {
		return cmp.Or(cmp.Compare(*b.TimestampUS, *a.TimestampUS), strings.Compare(b.ID, a.ID))
	})
	return list[:min(limit, len(list))], nil
}

func (n *importNotes) HeldSwitchesByID(context.Context, string, []string) ([]schemas.HeldSwitch, error) {
	return nil, nil
}

func (n *importNotes) UnlistedSwitches(context.Context, string, string, int) ([]schemas.HeldSwitch, error) {
	return nil, nil
}

func (n *importNotes) take(x *Export) (Imported, error) {
	return Import(n.t.Context(), ImportConfig{System: exportSystem, Known: n, Append: n}, x)
}

// bigExport has members, groups, and switches enough for many batches.
func bigExport(switches int) string {
	var b strings.Builder
	for n := range switches {
		fmt.Fprintf(&b, `,{"timestamp":"2024-01-01T%02d:%02d:%02dZ","members":[%s]}`, n/3600, n/60%60, n%60, []string{`"aaaaa"`, `"bbbbb","aaaaa"`, ``}[n%3])
	}
	return `{"version":2,"id":"kfazoe","uuid":"` + exportSystem + `","name":"Harbour House","webhook_url":"https://example.org/hook",
"config":{"timezone":"UTC"},"accounts":[1150000000000000003],
"members":[{"id":"aaaaa","uuid":"0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1","name":"A"},{"id":"bbbbb","uuid":"2ea8f0b4-7b3c-4d69-a8f1-4a6b9d2e3f73","name":"B"}],
"groups":[{"id":"ggggg","uuid":"a1d0c3e5-9e8f-4a7b-8c6d-5e4f3a2b1c90","name":"G","members":["bbbbb","aaaaa"]}],
"switches":[` + b.String()[1:] + `]}`
}

// TestImport: each thing is one event; once more, there is nothing to say; and
// what was cut short at any append is completed by another import.
func TestImport(t *testing.T) {
	file := bigExport(1300)
	whole := &importNotes{t: t}
	got, err := whole.take(parse(t, file))
	if err != nil {
		t.Fatal(err)
	}
	want := Imported{AsOf: time.Date(2024, 1, 1, 0, 21, 39, 0, time.UTC), Members: ImportedKind{2, 2, 0, 0}, Groups: ImportedKind{1, 1, 0, 0},
		Switches: ImportedKind{1300, 1300, 0, 0}, Accounts: ImportedKind{1, 1, 0, 0}, Events: 1306}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if list := string(whole.held.Groups[0].Object["members"]); list != `["0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1","2ea8f0b4-7b3c-4d69-a8f1-4a6b9d2e3f73"]` {
		t.Errorf("got the group's members %s", list)
	}
	got, err = whole.take(parse(t, file))
	if err != nil || got.Events != 0 || got.Members.Known != 2 || got.Switches.Known != 1300 || len(whole.events) != 1306 {
		t.Errorf("once more: got %+v, %v", got, err)
	}
	for cut := 1; cut <= 4; cut++ {
		n := &importNotes{t: t, refuse: cut}
		if _, err := n.take(parse(t, file)); !errors.Is(err, errNoRoom) {
			t.Fatalf("cut at %d: got %v", cut, err)
		}
		if _, err := n.take(parse(t, file)); err != nil {
			t.Fatal(err)
		}
		for i, e := range n.events {
			if e.ID != whole.events[i].ID || len(n.events) != len(whole.events) {
				t.Fatalf("cut at %d: got %d events, number %d is %s; want %d, %s", cut, len(n.events), i, e.ID, len(whole.events), whole.events[i].ID)
			}
		}
	}
}

// TestImportNamesWhoIsMeant: short ids are those of the file, else of what we
// hold. What nobody has a name for is left out and counted.
func TestImportNamesWhoIsMeant(t *testing.T) {
	n := &importNotes{t: t}
	got, err := n.take(parse(t, oldExport))
	if want := (ImportedKind{2, 0, 0, 2}); err != nil || got.Members != want || got.Switches != (ImportedKind{2, 1, 0, 1}) {
		t.Errorf("nobody known: got %+v, %v", got, err)
	}
	n = &importNotes{t: t}
	for id, hid := range map[string]string{"alder-uuid": "abven", "briar-uuid": "briar", "gone-uuid": "abven"} {
		n.held.Members = append(n.held.Members, schemas.HeldEntity{ID: id, Gone: id == "gone-uuid", Object: schemas.Object{"id": text(hid)}})
	}
	got, err = n.take(parse(t, oldExport))
	if want := (ImportedKind{2, 0, 2, 0}); err != nil || got.Members != want || got.Switches != (ImportedKind{2, 2, 0, 0}) {
		t.Errorf("all known: got %+v, %v", got, err)
	}
	if last := string(n.events[len(n.events)-1].Data); !strings.Contains(last, `"members":["alder-uuid","briar-uuid"]`) {
		t.Errorf("got %s", last)
	}
	group := strings.Replace(bigExport(1), `"members":["bbbbb","aaaaa"]`, `"members":["zzzzz"]`, 1)
	n = &importNotes{t: t}
	if _, err = n.take(parse(t, group)); err != nil || n.held.Groups[0].Object["members"] != nil {
		t.Errorf("a group with a stranger: got %v, %v; want its members unknown", n.held.Groups[0].Object, err)
	}
}

// TestImportLeavesToPluralKit: where a switch of PluralKit's own is listed,
// the file has nothing to say; where other members stood in, it has.
func TestImportLeavesToPluralKit(t *testing.T) {
	at := func(second int) *int64 {
		us := time.Date(2024, 1, 1, 0, 0, second, 0, time.UTC).UnixMicro()
		return &us
	}
	n := &importNotes{t: t, switches: []schemas.HeldSwitch{
		{ID: "real", TimestampUS: at(0), Members: []string{"somebody else"}, Listed: true},
		{ID: "a", TimestampUS: at(1), StandIn: true, Members: []string{"2ea8f0b4-7b3c-4d69-a8f1-4a6b9d2e3f73", "0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1"}, Listed: true},
		{ID: "b", TimestampUS: at(2), StandIn: true, Members: []string{"other"}, Listed: true},
		{ID: "c", TimestampUS: at(3), StandIn: true, Members: []string{"other"}, Listed: true},
		{ID: "d", TimestampUS: at(3), Members: []string{"another"}, Listed: true},
	}}
	got, err := n.take(parse(t, bigExport(5)))
	if want := (ImportedKind{5, 2, 3, 0}); err != nil || got.Switches != want {
		t.Errorf("got %+v, %v, want %+v", got.Switches, err, want)
	}
}

func TestImportRefuses(t *testing.T) {
	n := &importNotes{t: t}
	x := parse(t, bigExport(1))
	if _, err := Import(t.Context(), ImportConfig{System: "c4f1e2d3-1a2b-4c3d-9e4f-5a6b7c8d9e01", Known: n, Append: n}, x); !errors.Is(err, schemas.ErrInvalid) || !strings.Contains(err.Error(), exportSystem) {
		t.Errorf("another's file: got %v", err)
	}
	x.AsOf = time.Now().Add(2 * importAhead)
	if _, err := n.take(x); !errors.Is(err, schemas.ErrInvalid) || !strings.Contains(err.Error(), "clock") {
		t.Errorf("a file of the future: got %v", err)
	}
	x = parse(t, bigExport(1))
	unsettled := errors.New("unsettled")
	if _, err := Import(t.Context(), ImportConfig{System: exportSystem, Known: n, Append: n, Settled: func(context.Context) error { return unsettled }}, x); !errors.Is(err, unsettled) {
		t.Errorf("got %v, want %v", err, unsettled)
	}
	if len(n.events) != 0 {
		t.Errorf("got %d events", len(n.events))
	}
}
