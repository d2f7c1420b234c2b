package test

import (
	"bufio"
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// history is n events of a system, as lines of a file: some members, then
// switches among them, some of them moved or deleted later.
func history(t *testing.T, n int) string {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	var b strings.Builder
	members, switches := []string{}, []string{}
	for i := range n {
		at = at.Add(time.Duration(1+random.IntN(3_600_000)) * time.Millisecond)
		id := uuid.NewSHA1(uuid.Nil, fmt.Append(nil, i)).String()
		typ, data := "switch.create", map[string]any{}
		switch roll := random.IntN(20); {
		case i < 20:
			typ, data["name"] = "member.create", fmt.Sprint("member ", i)
			members = append(members, id)
		case roll == 0:
			typ, id, data["pronouns"] = "member.update", members[random.IntN(len(members))], fmt.Sprint("p", i)
		case roll == 1 && len(switches) > 0:
			typ, id, data["timestamp"] = "switch.update", switches[random.IntN(len(switches))], at.Add(-time.Hour*24).Format(time.RFC3339Nano)
		case roll == 2 && len(switches) > 0:
			typ, id, data = "switch.delete", switches[random.IntN(len(switches))], nil
		default:
			front := []string{}
			for _, m := range random.Perm(len(members))[:random.IntN(4)] {
				front = append(front, members[m])
			}
			data["timestamp"], data["members"] = at.Format(time.RFC3339Nano), front
			switches = append(switches, id)
		}
		line, err := json.Marshal(map[string]any{
			"specversion": "1.0", "id": fmt.Sprint("event-", i), "source": "https://api.pluralkit.me/v2/systems/" + sampleSystem,
			"type": "me.pluralkit." + typ, "subject": id, "time": at.Format(time.RFC3339Nano), "data": data,
		})
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(line, '\n'))
	}
	return b.String()
}

// readers are sqlite3 shells that read the database all the time, one that
// stays and one that is started again and again.
type readers struct {
	t    *testing.T
	stop chan struct{}
	wg   sync.WaitGroup

	mu   sync.Mutex
	read int
}

const readQuery = "SELECT (SELECT count(*) FROM switches) || ' ' || (SELECT count(*) FROM members) || ' ' || (SELECT count(*) FROM switch_timeline);"

func startReaders(t *testing.T, s *server) *readers {
	t.Helper()
	r := &readers{t: t, stop: make(chan struct{})}
	path := filepath.Join(s.dir, "projections.db")
	want := strings.Join(rows(t, s.database(), strings.TrimSuffix(readQuery, ";")), "\n")
	note := func(got, errOut string, err error) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		if got = strings.TrimSpace(got); err != nil || errOut != "" || got != want {
			t.Errorf("sqlite3 -readonly meanwhile: got %q, %q, %v, want %q", got, errOut, err, want)
			return false
		}
		r.read++
		return true
	}
	r.wg.Go(func() {
		for !r.stopped() {
			cmd := exec.Command("sqlite3", "-readonly", path, readQuery)
			var out, errOut bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &errOut
			err := cmd.Run()
			if !note(out.String(), errOut.String(), err) {
				return
			}
		}
	})
	stays := exec.Command("sqlite3", "-readonly", "-batch", path)
	in, err := stays.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := stays.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	errOut := &logBuffer{}
	stays.Stderr = errOut
	if err := stays.Start(); err != nil {
		t.Fatal(err)
	}
	r.wg.Go(func() {
		lines := bufio.NewReader(out)
		ask := func() bool {
			if _, err := io.WriteString(in, readQuery+"\nSELECT 'end';\n"); err != nil {
				return note("", errOut.String(), err)
			}
			var got string
			for {
				line, err := lines.ReadString('\n')
				if err != nil {
					return note(got, errOut.String(), err)
				}
				if line == "end\n" { // comes even after an error
					return note(got, errOut.String(), nil)
				}
				got += line
			}
		}
		for !r.stopped() && ask() {
		}
		in.Close()
		if err := stays.Wait(); err != nil {
			t.Errorf("sqlite3: %v: %s", err, errOut)
		}
	})
	return r
}

func (r *readers) stopped() bool {
	select {
	case <-r.stop:
		return true
	default:
		return false
	}
}

// end stops the readers and wants them to have read.
func (r *readers) end() {
	r.t.Helper()
	close(r.stop)
	r.wg.Wait()
	if r.read < 2 && !r.t.Failed() {
		r.t.Errorf("read %d times meanwhile, want some", r.read)
	}
	r.t.Logf("read %d times meanwhile", r.read)
}

