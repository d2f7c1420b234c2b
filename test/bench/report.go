//go:build linux

package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// report is what is written in the end.
type report struct {
	head    []string
	load    string // of the machine before we began
	numbers []reached
	tables  []string
}

// reached is one promise of the product, and how it stands.
type reached struct {
	id, what, must, got string
	ok                  bool
}

// begin notes what everything below was measured on.
func (r *report) begin(b *bench) {
	mode := "full"
	r.load = loadAverage()
	if b.quick {
		mode = "quick: for a look, not for a record"
	}
	r.head = []string{
		"| | |", "|---|---|",
		"| commit | " + said("git", "describe", "--always", "--dirty") + " |",
		"| date | " + time.Now().UTC().Format("2006-01-02 15:04 MST") + " |",
		"| machine | " + fmt.Sprintf("%d × %s, %s, Linux %s", runtime.NumCPU(), processor(), memory(), said("uname", "-r")) + " |",
		"| load of others at the start | " + r.load + " |",
		"| Go | " + runtime.Version() + " |",
		"| versions | " + strings.Join(append(modules(".", "github.com/nats-io/nats-server/v2", "github.com/nats-io/nats.go", "github.com/mattn/go-sqlite3"),
			modules(peersDir, "github.com/warpstreamlabs/bento", "github.com/ThreeDotsLabs/watermill", "github.com/ThreeDotsLabs/watermill-nats/v2",
				"github.com/ThreeDotsLabs/watermill-http/v2", "github.com/starshine-sys/pkgo/v2")...), ", ") + " |",
		"| run | " + mode + " |",
	}
}

// said is what a command prints, in one line.
func said(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

func modules(dir string, paths ...string) []string {
	cmd := exec.Command("go", append([]string{"list", "-m"}, paths...)...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return []string{"unknown"}
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func processor() string {
	return firstLine("/proc/cpuinfo", "model name")
}

func memory() string {
	var kB int64
	if _, err := fmt.Sscan(firstLine("/proc/meminfo", "MemTotal"), &kB); err != nil {
		return "unknown"
	}
	return fmt.Sprintf("%.0f GB", float64(kB)/1e6)
}

func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil || len(bytes.Fields(b)) == 0 {
		return "unknown"
	}
	return string(bytes.Fields(b)[0])
}

// firstLine is the value behind name: in a file of such lines.
func firstLine(path, name string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	for _, line := range strings.Split(string(b), "\n") {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// number notes how a promise stands.
func (r *report) number(id, what, must, got string, ok bool) {
	r.numbers = append(r.numbers, reached{id, what, must, got, ok})
	fmt.Fprintf(os.Stderr, "%s: %s: %s (must: %s)\n", id, what, got, must)
}

// table adds a table below a heading, with words about it.
func (r *report) table(heading, words string, columns []string, rows [][]string) {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n%s\n\n", heading, words)
	line := func(cells []string) { fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | ")) }
	line(columns)
	rule := make([]string, len(columns))
	for i := range rule {
		rule[i] = "---:"
	}
	rule[0] = "---"
	line(rule)
	for _, row := range rows {
		line(row)
	}
	r.tables = append(r.tables, b.String())
	fmt.Fprint(os.Stderr, b.String())
}

func (r *report) text() string {
	var b strings.Builder
	b.WriteString("# Results\n\nWritten by `make bench`. Ratios are between runs of one call, on one machine; what was measured and how is in the comments of\n" +
		"`test/bench`. Times of a whole request, as its sender sees it.\n\n")
	if load, err := strconv.ParseFloat(r.load, 64); err != nil || load > 0.5 {
		b.WriteString("Others used the same processors and the same disk during this run: only ratios within it say something, and times above all are too long.\n\n")
	}
	b.WriteString(strings.Join(r.head, "\n") + "\n\n## What is promised\n\n| # | what | must | got | |\n|---|---|---|---|---|\n")
	slices.SortStableFunc(r.numbers, func(a, b reached) int { return cmp.Compare(a.id, b.id) })
	for _, n := range r.numbers {
		verdict := "**missed**"
		if n.ok {
			verdict = "reached"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", n.id, n.what, n.must, n.got, verdict)
	}
	for _, t := range r.tables {
		b.WriteString("\n" + t)
	}
	return b.String()
}

// ms writes a duration in milliseconds.
func ms(d time.Duration) string {
	v := d.Seconds() * 1e3
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

func mb(bytes int64) string { return fmt.Sprintf("%.0f", float64(bytes)/1e6) }
