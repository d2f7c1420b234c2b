package statistics

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func us(t *testing.T, s string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMicro()
}

const hour = int64(time.Hour / time.Microsecond)

// workedExample is that of PluralKit's documents: who fronted on one morning.
func workedExample(t *testing.T) (switches []Switch, from, to int64) {
	return []Switch{
		{us(t, "2026-03-01T08:00:00Z"), []string{"A"}},
		{us(t, "2026-03-01T09:00:00Z"), []string{"A", "B"}},
		{us(t, "2026-03-01T10:00:00Z"), nil},
		{us(t, "2026-03-01T10:30:00Z"), []string{"B"}},
	}, us(t, "2026-03-01T08:30:00Z"), us(t, "2026-03-01T12:00:00Z")
}

func TestFrontpercent(t *testing.T) {
	switches, from, to := workedExample(t)
	b := Frontpercent(switches, from, to, nil)
	if b.StartUS != from || b.EndUS != to {
		t.Errorf("range: got %d to %d, want the period", b.StartUS, b.EndUS)
	}
	want := []string{
		"B 9000s 71.4 83.3 55.6 62.5",
		"A 5400s 42.9 50.0 33.3 37.5",
		" 1800s 14.3 0.0 11.1 0.0",
	}
	var got []string
	for _, r := range b.Rows {
		p := r.Percent
		got = append(got, fmt.Sprintf("%s %ds %.1f %.1f %.1f %.1f", r.UUID, r.TotalUS/1e6, p.Range, p.FrontersOnly, p.Flat, p.FlatFrontersOnly))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	// With the filter of a group that has A alone, an entry without A is nobody's.
	only := Frontpercent(switches, from, to, map[string]bool{"A": true})
	if len(only.Rows) != 2 || only.Rows[0].UUID != "" || only.Rows[0].TotalUS != 2*hour {
		t.Errorf("group filter: got %+v, want nobody for 2 h and A", only.Rows)
	}
}

func TestFrontpercentEqualTimestamps(t *testing.T) {
	at := us(t, "2026-03-01T08:00:00Z")
	b := Frontpercent([]Switch{{at, []string{"A"}}, {at, []string{"A", "B"}}}, at-hour, at+hour, nil)
	if len(b.Rows) != 2 || b.Rows[0].UUID != "A" || b.Rows[0].TotalUS != 2*hour || b.Rows[1].TotalUS != hour {
		t.Errorf("got %+v, want A for 2 h (it is in both) and B for 1 h", b.Rows)
	}
	if b.StartUS != at {
		t.Errorf("the range begins at %d, want the first switch, %d", b.StartUS, at)
	}
}

func TestComputeWorkedExample(t *testing.T) {
	switches, from, to := workedExample(t)
	s := Compute(switches, Options{FromUS: from, ToUS: to, Groups: map[string][]string{"g": {"A", "B"}, "none": {"C"}}})
	a, b := s.Members[1], s.Members[0]
	if want := (Member{UUID: "B", Sessions: 2, TotalUS: 5 * hour / 2, AverageUS: 5 * hour / 4, MedianUS: 5 * hour / 4,
		ShortestUS: hour, LongestUS: 3 * hour / 2, Share: 71.4, FlatShare: 62.5}); b != want {
		t.Errorf("got %+v\nwant %+v", b, want)
	}
	if want := (Member{UUID: "A", Sessions: 1, TotalUS: 3 * hour / 2, AverageUS: 3 * hour / 2, MedianUS: 3 * hour / 2,
		ShortestUS: 3 * hour / 2, LongestUS: 3 * hour / 2, Share: 42.9, FlatShare: 37.5}); a != want {
		t.Errorf("got %+v\nwant %+v", a, want)
	}
	if s.FrontedUS != 3*hour || s.NobodyUS != hour/2 || s.MemberUS != 4*hour || s.Switches != 3 || s.FirstUS != from {
		t.Errorf("got %+v", s)
	}
	if s.Gaps.Count != 1 || s.Gaps.LongestUS != hour/2 {
		t.Errorf("gaps: got %+v", s.Gaps)
	}
	if len(s.Pairs) != 1 || s.Pairs[0] != (Pair{"A", "B", hour}) {
		t.Errorf("pairs: got %+v", s.Pairs)
	}
	if len(s.Groups) != 2 || s.Groups[0] != (Group{"g", 3 * hour, 85.7}) || s.Groups[1].TotalUS != 0 {
		t.Errorf("groups: got %+v", s.Groups)
	}
}

func TestZeroLengthSwitchEndsNoSession(t *testing.T) {
	at := us(t, "2026-03-01T08:00:00Z")
	s := Compute([]Switch{
		{at, []string{"A"}}, {at + hour, []string{"B"}}, {at + hour, []string{"A", "A"}}, {at + 2*hour, nil}, {at + 9*hour, []string{"C"}},
	}, Options{FromUS: at - hour, ToUS: at + 3*hour})
	if len(s.Members) != 1 || s.Members[0].Sessions != 1 || s.Members[0].TotalUS != 2*hour {
		t.Errorf("got %+v, want one session of A, two hours long", s.Members)
	}
	if s.FirstUS != at || s.NobodyUS != hour {
		t.Errorf("first %d, nobody %d: want the first switch and an hour: what is before is unknown", s.FirstUS, s.NobodyUS)
	}
}

func TestNothingKnown(t *testing.T) {
	s := Compute(nil, Options{FromUS: 0, ToUS: hour})
	if s.FirstUS != hour || len(s.Members) != 0 || s.Days != 0 {
		t.Errorf("got %+v", s)
	}
	b := Frontpercent(nil, 0, hour, nil)
	if len(b.Rows) != 0 || b.StartUS != hour {
		t.Errorf("got %+v", b)
	}
}

func TestHoursAcrossDST(t *testing.T) {
	for _, c := range []struct {
		zone, from, to string
		want           map[int]float64 // hour of the day → hours
	}{
		{"Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-29T03:00:00Z", map[int]float64{0: 1, 1: 1, 3: 1, 4: 1}},
		{"Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25T04:00:00Z", map[int]float64{0: 1, 1: 1, 2: 2, 3: 1, 4: 1}},
		{"Australia/Lord_Howe", "2026-04-04T14:00:00Z", "2026-04-04T16:30:00Z", map[int]float64{1: 1.5, 2: 1}},
		{"Asia/Kolkata", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z", map[int]float64{5: 0.5, 6: 0.5}},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		s := Compute([]Switch{{us(t, c.from), []string{"A"}}}, Options{FromUS: us(t, c.from), ToUS: us(t, c.to), Zone: zone})
		got := make(map[int]float64)
		for _, day := range s.Hours {
			for h, sum := range day {
				if sum != 0 {
					got[h] += float64(sum) / float64(hour)
				}
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: got %v, want %v", c.zone, got, c.want)
		}
	}
}

func TestApportionAddsUp(t *testing.T) {
	if got := Apportion([]int64{1, 1, 1}); fmt.Sprint(got) != "[33.4 33.3 33.3]" {
		t.Errorf("got %v", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.Int64Range(0, 1e12), 1, 40).Draw(t, "parts")
		if slices.Max(parts) == 0 {
			return
		}
		tenths := 0
		for _, s := range Apportion(parts) {
			tenths += int(math.Round(s * 10))
		}
		if tenths != 1000 {
			t.Fatalf("the shares add up to %d tenths", tenths)
		}
	})
}

// naive computes totals and sessions minute by minute.
func naive(switches []Switch, from, to int64) (total map[string]int64, sessions map[string]int) {
	total, sessions = map[string]int64{}, map[string]int{}
	before := map[string]bool{}
	for at := from; at < to; at++ {
		now := map[string]bool{}
		for _, s := range switches {
			if s.StartUS <= at {
				clear(now)
				for _, m := range s.Members {
					now[m] = true
				}
			}
		}
		for m := range now {
			total[m]++
			if !before[m] {
				sessions[m]++
			}
		}
		before = now
	}
	return total, sessions
}

func TestComputeAgreesWithWalkingThroughTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var switches []Switch
		at := int64(0)
		for range rapid.IntRange(0, 12).Draw(t, "switches") {
			at += rapid.Int64Range(0, 6).Draw(t, "wait")
			switches = append(switches, Switch{at, rapid.SliceOfN(rapid.SampledFrom([]string{"A", "B", "C"}), 0, 4).Draw(t, "members")})
		}
		from := rapid.Int64Range(0, 20).Draw(t, "from")
		to := from + rapid.Int64Range(0, 40).Draw(t, "length")
		total, sessions := naive(switches, from, to)
		s := Compute(switches, Options{FromUS: from, ToUS: to})
		if len(s.Members) != len(total) {
			t.Fatalf("got %d members, want %d", len(s.Members), len(total))
		}
		for _, m := range s.Members {
			if m.TotalUS != total[m.UUID] || m.Sessions != sessions[m.UUID] {
				t.Fatalf("%s: got %d in %d sessions, want %d in %d", m.UUID, m.TotalUS, m.Sessions, total[m.UUID], sessions[m.UUID])
			}
		}
	})
}

