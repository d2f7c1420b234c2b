package engine

import (
	"fmt"
	"testing"

	"switchlog/schemas"
)

// trivial is a projection of one row for each thing, which is overwritten: what
// the engine itself costs.
var trivial = Projection{
	Name: "trivial", Source: "test", Version: 1,
	Schema: `CREATE TABLE things (uuid TEXT PRIMARY KEY, system_uuid TEXT NOT NULL, name TEXT, seen_us INTEGER) STRICT, WITHOUT ROWID;`,
	Handlers: Any(func(tx *Tx, e schemas.Recorded) error {
		return tx.Exec(`INSERT INTO things VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET name = excluded.name, seen_us = excluded.seen_us`,
			e.Subject, e.Route.Tenant, e.ID, e.Time.UnixMicro())
	}),
	Queries: []Query{
		{Name: "thing", One: true, Params: []Param{{Name: "ref"}},
			SQL: `SELECT uuid, name, seen_us FROM things WHERE uuid = :ref AND system_uuid = :tenant ORDER BY uuid LIMIT 1`},
		{Name: "things", SQL: `SELECT uuid, name, seen_us FROM things WHERE system_uuid = :tenant ORDER BY uuid LIMIT 100`},
	},
}

// trivialEvents are n events about keys things, from seq on.
func trivialEvents(seq, n, keys int) []schemas.Recorded {
	events := make([]schemas.Recorded, n)
	for i := range events {
		k := uint32((seq+i)%keys) * 2654435761 // spread over the key space
		events[i] = thing(seq+i, tenantA, "update", fmt.Sprintf("%08x-0000-4000-8000-000000000000", k), "n")
	}
	return events
}

func applyBench(b *testing.B, d *DB, size, n int) {
	b.Helper()
	for seq := int(d.position().Seq) + 1; n > 0; seq, n = seq+size, n-size {
		b.StopTimer()
		events := trivialEvents(seq, size, 200_000)
		b.StartTimer()
		if err := d.Apply(b.Context(), "epoch", events); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkApply(b *testing.B) {
	for _, size := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			d := openTemp(b, trivial)
			b.ReportAllocs()
			b.ResetTimer()
			applyBench(b, d, size, b.N)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func BenchmarkScratch(b *testing.B) {
	live := openTemp(b, trivial)
	s := scratch(b, live)
	b.ReportAllocs()
	b.ResetTimer()
	applyBench(b, s, 1000, b.N)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkAsk(b *testing.B) {
	d := openTemp(b, trivial)
	apply(b, d, 1000, trivialEvents(1, 10_000, 10_000))
	for _, name := range []string{"thing", "things"} {
		b.Run(name, func(b *testing.B) {
			params := map[string]string{"tenant": tenantA}
			if name == "thing" {
				params["ref"] = trivialEvents(77, 1, 10_000)[0].Subject
			}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if a, err := d.Ask(b.Context(), "test", name, params); err != nil || !a.Found {
						b.Fatal(a, err)
					}
				}
			})
		})
	}
}

// BenchmarkReplace compares and swaps in 200,000 rows.
func BenchmarkReplace(b *testing.B) {
	live := openTemp(b, trivial)
	events := trivialEvents(1, 200_000, 200_000)
	apply(b, live, 5000, events)
	s := scratch(b, live)
	apply(b, s, 5000, events)
	b.Run("compare", func(b *testing.B) {
		for b.Loop() {
			if c, err := live.Compare(b.Context(), s); err != nil || c.Total != 0 || c.Rows != 200_000 {
				b.Fatal(c, err)
			}
		}
	})
	b.Run("replace", func(b *testing.B) {
		for b.Loop() {
			if err := live.Replace(b.Context(), s); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(s.Bytes()>>20), "MiB")
	})
}