// TestRebuild: a rebuild disturbs no reader and gives the same rows; a row
// that was changed behind our back is found and put right.
func TestRebuild(t *testing.T) {
	t.Parallel()
	n := rounds(600, 200_000)
	s := start(t, t.TempDir())
	s.ready()
	s.cli(history(t, n), "import", "-")
	log := Check(s)
	if len(log) != n {
		t.Fatalf("log: got %d events, want %d", len(log), n)
	}
	before, changes := dump(t, s, log), len(s.stream("CHANGES"))
	reading := startReaders(t, s)
	for range 2 {
		begun := time.Now()
		checkProgress(t, s.cli("", "rebuild", "--json"), "rebuild", n)
		t.Logf("rebuilt in %v", time.Since(begun))
	}
	reading.end()
	sameTables(t, dump(t, s, log), before)
	checkProgress(t, s.cli("", "verify", "--json"), "verify", n)
	if now := len(s.stream("CHANGES")); now != changes {
		t.Errorf("changes: got %d after rebuilds, want %d: a rebuild sends nothing", now, changes)
	}

	db, err := sql.Open("sqlite3", "file:"+filepath.Join(s.dir, "projections.db")+"?_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	member := rows(t, db, "SELECT uuid FROM members ORDER BY uuid LIMIT 1")[0]
	gone := rows(t, db, "SELECT uuid FROM switches ORDER BY uuid LIMIT 1")[0]
	for _, damage := range []string{
		"UPDATE members SET name = 'somebody else' WHERE uuid = '" + member + "'",
		"DELETE FROM switches WHERE uuid = '" + gone + "'",
		"INSERT INTO switch_purges (system_uuid, purged_us) VALUES ('nobody', 7)",
	} {
		if _, err := db.Exec(damage); err != nil {
			t.Fatal(err)
		}
	}
	out, errOut, code := s.try("", "verify")
	for _, want := range []string{"/" + member, "somebody else", "/" + gone, "switch_purges "} {
		if !strings.Contains(out, want) {
			t.Errorf("verify of a damaged database: got %s, want %q in it", out, want)
		}
	}
	if code != 1 || !strings.Contains(errOut, "3 rows differ") || !strings.Contains(errOut, "(hint: ") {
		t.Errorf("verify of a damaged database: got exit code %d, %s, want 1 and 3 rows", code, errOut)
	}
	if _, _, code := s.try("", "verify", "--json"); code != 1 {
		t.Errorf("verify --json of a damaged database: got exit code %d, want 1", code)
	}
	if out := s.cli("", "rebuild"); !strings.Contains(out, "3 rows differ from before") || !strings.Contains(out, member) {
		t.Errorf("rebuild of a damaged database: got %s, want the 3 rows", out)
	}
	sameTables(t, dump(t, s, log), before)
	Check(s)
}

// sameTables is compareTables for many rows: it tells only which tables differ.
func sameTables(t *testing.T, got, want map[string][]string) {
	t.Helper()
	for _, table := range sortedKeys(want) {
		if strings.Join(got[table], "\n") != strings.Join(want[table], "\n") {
			t.Errorf("table %s: got %d rows, want the same %d as before", table, len(got[table]), len(want[table]))
		}
	}
}

// checkProgress wants lines of progress that go up to the outcome.
func checkProgress(t *testing.T, out, command string, events int) {
	t.Helper()
	var last struct {
		Step        string
		Done, Total uint64
		Outcome     *struct {
			Events, Differences, Skipped int64
			Swapped                      bool
		}
	}
	steps := map[string]uint64{}
	for _, line := range strings.Split(strings.TrimSpace(out), "\n") {
		last.Outcome = nil
		if err := json.Unmarshal([]byte(line), &last); err != nil {
			t.Fatalf("%s --json: %v: %s", command, err, line)
		}
		if last.Done < steps[last.Step] || last.Done > last.Total {
			t.Errorf("%s --json: got %s after %d", command, line, steps[last.Step])
		}
		steps[last.Step] = last.Done
	}
	if o := last.Outcome; o == nil || o.Events != int64(events) || o.Differences != 0 || o.Skipped != 0 || o.Swapped != (command == "rebuild") {
		t.Errorf("%s --json: got %s, want an outcome of %d events without difference", command, out, events)
	}
	if len(steps) < 3 {
		t.Errorf("%s --json: got steps %v, want fold, compare and done", command, steps)
	}
}