// hundredThousand is a long timeline: equal makes all timestamps the same.
func hundredThousand(equal bool) []Switch {
	r := rand.New(rand.NewPCG(1, 2))
	members := make([]string, 40)
	for i := range members {
		members[i] = fmt.Sprintf("member-%02d", i)
	}
	switches := make([]Switch, 100_000)
	at := int64(0)
	for i := range switches {
		if !equal {
			at += r.Int64N(2 * hour)
		}
		switches[i] = Switch{at, members[r.IntN(30):][:r.IntN(4)]}
	}
	return switches
}

func BenchmarkCompute(b *testing.B) {
	for _, equal := range []bool{false, true} {
		b.Run(fmt.Sprintf("equal=%v", equal), func(b *testing.B) {
			switches := hundredThousand(equal)
			for b.Loop() {
				to := switches[len(switches)-1].StartUS + hour
				Compute(switches, Options{ToUS: to})
				Frontpercent(switches, 0, to, nil)
			}
		})
	}
}

// The walk by minutes of the zone's own clock, without arithmetic of ours; by seconds
// where a zone was once off by some.
func TestHoursAgreeWithTheClock(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"}
	rapid.Check(t, func(t *rapid.T) {
		zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		start := rapid.Int64Range(-40*365*24*60, 60*365*24*60).Draw(t, "minute") * 60e6
		minutes := rapid.Int64Range(1, 4000).Draw(t, "minutes")
		step := int64(60e6)
		if _, offset := time.UnixMicro(start).In(zone).Zone(); offset%60 != 0 {
			step = 1e6
		}
		var want Hours
		for us := start; us < start+minutes*60e6; us += step {
			local := time.UnixMicro(us).In(zone)
			want[(int(local.Weekday())+6)%7][local.Hour()] += step
		}
		w := hourWalker{zone: zone}
		w.add(start, start+minutes*60e6)
		if w.sums != want {
			t.Fatalf("%s from %d, %d minutes: got %v, want %v", zone, start, minutes, w.sums, want)
		}
	})
}
