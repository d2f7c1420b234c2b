package projections

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"switchlog/schemas"
)

// genFronting draws a history: few systems, switches, members and timestamps,
// so that everything meets everything. Every event comes in the order of its
// time; nothing says that its creation comes first, or once.
func genFronting(t *rapid.T) []schemas.Recorded {
	timestamps := []string{
		"2025-11-29T07:00:00Z", "2025-11-29T07:00:00.0000001Z", "2025-11-29T07:00:00.000001Z", "2025-11-29T08:30:00.5Z",
		"2025-11-29T09:00:00.1234567Z", "2025-11-29T10:00:00Z", "2099-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z",
	}
	kinds := []string{
		"CREATE_SWITCH", "CREATE_SWITCH", "CREATE_SWITCH", "UPDATE_SWITCH", "UPDATE_SWITCH", "UPDATE_SWITCH",
		"DELETE_SWITCH", "DELETE_ALL_SWITCHES", "CREATE_MEMBER", "UPDATE_MEMBER", "DELETE_MEMBER",
		schemas.SwitchObserved, schemas.SwitchObserved, schemas.SwitchAbsent,
		schemas.MemberObserved, schemas.MemberAbsent, schemas.MemberAbsent,
		schemas.SwitchImported, schemas.SwitchImported, schemas.SwitchImported, schemas.SwitchAbsent + " of a stand-in",
	}
	member := rapid.SampledFrom([]string{"A", "B", "C", "D"})
	list := rapid.SliceOfN(member, 0, 4)
	var events []schemas.Recorded
	for n := range rapid.IntRange(1, 40).Draw(t, "events") {
		kind := rapid.SampledFrom(kinds).Draw(t, "kind")
		system := rapid.SampledFrom([]string{"one", "one", "one", "two"}).Draw(t, "system")
		prefix := system + "-"
		id, data := prefix+strconv.Itoa(rapid.IntRange(0, 7).Draw(t, "switch")), ""
		members := list.Draw(t, "members")
		for i := range members {
			members[i] = prefix + members[i]
		}
		stamp := rapid.SampledFrom(timestamps).Draw(t, "timestamp")
		asked := schemas.FormatTime(frontingEpoch.Add(time.Duration(rapid.IntRange(0, len(events)+1).Draw(t, "asked"))*time.Second - time.Millisecond))
		switch kind {
		case "CREATE_SWITCH":
			data = fmt.Sprintf(`{"id":%q,"timestamp":%q,"members":%s}`, id, stamp, jsonList(members))
		case "UPDATE_SWITCH":
			data = fmt.Sprintf(`{"members":%s}`, jsonList(members))
			if rapid.Bool().Draw(t, "moves") {
				data = fmt.Sprintf(`{"timestamp":%q}`, stamp)
			}
		case "DELETE_ALL_SWITCHES":
			id = ""
			if rapid.IntRange(0, 2).Draw(t, "really") > 0 {
				kind, id = "DELETE_SWITCH", prefix+"0"
			}
		case "CREATE_MEMBER", "UPDATE_MEMBER":
			id, data = prefix+member.Draw(t, "member"), fmt.Sprintf(`{"name":"%d"}`, n)
		case "DELETE_MEMBER":
			id = prefix + member.Draw(t, "member")
		case schemas.SwitchObserved:
			data = fmt.Sprintf(`{"asked":%q,"object":{"id":%q,"timestamp":%q,"members":%s}}`, asked, id, stamp, jsonList(members))
		case schemas.SwitchAbsent:
			data = fmt.Sprintf(`{"asked":%q}`, asked)
		case schemas.SwitchImported, schemas.SwitchAbsent + " of a stand-in":
			us, err := schemas.ParseTime(stamp)
			if err != nil {
				t.Fatal(err)
			}
			id = schemas.StandInSwitch(system, us)
			data = fmt.Sprintf(`{"asked":%q,"object":{"id":%q,"timestamp":%q,"members":%s}}`, asked, id, stamp, jsonList(members))
			if kind != schemas.SwitchImported {
				kind, data = schemas.SwitchAbsent, fmt.Sprintf(`{"asked":%q}`, asked)
			}
		case schemas.MemberObserved:
			id = prefix + member.Draw(t, "member")
			data = fmt.Sprintf(`{"asked":%q,"object":{"uuid":%q,"name":"%d"}}`, asked, id, n)
		case schemas.MemberAbsent:
			id, data = prefix+member.Draw(t, "member"), fmt.Sprintf(`{"asked":%q}`, asked)
		}
		events = append(events, frontingEvent(len(events)+1, kind, system, id, data))
	}
	return events
}

