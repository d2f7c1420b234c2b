package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"switchlog/schemas"
)

// helperEnv, if it is set, makes this test program a helper: the name of what
// to do, and the arguments.
const helperEnv = "SWITCHLOG_ENGINE_HELPER"

var helpers = map[string]func(args []string) error{
	"fold":    helpFold,
	"replace": helpReplace,
	"read":    helpRead,
	"full":    helpFull,
}

func TestMain(m *testing.M) {
	args := strings.Split(os.Getenv(helperEnv), "|")
	help, wanted := helpers[args[0]]
	if !wanted {
		goleak.VerifyTestMain(m)
	}
	if err := help(args[1:]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// start runs a helper. What it prints comes line by line; kill ends it at
// once, and wait returns how it ended.
func start(t *testing.T, args ...string) (lines *bufio.Scanner, kill func(), wait func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), helperEnv+"="+strings.Join(args, "|"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines = bufio.NewScanner(out)
	kill = func() {
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
	}
	return lines, kill, func() error {
		if _, err := io.Copy(io.Discard, out); err != nil {
			return err
		}
		return cmd.Wait()
	}
}

// hasLine reads the next line and holds it against want.
func hasLine(t *testing.T, lines *bufio.Scanner, want string) {
	t.Helper()
	if !lines.Scan() || lines.Text() != want {
		t.Fatalf("the helper says %q, %v; want %q", lines.Text(), lines.Err(), want)
	}
}

const killedEvents = 20_000

// helpFold folds a history from wherever the file stands, in batches of all
// sizes.
func helpFold(args []string) error {
	d, err := Open(Config{Path: args[0], Projections: []Projection{things}})
	if err != nil {
		return err
	}
	events := history(killedEvents)[d.position().Seq:]
	fmt.Println("begun")
	for size := 1; len(events) > 0; size = size*3%100 + 1 {
		n := min(size, len(events))
		if err := d.Apply(context.Background(), "epoch", events[:n]); err != nil {
			return err
		}
		events = events[n:]
	}
	return nil
}

// TestLaw4KilledAnywhere kills the folding process again and again, at random
// moments. Each time rows and position are what a fresh replay up to that
// position gives, outbox included.
func TestLaw4KilledAnywhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "projections.db")
	events := history(killedEvents)
	fresh := openTemp(t)
	at := uint64(0)
	for range 12 {
		lines, kill, wait := start(t, "fold", path)
		hasLine(t, lines, "begun")
		<-time.After(time.Duration(rand.IntN(60_000)) * time.Microsecond)
		kill()
		if err := wait(); err == nil {
			break // it was done before
		}
		d := open(t, path)
		pos := d.position().Seq
		if pos < at {
			t.Fatalf("got position %d after %d", pos, at)
		}
		apply(t, fresh, 1000, events[at:pos])
		at = pos
		if got, want := dumpAll(t, d), dumpAll(t, fresh); got != want {
			t.Fatalf("at position %d: rows differ from a fresh replay", pos)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if at == 0 {
		t.Error("it was never killed after its first batch")
	}
}

// helpReplace rebuilds the file into the next version and says when it swaps.
func helpReplace(args []string) error {
	d, err := Open(Config{Path: args[0], Projections: []Projection{thingsV2()}})
	if err != nil {
		return err
	}
	s, err := d.Scratch(0)
	if err != nil {
		return err
	}
	if err := s.Apply(context.Background(), "epoch", history(replacedEvents)); err != nil {
		return err
	}
	fmt.Println("replacing")
	if err := d.Replace(context.Background(), s); err != nil {
		return err
	}
	fmt.Println("replaced")
	return errors.Join(s.Discard(), d.Close())
}

const replacedEvents = 12_000

// TestLaw7KilledWhileReplacing: whenever it is killed, the file has all old
// rows or all new ones, and is sound.
func TestLaw7KilledWhileReplacing(t *testing.T) {
	dir := t.TempDir()
	events := history(replacedEvents)
	before := open(t, filepath.Join(dir, "before.db"))
	apply(t, before, 1000, events[:6_000])
	after := open(t, filepath.Join(dir, "after.db"), thingsV2())
	apply(t, after, 1000, events)
	oldRows, newRows := dumpAll(t, before, "outbox"), dumpAll(t, after, "outbox")
	due := dueCount(t, after)

	const kills = 6
	saw := map[string]int{}
	var takes time.Duration // from the first run, which is not killed
	for i := range kills + 1 {
		path := filepath.Join(dir, strconv.Itoa(i)+".db")
		if err := before.tx.Exec(`VACUUM INTO ?`, path); err != nil {
			t.Fatal(err)
		}
		lines, kill, wait := start(t, "replace", path)
		hasLine(t, lines, "replacing")
		begun := time.Now()
		if i == 0 {
			hasLine(t, lines, "replaced")
			takes = time.Since(begun)
		} else {
			<-time.After(takes * time.Duration(i-1) / (kills - 1))
			kill()
		}
		_ = wait() // killed or done, both are right

		d := open(t, path, thingsV2())
		if row, err := d.tx.Get(`PRAGMA integrity_check`); err != nil || row.Text(0) != "ok" {
			t.Fatalf("integrity: got %v, %v", row, err)
		}
		switch rows := dumpAll(t, d, "outbox"); rows {
		case oldRows:
			saw["old"]++
		case newRows:
			saw["new"]++
			if got := dueCount(t, d); got != due {
				t.Errorf("got %d entries in the outbox, want %d", got, due)
			}
		default:
			t.Fatal("neither the old rows nor the new ones")
		}
		// It can be tried again, whatever the killed one left beside it.
		s := scratch(t, d)
		if err := s.Discard(); err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if saw["old"] == 0 {
		t.Errorf("killed between 0 and %v after it began: saw %v, want some old", takes, saw)
	}
}

func dueCount(t *testing.T, d *DB) int64 {
	t.Helper()
	row, err := d.tx.Get(`SELECT count(*) FROM outbox`)
	if err != nil {
		t.Fatal(err)
	}
	return row.Int(0)
}

// helpRead reads the file in a loop through one connection, as another program
// would, until its input ends: old rows or new ones, never an error. It says
// what it sees when that changes.
func helpRead(args []string) error {
	tx, err := openReader(args[0])
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		_, _ = io.Copy(io.Discard, os.Stdin) // its end is the signal
	}()
	last := ""
	for n := 0; ; n++ {
		select {
		case <-stop:
			return tx.close()
		default:
		}
		var seen string
		err := tx.snapshot(context.Background(), func(p schemas.Position) error {
			row, err := tx.Get(`SELECT sum(n) FROM tallies`)
			if err != nil {
				return err
			}
			columns, err := tx.Get(`SELECT count(*) FROM pragma_table_info('things') WHERE name = 'loud'`)
			if err != nil {
				return err
			}
			seen = fmt.Sprintf("position %d, %d counted, %d new columns", p.Seq, row.Int(0), columns.Int(0))
			return nil
		})
		if err != nil {
			return err
		}
		if seen != last {
			fmt.Println(seen)
			last = seen
		}
	}
}

// TestReplaceUnderReaders: programs that have the file open, and programs that
// open it at that moment, see the old rows and then the new ones.
func TestReplaceUnderReaders(t *testing.T) {
	path := filepath.Join(t.TempDir(), "projections.db")
	events := history(replacedEvents)
	old := open(t, path)
	apply(t, old, 1000, events[:6_000])
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	d := open(t, path, thingsV2())
	s := scratch(t, d)
	apply(t, s, 1000, events)
	says := func(d *DB) string {
		row, err := d.tx.Get(`SELECT (SELECT seq FROM positions), (SELECT sum(n) FROM tallies),
			(SELECT count(*) FROM pragma_table_info('things') WHERE name = 'loud')`)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("position %d, %d counted, %d new columns", row.Int(0), row.Int(1), row.Int(2))
	}
	before, after := says(d), says(s)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	// One program has it open all the time.
	reader := exec.CommandContext(ctx, os.Args[0])
	reader.Env = append(os.Environ(), helperEnv+"=read|"+path)
	stdin, err := reader.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := reader.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	hasLine(t, lines, before)

	// Another, the sqlite3 shell, opens it again and again.
	shells := make(chan string, 1)
	go func() {
		seen := ""
		for !strings.HasSuffix(seen, after+"\n") {
			out, err := exec.CommandContext(ctx, "sqlite3", "-readonly", path,
				`SELECT format('position %d, %d counted, %d new columns', (SELECT seq FROM positions), (SELECT sum(n) FROM tallies),
				(SELECT count(*) FROM pragma_table_info('things') WHERE name = 'loud'))`).CombinedOutput()
			if !strings.HasSuffix(seen, string(out)) {
				seen += string(out)
			}
			if err != nil {
				seen += err.Error()
				break
			}
		}
		shells <- seen
	}()

	if err := d.Replace(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	hasLine(t, lines, after)
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	if err := reader.Wait(); err != nil {
		t.Errorf("the reader: %v", err)
	}
	if got := <-shells; got != before+"\n"+after+"\n" && got != after+"\n" {
		t.Errorf("the shell saw\n%s\nwant\n%s\n%s", got, before, after)
	}
}

// helpFull folds with no room for a larger file, then with.
func helpFull(args []string) error {
	d, err := Open(Config{Path: args[0], Projections: []Projection{things}})
	if err != nil {
		return err
	}
	events := history(3000)
	if err := d.Apply(context.Background(), "epoch", events[:100]); err != nil {
		return err
	}
	if err := limitFiles(64 << 10); err != nil {
		return err
	}
	err = d.Apply(context.Background(), "epoch", events[100:])
	fmt.Println("full:", err != nil, d.position().Seq)
	if err := limitFiles(1 << 40); err != nil {
		return err
	}
	if err := d.Apply(context.Background(), "epoch", events[100:]); err != nil {
		return err
	}
	fmt.Println("room:", d.position().Seq)
	return d.Close()
}

// limitFiles has every write beyond that many bytes of a file fail.
func limitFiles(bytes uint64) error {
	signal.Ignore(syscall.SIGXFSZ)
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	limit.Cur = min(bytes, limit.Max)
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
}

// TestLaw4DiskFull: a batch that cannot be written changes nothing, and is
// folded once there is room, by the same open database.
func TestLaw4DiskFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "projections.db")
	lines, _, wait := start(t, "full", path)
	hasLine(t, lines, "full: true 100")
	hasLine(t, lines, "room: 3000")
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	fresh := openTemp(t)
	apply(t, fresh, 1, history(3000))
	if got, want := dumpAll(t, open(t, path)), dumpAll(t, fresh); got != want {
		t.Error("rows differ from a fresh replay")
	}

	// SQLite's own way to say it, which ends the transaction by itself.
	d := openTemp(t)
	apply(t, d, 100, history(3000)[:100])
	before := dumpAll(t, d)
	if err := d.tx.exec(`PRAGMA max_page_count = 30`); err != nil {
		t.Fatal(err)
	}
	if err := d.Apply(t.Context(), "epoch", history(3000)); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("got %v, want disk full", err)
	}
	if got := dumpAll(t, d); got != before || d.position().Seq != 100 {
		t.Errorf("rows or position have changed: %+v", d.position())
	}
	if err := d.tx.exec(`PRAGMA max_page_count = 1000000`); err != nil {
		t.Fatal(err)
	}
	apply(t, d, 3000, history(3000))
	if got, want := dumpAll(t, d), dumpAll(t, fresh); got != want {
		t.Error("rows differ from a fresh replay")
	}
}
