//go:build linux

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// measureFolding is N3 and N8, by the Go benchmarks of the folds, each size in
// a process of its own; and the floor below them.
func measureFolding(ctx context.Context, b *bench) error {
	sizes := []int{10_000, 100_000, 1_000_000}
	if b.quick {
		sizes = sizes[:2]
	}
	floor, err := b.floor(100_000)
	if err != nil {
		return err
	}
	var out [][]string
	for _, size := range sizes {
		rows, err := goBench(ctx, ".", "./projections", fmt.Sprintf("^BenchmarkRebuild$/^events=%d$", size), "1x")
		if err != nil {
			return err
		}
		if len(rows) != 1 {
			return fmt.Errorf("BenchmarkRebuild of %d events gave %d results", size, len(rows))
		}
		row := rows[0]
		rate, rss := value(row, "events/s"), value(row, "peak-MB")
		out = append(out, []string{fmt.Sprint(size), fmt.Sprintf("%.0f", rate), metric(row, "cpu-µs/event"), fmt.Sprintf("%.0f", rss), metric(row, "file-MB")})
		b.table.number("N3", fmt.Sprintf("cold rebuild of %d events ÷ the floor", size), "≥ 1.80", fmt.Sprintf("%.2f (%.0f/s ÷ %.0f/s)", rate/floor, rate, floor), rate >= 1.8*floor)
		if size == sizes[len(sizes)-1] {
			b.table.number("N3", fmt.Sprintf("cold rebuild, %d events of the mix", size), "≥ 60,000/s", fmt.Sprintf("%.0f/s", rate), rate >= 60_000)
			b.table.number("N3", "memory of that", "≤ 200 MB", fmt.Sprintf("%.0f MB", rss), rss <= 200)
		}
	}
	out = append(out, []string{"floor: 100000 switches", fmt.Sprintf("%.0f", floor), "", "", ""})
	b.table.table("Folding anew (N3)", "`BenchmarkRebuild`: from stored messages in memory to rows in a file, a realistic mix (`test/mix`: 1,000 systems, a fifth of the events one system's).\n"+
		"The floor puts rows into four tables of a switch with prepared statements, a transaction each 1,000 events, knows nothing and looks nothing up.",
		[]string{"events", "events/s", "CPU µs/event", "peak MB", "file MB"}, out)
	if b.quick {
		return nil // to make a million switches takes minutes
	}
	return b.growth(ctx)
}

func value(row []string, unit string) float64 {
	v, err := strconv.ParseFloat(metric(row, unit), 64)
	if err != nil {
		return 0
	}
	return v
}

// growth is N8: what a switch costs when there are many already.
func (b *bench) growth(ctx context.Context) error {
	rows, err := goBench(ctx, ".", "./projections", "^BenchmarkFronting$", "2000x")
	if err != nil {
		return err
	}
	few, many := map[string]float64{}, map[string]float64{}
	var kinds []string
	for _, row := range rows {
		name := strings.TrimSuffix(row[0], "-2")
		cost := value(row, "cpu-µs/op")
		if kind, ok := strings.CutPrefix(name, "BenchmarkFronting/switches=10000/"); ok {
			few[kind] = cost
			kinds = append(kinds, kind)
		} else if kind, ok := strings.CutPrefix(name, "BenchmarkFronting/switches=1000000/"); ok {
			many[kind] = cost
		}
	}
	var out [][]string
	for _, kind := range kinds {
		ratio := many[kind] / few[kind]
		out = append(out, []string{kind, fmt.Sprintf("%.0f", few[kind]), fmt.Sprintf("%.0f", many[kind]), fmt.Sprintf("%.2f", ratio)})
		b.table.number("N8", "a switch among 10⁶ ÷ among 10⁴, "+kind, "≤ 1.20", fmt.Sprintf("%.2f (%.0f µs ÷ %.0f µs)", ratio, many[kind], few[kind]), ratio <= 1.2)
	}
	b.table.table("A switch more (N8)", "`BenchmarkFronting`: CPU time of folding a switch into one system that has 10⁴ or 10⁶ already; now: the newest, past: somewhere among them.",
		[]string{"", "µs at 10⁴", "µs at 10⁶", "ratio"}, out)
	return nil
}

// floor puts the rows of n switches into tables like those of the folds.
func (b *bench) floor(n int) (perSecond float64, err error) {
	path := filepath.Join(b.dir, "floor.db")
	db, err := sql.Open("sqlite3", "file:"+path+"?_journal_mode=MEMORY&_synchronous=OFF&_cache_size=-64000")
	if err != nil {
		return 0, err
	}
	db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, db.Close(), os.Remove(path)) }()
	_, err = db.Exec(`
		CREATE TABLE switches (uuid TEXT PRIMARY KEY, system_uuid TEXT, timestamp_us INTEGER, seen_us INTEGER) STRICT, WITHOUT ROWID;
		CREATE INDEX switches_by_time ON switches (system_uuid, timestamp_us, uuid);
		CREATE TABLE switch_members (switch_uuid TEXT, position INTEGER, member_uuid TEXT, PRIMARY KEY (switch_uuid, position)) STRICT, WITHOUT ROWID;
		CREATE TABLE fronts (system_uuid TEXT PRIMARY KEY, switch_uuid TEXT, since_us INTEGER) STRICT, WITHOUT ROWID;
		CREATE TABLE entity_events (table_name TEXT, key TEXT, seq INTEGER, PRIMARY KEY (table_name, key, seq)) STRICT, WITHOUT ROWID`)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	for done := 0; done < n; done += 1000 {
		if err := floorBatch(db, done, min(done+1000, n)); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(began).Seconds(), nil
}

func floorBatch(db *sql.DB, from, to int) (err error) {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	var stmts [4]*sql.Stmt
	for i, text := range []string{
		`INSERT INTO switches VALUES (?, ?, ?, ?)`, `INSERT INTO switch_members VALUES (?, ?, ?)`,
		`INSERT INTO fronts VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET switch_uuid = excluded.switch_uuid, since_us = excluded.since_us`,
		`INSERT INTO entity_events VALUES ('switches', ?, ?)`,
	} {
		if stmts[i], err = tx.Prepare(text); err != nil {
			return err
		}
	}
	for i := from; i < to; i++ {
		id, of, at := switchID(uint64(i)*0x9E3779B97F4A%(1<<48)), tenant(i%tenants), epoch.UnixMicro()+int64(i)
		for s, args := range [][]any{{id, of, at, at}, {id, 0, members[i%2]}, {of, id, at}, {id, i}} {
			if _, err := stmts[s].Exec(args...); err != nil {
				return err
			}
		}
	}
	return tx.Commit()
}