// naiveSwitch is a switch of the timeline as the reference sees it.
type naiveSwitch struct {
	uuid      string
	us        int64
	positions []int
	members   []string
}

// A naiveValue is one thing an event said: what it weighs, and the time and
// the id to decide between equals.
type naiveValue struct {
	rank  int
	us    int64
	event string
	text  *string
	list  *[]string
}

// newest is what counts of all that was said; nil if nothing was.
func newest(said []naiveValue) *naiveValue {
	if len(said) == 0 {
		return nil
	}
	v := slices.MaxFunc(said, func(a, b naiveValue) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.us, b.us), strings.Compare(a.event, b.event))
	})
	return &v
}

// A naiveThing is all that was said of a switch or a member.
type naiveThing struct {
	stamps, lists, names []naiveValue
	alive, absent        []int64 // signs of life and of absence
	heard, observed      []int64
	deletes              []int64
}

func (x *naiveThing) gone() bool { return x.went(nil) != 0 }

// went is when the first of what took it took it; 0: it is there.
func (x *naiveThing) went(purges []int64) int64 {
	times := slices.Clone(x.deletes)
	if len(x.absent) > 0 && (len(x.alive) == 0 || slices.Max(x.absent) > slices.Max(x.alive)) {
		times = append(times, slices.Max(x.absent))
	}
	if len(x.heard) > 0 {
		last := slices.Max(append([]int64{slices.Min(x.heard)}, x.observed...))
		for _, us := range purges {
			if us > last {
				times = append(times, us)
			}
		}
	}
	if len(times) == 0 {
		return 0
	}
	return slices.Min(times)
}

// begins is every time it was said to begin at, the true one first.
func (x *naiveThing) begins(t *rapid.T) []int64 {
	var all []int64
	for _, s := range append([]naiveValue{*newest(x.stamps)}, x.stamps...) {
		us, err := schemas.ParseTime(*s.text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, us)
	}
	return all
}

// replaced reports whether one of the switches has the place of what a file
// told of.
func (x *naiveThing) replaced(t *rapid.T, switches map[string]*naiveThing, purges []int64) bool {
	at := x.begins(t)[0]
	for uuid, s := range switches {
		if schemas.IsStandIn(uuid) || len(s.stamps) == 0 {
			continue
		}
		begins, went := s.begins(t), s.went(purges)
		moved := slices.ContainsFunc(begins, func(us int64) bool { return us != begins[0] })
		listed := went == 0 && len(s.lists) > 0
		if moved && slices.Contains(begins, at) || begins[0] == at && (listed || went > slices.Max(x.observed)) {
			return true
		}
	}
	return false
}

// naiveTimeline reads a whole history into one system's timeline. It is
// written for being right, not fast: everything is sorted out anew.
func naiveTimeline(t *rapid.T, events []schemas.Recorded, system string) (timeline []naiveSwitch, names map[string]string) {
	switches, members := map[string]*naiveThing{}, map[string]*naiveThing{}
	var purges []int64
	for _, e := range events {
		if e.Route.Tenant != system {
			continue
		}
		if e.Type == schemas.PKSwitchDeleteAll {
			purges = append(purges, e.Time.UnixMicro())
			continue
		}
		things := members
		if e.Route.Noun == "switch" {
			things = switches
		}
		if things[e.Subject] == nil {
			things[e.Subject] = &naiveThing{}
		}
		things[e.Subject].take(t, e)
	}
	names = map[string]string{}
	for uuid, m := range members {
		if v := newest(m.names); v != nil {
			names[uuid] = *v.text
		}
	}
	for uuid, s := range switches {
		stamp, list := newest(s.stamps), newest(s.lists)
		if s.went(purges) != 0 || stamp == nil || list == nil || schemas.IsStandIn(uuid) && s.replaced(t, switches, purges) {
			continue
		}
		us, err := schemas.ParseTime(*stamp.text)
		if err != nil {
			t.Fatal(err)
		}
		entry := naiveSwitch{uuid: uuid, us: us}
		for i, m := range *list.list {
			if (members[m] == nil || !members[m].gone()) && !slices.Contains(entry.members, m) {
				entry.members, entry.positions = append(entry.members, m), append(entry.positions, i)
			}
		}
		timeline = append(timeline, entry)
	}
	slices.SortFunc(timeline, func(a, b naiveSwitch) int {
		return cmp.Or(cmp.Compare(a.us, b.us), strings.Compare(a.uuid, b.uuid))
	})
	return timeline, names
}

