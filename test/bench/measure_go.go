//go:build linux

package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// goBench runs Go benchmarks and gives their results as rows: the name, the
// number of iterations, and value and unit in turn.
func goBench(ctx context.Context, dir, pkg, pattern, benchtime string) ([][]string, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", pattern, "-benchmem", "-benchtime", benchtime, "-timeout", "20m", pkg)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go test -bench %s %s: %w: %s", pattern, pkg, err, out)
	}
	var rows [][]string
	for _, line := range strings.Split(string(out), "\n") {
		if f := strings.Fields(line); len(f) > 3 && strings.HasPrefix(f[0], "Benchmark") {
			rows = append(rows, f)
		}
	}
	return rows, nil
}

// metric is a benchmark's value in a unit, or empty.
func metric(row []string, unit string) string {
	for i := 2; i+1 < len(row); i += 2 {
		if row[i+1] == unit {
			return row[i]
		}
	}
	return ""
}

// measureParse is the step between a body and an event, beside that of pkgo.
func measureParse(ctx context.Context, b *bench) error {
	var out [][]string
	for _, one := range []struct{ who, dir, pkg, pattern string }{
		{"switchlog: verify, and make the event", ".", "./ingest", "^BenchmarkPluralKit$"},
		{"pkgo: decode", peersDir, "./decode", "."},
	} {
		rows, err := goBench(ctx, one.dir, one.pkg, one.pattern, "50000x")
		if err != nil {
			return err
		}
		for _, row := range rows {
			_, body, _ := strings.Cut(row[0], "/")
			out = append(out, []string{one.who, strings.TrimSuffix(body, "-2"), metric(row, "ns/op"), metric(row, "B/op"), metric(row, "allocs/op")})
		}
	}
	b.table.table("Reading a body", "Go benchmarks over the same bodies. switchlog checks the token against a hash, that all of it is JSON, and takes secrets out; pkgo compares the token and "+
		"fills a struct.", []string{"", "body", "ns", "B", "allocations"}, out)
	return nil
}
