//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

const peersDir = "test/bench/peers"

// bench is one run of all.
type bench struct {
	dir  string // temporary
	bin  string // below it, or where the caller keeps binaries
	warm time.Duration
	long time.Duration // of a measurement

	quick  bool
	who    string
	events int // in the large log
	table  report
}

func (b *bench) binary(name string) string { return filepath.Join(b.bin, name) }

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	out := flag.String("out", "", "write the table here (default: standard output)")
	quick := flag.Bool("quick", false, "less of everything, in some four minutes: for a look, not for a record")
	only := flag.String("only", "", "parts to run, comma separated: "+strings.Join(partNames(), ", ")+" (default: all)")
	who := flag.String("who", "", "contenders to run: those whose name has this in it (default: all)")
	bin := flag.String("bin", "", "keep the peers' binaries in this directory, and do not build them again")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := &bench{bin: *bin, who: *who, quick: *quick, warm: 2 * time.Second, long: 8 * time.Second, events: 1_000_000}
	if b.quick {
		b.warm, b.long, b.events = time.Second, 3*time.Second, 50_000
	}
	var err error
	if b.dir, err = os.MkdirTemp("", "switchlog-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if b.bin == "" {
		b.bin = filepath.Join(b.dir, "bin")
	}
	if err := b.build(ctx); err != nil {
		return err
	}
	b.table.begin(b)
	for _, p := range parts {
		if *only != "" && !strings.Contains(","+*only+",", ","+p.name+",") {
			continue
		}
		began := time.Now()
		if err := p.run(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		fmt.Fprintf(os.Stderr, "%s: done in %.0f s\n", p.name, time.Since(began).Seconds())
	}
	text := b.table.text()
	if *out == "" {
		fmt.Print(text)
		return nil
	}
	return os.WriteFile(*out, []byte(text), 0o644)
}

// parts are what there is to measure.
var parts = []struct {
	name string
	run  func(context.Context, *bench) error
}{
	{"take", measureTaking},   // N1, N2
	{"see", measureSeeing},    // N4
	{"large", measureLarge},   // N5, N6, N7
	{"memory", measureMemory}, // N7
	{"fold", measureFolding},  // N3, N8
	{"parse", measureParse},
}

func partNames() []string {
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = p.name
	}
	return names
}

// build makes the binaries: switchlog as a release is built, the NATS server
// of the version it embeds, and the peers.
func (b *bench) build(ctx context.Context) error {
	if err := os.MkdirAll(b.bin, 0o755); err != nil {
		return err
	}
	for _, one := range []struct{ dir, pkg string }{
		{".", "./cmd/switchlog"}, {".", "github.com/nats-io/nats-server/v2"},
		{peersDir, "./bare"}, {peersDir, "./watermill"}, {peersDir, "./bento"},
	} {
		path := b.binary(filepath.Base(strings.TrimSuffix(one.pkg, "/v2")))
		if _, err := os.Stat(path); err == nil && one.dir == peersDir {
			continue
		}
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", path, one.pkg)
		cmd.Dir = one.dir
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w: %s", one.pkg, err, text)
		}
	}
	return nil
}