// take notes what one event says.
func (x *naiveThing) take(t *rapid.T, e schemas.Recorded) {
	us, data := e.Time.UnixMicro(), []byte(e.Data)
	var said struct {
		Asked  string
		Object json.RawMessage
	}
	if e.Route.Verb == "observed" || e.Route.Verb == "imported" || e.Route.Verb == "absent" {
		err := json.Unmarshal(data, &said)
		if err == nil {
			us, err = schemas.ParseTime(said.Asked)
		}
		if err != nil {
			t.Fatal(err)
		}
		data = said.Object
	}
	rank := 3
	switch e.Route.Verb {
	case "absent":
		x.absent = append(x.absent, us)
		return
	case "delete":
		x.deletes, x.heard = append(x.deletes, us), append(x.heard, us)
		return
	case "observed", "imported":
		x.observed = append(x.observed, us)
	case "create":
		rank = 2
	}
	x.alive, x.heard = append(x.alive, us), append(x.heard, us)
	var d struct {
		schemas.PKSwitch
		Name *string
	}
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	v := naiveValue{rank: rank, us: us, event: e.ID}
	if v.text = d.Timestamp; v.text != nil {
		x.stamps = append(x.stamps, v)
	}
	if v.list = d.Members; v.list != nil {
		x.lists = append(x.lists, v)
	}
	if v.text = d.Name; v.text != nil {
		x.names = append(x.names, v)
	}
}

// naiveRows writes a timeline as the tables and views should have it.
func naiveRows(timeline []naiveSwitch, names map[string]string) string {
	var entries, rows, intervals []string
	front := ""
	name := func(m string) string {
		if n, ok := names[m]; ok {
			return n
		}
		return m
	}
	ended := func(i int) string {
		if i+1 == len(timeline) {
			return "NULL"
		}
		return strconv.FormatInt(timeline[i+1].us, 10)
	}
	for i, s := range timeline {
		var shown []string
		for j, m := range s.members {
			shown = append(shown, name(m))
			rows = append(rows, fmt.Sprintf("%s|%d|%s|%d\n", s.uuid, s.positions[j], m, s.us))
			if i > 0 && slices.Contains(timeline[i-1].members, m) {
				continue
			}
			last := i
			for last+1 < len(timeline) && slices.Contains(timeline[last+1].members, m) {
				last++
			}
			intervals = append(intervals, fmt.Sprintf("%s|%d|%s\n", m, s.us, ended(last)))
		}
		entries = append(entries, fmt.Sprintf("%s|%d|%s|%s\n", s.uuid, s.us, ended(i), strings.Join(shown, ", ")))
		front = fmt.Sprintf("%s|%d|%s\n", s.uuid, s.us, jsonList(s.members))
	}
	slices.Sort(rows)
	slices.Sort(intervals)
	return strings.Join(entries, "") + "\n" + strings.Join(rows, "") + "\n" + strings.Join(intervals, "") + "\n" + front
}

// tableRows is what naiveRows describes, as the database has it.
func tableRows(t *rapid.T, db *DB, system string) string {
	sorted := func(text string) string {
		lines := slices.Sorted(strings.Lines(text))
		return strings.Join(lines, "")
	}
	return selectRows(t, db, `SELECT switch_uuid, started_us, ended_us, members FROM switch_timeline WHERE system_uuid = ? ORDER BY started_us, switch_uuid`, system) + "\n" +
		sorted(selectRows(t, db, `SELECT switch_uuid, position, member_uuid, timestamp_us FROM switch_members WHERE system_uuid = ?`, system)) + "\n" +
		sorted(selectRows(t, db, `SELECT member_uuid, started_us, ended_us FROM front_intervals WHERE system_uuid = ?`, system)) + "\n" +
		selectRows(t, db, `SELECT switch_uuid, since_us, members FROM fronts WHERE system_uuid = ?`, system)
}

// forRapid lets helpers that want a testing.TB work inside a rapid check.
type forRapid struct {
	testing.TB
	t *rapid.T
}

func (f forRapid) Fatal(args ...any) { f.t.Fatal(args...) }

func TestFrontingEqualsNaive(t *testing.T) {
	db := openFronting(t)
	rapid.Check(t, func(rt *rapid.T) {
		emptyFronting(rt, db)
		events := genFronting(rt)
		applyFronting(forRapid{t, rt}, db, events, 1)
		for _, system := range []string{"one", "two"} {
			timeline, names := naiveTimeline(rt, events, system)
			if got, want := tableRows(rt, db, system), naiveRows(timeline, names); got != want {
				rt.Fatalf("%s: got\n%s\nwant\n%s", system, got, want)
			}
		}
	})
}

