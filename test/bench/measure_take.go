//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// measureTaking is N1 and N2: how many requests a second, and how long each
// takes.
func measureTaking(ctx context.Context, b *bench) error {
	connections := []int{1, 32, 64, 256}
	if b.quick {
		connections = []int{64, 256}
	}
	var all []taking
	for _, n := range connections {
		for _, c := range b.contenders() {
			t, err := b.take(ctx, c, n, 0, b.long)
			if err != nil {
				return fmt.Errorf("%s, %d connections: %w", c.name, n, err)
			}
			all = append(all, t)
			b.note(t)
		}
	}
	b.table.table("Taking as much as there is (N1)",
		"Closed loop: each connection sends its next request when it has the answer. A request is a `CREATE_SWITCH` of PluralKit, 353 bytes, an id of its own each;\n"+
			"its token is looked at (a wrong one got 401), and after each run the log held as many events as were answered 200. *settled* is how long after the last answer\n"+
			"that was; *sustained* counts that time. CPU is of the program and its NATS server together, the generator's own beside it, in seconds for 10,000 events. *written* is\n"+
			"what went to the disk, *kept* what is there in the end, bytes an event.",
		takingColumns, rows(all))
	if b.who == "" {
		b.ratios(all)
	}
	return b.measureRates(ctx)
}

func (b *bench) contenders() []contender {
	return slices.DeleteFunc(slices.Clone(contenders), func(c contender) bool { return !strings.Contains(c.name, b.who) })
}

var takingColumns = []string{"", "connections", "answered/s", "p50 ms", "p99 ms", "p99.9 ms", "settled ms", "sustained/s", "CPU s", "of it NATS", "generator s",
	"peak RSS MB", "fsyncs/event", "written B", "kept B"}

func rows(all []taking) (out [][]string) {
	for _, t := range all {
		unless := func(bad bool, s string) string {
			if bad {
				return ""
			}
			return s
		}
		stores := t.kept > 0
		out = append(out, []string{
			t.contender, fmt.Sprint(t.connections), fmt.Sprintf("%.0f", t.perSecond()),
			ms(t.latency.quantile(0.5)), ms(t.latency.quantile(0.99)), ms(t.latency.quantile(0.999)),
			unless(!stores, ms(t.settled)), unless(!stores, fmt.Sprintf("%.0f", float64(t.ok)/(t.took+t.settled).Seconds())),
			fmt.Sprintf("%.2f", t.perEvent(t.used.cpu.Seconds())*10_000),
			unless(t.natsCPU == 0, fmt.Sprintf("%.2f", t.perEvent(t.natsCPU.Seconds())*10_000)), fmt.Sprintf("%.2f", t.perEvent(t.generator.Seconds())*10_000),
			mb(t.rss), unless(!stores || t.fsyncs < 0, fmt.Sprintf("%.3f", t.perEvent(float64(t.fsyncs)))),
			unless(!stores, fmt.Sprintf("%.0f", t.perEvent(float64(t.used.written)))), unless(!stores, fmt.Sprint(t.kept)),
		})
	}
	return out
}

func (b *bench) note(t taking) {
	fmt.Printf("%-45s %4d conns %6.0f/s  p50 %s p99 %s ms  settled %v  cpu %.2f (nats %.2f) + %.2f s/10k\n", t.contender, t.connections, t.perSecond(),
		ms(t.latency.quantile(0.5)), ms(t.latency.quantile(0.99)), t.settled.Round(time.Millisecond),
		t.perEvent(t.used.cpu.Seconds())*10_000, t.perEvent(t.natsCPU.Seconds())*10_000, t.perEvent(t.generator.Seconds())*10_000)
}

// ratios holds N1: the promises are about 64 and 256 connections.
func (b *bench) ratios(all []taking) {
	for _, connections := range []int{64, 256} {
		of := func(name string) float64 {
			i := slices.IndexFunc(all, func(t taking) bool { return t.contender == name && t.connections == connections })
			return all[i].perSecond()
		}
		for _, n := range []struct {
			what      string
			over, one string
			must      float64
		}{
			{"ingest ÷ Bento, both on NATS without fsync", nameIngestLazy, nameBentoLazy, 1.5},
			{"ingest ÷ Bento, both on NATS with fsync", nameIngest, nameBento, 5},
			{"ingest, NATS with fsync, ÷ Bento without", nameIngest, nameBentoLazy, 1.5},
			{"ingest ÷ bare handler", nameIngest, nameBare, 0.45},
			{"serve ÷ Bento without fsync", nameServe, nameBentoLazy, 1},
		} {
			ratio := of(n.over) / of(n.one)
			b.table.number("N1", fmt.Sprintf("%s, %d connections", n.what, connections), fmt.Sprintf("≥ %.2f", n.must),
				fmt.Sprintf("%.2f (%.0f/s ÷ %.0f/s)", ratio, of(n.over), of(n.one)), ratio >= n.must)
		}
	}
}

// measureRates is N2: requests come at a rate, whether or not the last one
// was answered.
func (b *bench) measureRates(ctx context.Context) error {
	rates := []float64{1000, 4000}
	if b.quick {
		rates = rates[:1]
	}
	var all []taking
	for _, rate := range rates {
		for _, c := range b.contenders() {
			if c.name == nameBare || c.name == nameWatermill || c.name == nameBento && rate > 1000 {
				continue // nothing to learn: with an fsync each they do not reach the rate
			}
			t, err := b.take(ctx, c, 256, rate, b.long)
			if err != nil {
				return fmt.Errorf("%s, %.0f/s: %w", c.name, rate, err)
			}
			b.note(t)
			all = append(all, t)
			if rate == 1000 && (c.name == nameIngest || c.name == nameServe) {
				p99 := t.latency.quantile(0.99)
				b.table.number("N2", c.name+", 1,000/s, p99", "≤ 10 ms", ms(p99)+" ms", p99 <= 10*time.Millisecond)
			}
		}
	}
	table := rows(all)
	for i, t := range all {
		table[i][1] = fmt.Sprintf("%.0f/s", t.rate)
	}
	columns := slices.Clone(takingColumns)
	columns[1] = "rate"
	b.table.table("Taking what comes (N2)",
		"Open loop over 256 connections: requests are due at a fixed rate, and the time of each counts from when it was due.", columns, table)
	return nil
}
