package projections

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

// frontingHistory makes the life of one busy system: thirty members, a switch
// every ten minutes of one or two of them.
type frontingHistory struct {
	rand     *rand.Rand
	n        int
	system   string
	members  []string
	switches []string
}

func newFrontingHistory() *frontingHistory {
	h := &frontingHistory{rand: rand.New(rand.NewPCG(1, 2))}
	h.system = h.uuid()
	for range 30 {
		h.members = append(h.members, h.uuid())
	}
	return h
}

func (h *frontingHistory) uuid() string {
	var u uuid.UUID
	for i := range u {
		u[i] = byte(h.rand.Uint32())
	}
	return u.String()
}

func (h *frontingHistory) event(kind, id, data string) schemas.Recorded {
	h.n++
	return frontingEvent(h.n, kind, h.system, id, data)
}

func (h *frontingHistory) stamp(i int) string {
	return schemas.FormatTime(frontingEpoch.Add(time.Duration(i)*10*time.Minute + time.Duration(h.rand.IntN(60e6))*time.Microsecond))
}

func (h *frontingHistory) list() string {
	i := h.rand.IntN(len(h.members))
	list := h.members[i : i+1]
	if h.rand.IntN(3) == 0 {
		list = []string{h.members[i], h.members[(i+7)%len(h.members)]}
	}
	return jsonList(list)
}

// create is a switch that begins now.
func (h *frontingHistory) create() schemas.Recorded {
	id := h.uuid()
	h.switches = append(h.switches, id)
	return h.event("CREATE_SWITCH", id, fmt.Sprintf(`{"id":%q,"timestamp":%q,"members":%s}`, id, h.stamp(len(h.switches)), h.list()))
}

// past is an event about any switch there ever was: it is moved, edited or
// deleted, or a new one put between.
func (h *frontingHistory) past() schemas.Recorded {
	i := h.rand.IntN(len(h.switches))
	at, id := h.stamp(h.rand.IntN(len(h.switches))), h.switches[i]
	switch h.rand.IntN(4) {
	case 0:
		return h.event("UPDATE_SWITCH", id, fmt.Sprintf(`{"timestamp":%q}`, at))
	case 1:
		return h.event("UPDATE_SWITCH", id, fmt.Sprintf(`{"members":%s}`, h.list()))
	case 2:
		return h.event("DELETE_SWITCH", id, "")
	}
	id = h.uuid()
	h.switches = append(h.switches, id)
	return h.event("CREATE_SWITCH", id, fmt.Sprintf(`{"id":%q,"timestamp":%q,"members":%s}`, id, at, h.list()))
}

// fill writes the rows that folding so many create events would leave, which
// takes minutes at a million, and gives the history as if it had.
func (h *frontingHistory) fill(b *testing.B, db *DB, size int) {
	fill := func(tx *engine.Tx) error {
		var err error
		exec := func(query string, args ...any) {
			if err == nil {
				err = tx.Exec(query, args...)
			}
		}
		us := func(i int) int64 { return frontingEpoch.Add(time.Duration(i) * 10 * time.Minute).UnixMicro() }
		member := func(i int) string { return h.members[(i*7)%len(h.members)] }
		for i := range size {
			id := h.uuid()
			h.switches = append(h.switches, id)
			h.n++
			exec(`INSERT INTO switches (uuid, system_uuid, timestamp_us, ended_us, members, ordered, first_us, seen_us, deleted_us, listed, stand_in,
					timestamp_rank, timestamp_at_us, timestamp_event, members_rank, members_at_us, members_event)
				VALUES (?, ?, ?, nullif(?, ?), ?, 0, ?, ?, NULL, 1, 0, 2, ?, ?, 2, ?, ?)`, id, h.system, us(i), us(i+1), us(size),
				jsonList([]string{member(i)}), us(i), us(i), us(i), id, us(i), id)
			exec(`INSERT INTO switch_stints (system_uuid, member_uuid, timestamp_us, switch_uuid, starts, ends)
				VALUES (?, ?, ?, ?, 1, 1)`, h.system, member(i), us(i), id)
		}
		exec(`INSERT INTO fronts (system_uuid, switch_uuid, since_us, members) VALUES (?, ?, ?, ?)`,
			h.system, h.switches[size-1], us(size-1), jsonList([]string{member(size - 1)}))
		return err
	}
	inFold(b, db, "bench", uint64(size), fill)
}

// BenchmarkFronting measures an event in a system that has so many switches
// already (N8): now is a new switch, past something anywhere in its history.
// cpu-µs/op is what to compare on a machine that others use too.
func BenchmarkFronting(b *testing.B) {
	for _, size := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("switches=%d", size), func(b *testing.B) {
			db, h := openFronting(b), newFrontingHistory()
			h.fill(b, db, size)
			for _, batch := range []int{1, 100, 1000} {
				b.Run(fmt.Sprintf("now/batch=%d", batch), func(b *testing.B) { h.measure(b, db, batch, h.create) })
				b.Run(fmt.Sprintf("past/batch=%d", batch), func(b *testing.B) { h.measure(b, db, batch, h.past) })
			}
		})
	}
}

func (h *frontingHistory) measure(b *testing.B, db *DB, batch int, next func() schemas.Recorded) {
	var events []schemas.Recorded
	for range b.N {
		events = append(events, next())
	}
	b.ResetTimer()
	before := cpuTime(b)
	for len(events) > 0 {
		n := min(batch, len(events))
		if err := db.Apply(b.Context(), "bench", events[:n]); err != nil {
			b.Fatal(err)
		}
		events = events[n:]
		due, err := db.Due(b.Context(), 2*n)
		if err == nil && len(due) > 0 {
			err = db.Sent(b.Context(), due[len(due)-1].Seq, due[len(due)-1].N)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N)/1000, "cpu-µs/op")
}

// cpuTime is what the process has used so far, in nanoseconds.
func cpuTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkStats asks for the statistics of 100,000 switches of ten members.
func BenchmarkStats(b *testing.B) {
	begin := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	var switches []string
	for i := range 100_000 {
		switches = append(switches, fmt.Sprintf("%s m%d m%d", begin.Add(time.Duration(i)*5*time.Minute).Format(time.RFC3339), i%10, i%7))
	}
	db := switchesOf(b, nil, switches...)
	for b.Loop() {
		if s := askStats(b, db, map[string]string{"range": "all"}); s.Switches != 100_000 {
			b.Fatalf("got %d switches", s.Switches)
		}
	}
}