func TestLaw6FrontingAnyOrderBatchOrRepeat(t *testing.T) {
	sorted, db := openFronting(t), openFronting(t)
	rapid.Check(t, func(rt *rapid.T) {
		events, tb := genFronting(rt), forRapid{t, rt}
		emptyFronting(rt, sorted)
		applyFronting(tb, sorted, events)
		want := frontingRows(rt, sorted)

		shuffled := rapid.Permutation(events).Draw(rt, "shuffled")
		doubled := slices.Clone(shuffled)
		for _, e := range events {
			at := rapid.IntRange(0, len(doubled)).Draw(rt, "again")
			doubled = slices.Insert(doubled, at, e)
		}
		for name, history := range map[string][]schemas.Recorded{"sorted": events, "shuffled": shuffled, "doubled": doubled} {
			emptyFronting(rt, db)
			applyFronting(tb, db, history, rapid.SliceOfN(rapid.IntRange(1, 9), 1, 5).Draw(rt, "cuts")...)
			if got := frontingRows(rt, db); got != want {
				rt.Fatalf("%s: got\n%s\nwant\n%s", name, got, want)
			}
		}
	})
}

// TestFrontingChangesEqualNaive holds what was published against the front
// before and after each event of a history, sorted out anew each time; and the
// last entry of the bucket against the front at the end.
func TestFrontingChangesEqualNaive(t *testing.T) {
	db := openFronting(t)
	rapid.Check(t, func(rt *rapid.T) {
		emptyFronting(rt, db)
		events := genFronting(rt)
		tb := forRapid{t, rt}
		applyFronting(tb, db, events, rapid.IntRange(1, 9).Draw(rt, "batch"))

		var got, want []string
		bucket := map[string]string{}
		for _, o := range frontingOutbox(tb, db) {
			if o.Change != nil && !strings.HasSuffix(o.Change.Subject, ".front") {
				continue // another projection's
			}
			if o.Change != nil {
				system, cause, before, after := frontingChange(rt, o.Change)
				got = append(got, fmt.Sprintf("%s %s: %s -> %s", system, cause, frontUUIDs(before), frontUUIDs(after)))
			}
			if o.FrontersKey == "" {
				continue
			}
			var front schemas.Front
			if err := json.Unmarshal(o.Fronters, &front); err != nil {
				rt.Fatal(err)
			}
			bucket[o.FrontersKey] = frontWithNames(&front)
		}
		for i, e := range events {
			system := e.Route.Tenant
			before, _ := naiveTimeline(rt, events[:i], system)
			after, _ := naiveTimeline(rt, events[:i+1], system)
			was, is := naiveFront(before, system, nil), naiveFront(after, system, nil)
			if (was == nil) != (is == nil) || was != nil && !slices.EqualFunc(was.Members, is.Members, func(a, b schemas.Fronter) bool { return a.UUID == b.UUID }) {
				want = append(want, fmt.Sprintf("%s %s: %s -> %s", system, e.ID, frontUUIDs(was), frontUUIDs(is)))
			}
		}
		if !slices.Equal(got, want) {
			rt.Fatalf("changes: got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		for system, entry := range bucket {
			timeline, names := naiveTimeline(rt, events, system)
			front := naiveFront(timeline, system, names)
			if front == nil {
				front = &schemas.Front{System: system}
			}
			if want := frontWithNames(front); entry != want {
				rt.Fatalf("bucket of %s: got %s, want %s", system, entry, want)
			}
		}
	})
}

func naiveFront(timeline []naiveSwitch, system string, names map[string]string) *schemas.Front {
	if len(timeline) == 0 {
		return nil
	}
	last := timeline[len(timeline)-1]
	front := &schemas.Front{System: system, Switch: last.uuid, SinceUS: last.us}
	for _, m := range last.members {
		f := schemas.Fronter{UUID: m}
		if name, known := names[m]; known {
			f.Name = &name
		}
		front.Members = append(front.Members, f)
	}
	return front
}

func frontUUIDs(f *schemas.Front) string {
	if f == nil {
		return "null"
	}
	uuids := []string{}
	for _, m := range f.Members {
		uuids = append(uuids, m.UUID)
	}
	return f.Switch + fmt.Sprint(uuids)
}

func frontWithNames(f *schemas.Front) string {
	return fmt.Sprint(f.System, f.Switch, f.SinceUS, frontUUIDs(f), frontNames(f))
}
