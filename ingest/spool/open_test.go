package spool

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"switchlog/schemas"
)

// copyOf copies a file that is closed.
func copyOf(t *testing.T, path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestOpenRefuses(t *testing.T) {
	good := temp(t)
	s := start(t, good, nil)
	for n := range 100 {
		e := event(fmt.Sprint(n))
		e.Data = []byte(`"` + strings.Repeat("x", 1000) + `"`)
		s.mustAppend(1, e)
	}
	s.close()
	whole, err := os.ReadFile(good.Path)
	if err != nil {
		t.Fatal(err)
	}
	sqlOn := func(statement string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			db, err := sql.Open("sqlite3", path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec(statement); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	flipped := bytes.Clone(whole)
	for i := 4096; i < len(flipped); i += 4096 {
		flipped[i] ^= 0xff // the type of each page but the first
	}
	for _, tt := range []struct {
		name    string
		content []byte
		change  func(*testing.T, string)
		damaged bool
		text    string
	}{
		{name: "empty", content: nil, damaged: true, text: "cut short"},
		{name: "cut in the header", content: whole[:50], damaged: true, text: "cut short"},
		{name: "cut in a page", content: whole[:len(whole)/2+100], damaged: true},
		{name: "cut between pages", content: whole[:len(whole)/2/4096*4096], damaged: true},
		{name: "pages damaged", content: flipped, damaged: true},
		{name: "garbage", content: bytes.Repeat([]byte("garbage "), 1000), damaged: true, text: "not a SQLite file"},
		{name: "garbage after the header", content: append(bytes.Clone(whole[:100]), bytes.Repeat([]byte("garbage "), 1000)...), damaged: true},
		{name: "another program's", content: whole, change: sqlOn(`PRAGMA application_id = 1`), damaged: true, text: "not a spool"},
		{name: "format 0", content: whole, change: sqlOn(`PRAGMA user_version = 0`), damaged: true, text: "never existed"},
		{name: "newer", content: whole, change: sqlOn(`PRAGMA user_version = 4`), text: "newer than this program"},
		{name: "before the first release", content: whole, change: sqlOn(`PRAGMA user_version = 1`), text: "format 1"},
		{name: "a table is gone", content: whole, change: sqlOn(`DROP TABLE state`), damaged: true, text: "state"},
		{name: "a row is gone", content: whole, change: sqlOn(`DELETE FROM state`), damaged: true, text: "state"},
		{name: "rows are gone", content: whole, change: sqlOn(`DELETE FROM waiting WHERE last < 10`), damaged: true, text: "positions"},
		{name: "last row is gone", content: whole, change: sqlOn(`DELETE FROM waiting WHERE last = 100`), damaged: true, text: "positions"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := temp(t)
			if err := os.WriteFile(cfg.Path, tt.content, 0o600); err != nil {
				t.Fatal(err)
			}
			if tt.change != nil {
				tt.change(t, cfg.Path)
			}
			before, err := os.ReadFile(cfg.Path)
			if err != nil {
				t.Fatal(err)
			}
			s, err := Open(cfg)
			if err == nil {
				t.Fatalf("Open: got a spool, want an error; closing: %v", s.Close())
			}
			if errors.Is(err, ErrDamaged) != tt.damaged || !strings.Contains(err.Error(), tt.text) || !strings.Contains(err.Error(), "(hint: ") {
				t.Errorf("Open: got %v, want damaged %v, %q and a hint", err, tt.damaged, tt.text)
			}
			if after, err := os.ReadFile(cfg.Path); err != nil || len(after) < len(before) {
				t.Errorf("the file: got %d bytes, %v, want it left alone with %d", len(after), err, len(before))
			}
		})
	}
}

func TestOpenRefusesWALWithoutFile(t *testing.T) {
	cfg := temp(t)
	if err := os.WriteFile(cfg.Path+"-wal", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg); !errors.Is(err, ErrDamaged) {
		t.Errorf("Open: got %v, want ErrDamaged", err)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	cfg := temp(t)
	s := start(t, cfg, nil)
	if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("Open again: got %v, want in use", err)
	}
	s.mustAppend(1, event("a")) // and did no harm
}

func TestOpenAfterCrashWhileMaking(t *testing.T) {
	cfg := temp(t)
	if err := os.WriteFile(cfg.Path+".new", []byte("half a fi"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, cfg, nil).mustAppend(1, event("a"))
}

func TestFilesAreOurs(t *testing.T) {
	cfg := Config{Path: filepath.Join(t.TempDir(), "odd ?#% name.db")}
	s := start(t, cfg, nil)
	s.mustAppend(1, event("a"))
	files, err := filepath.Glob(filepath.Join(filepath.Dir(cfg.Path), "*"))
	if err != nil || len(files) != 4 {
		t.Errorf("files: got %q, %v, want the file, -wal, -shm and .lock", files, err)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("%s: got mode %o, want 600", f, got)
		}
	}
	s.close()
	if err := os.Chmod(cfg.Path, 0o644); err != nil {
		t.Fatal(err)
	}
	start(t, cfg, nil)
	if info, err := os.Stat(cfg.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode after Open: got %v, %v, want 600", info.Mode(), err)
	}
}

// After a backlog the file shrinks, the WAL is emptied, and no byte of what
// was forwarded stays in either.
func TestFileShrinks(t *testing.T) {
	cfg := temp(t)
	synctest.Test(t, func(t *testing.T) {
		log := newLog(t)
		log.away = true
		s := start(t, cfg, log)
		const secret = "this was forwarded"
		for range 60 {
			e := event(schemas.NewID())
			e.Data = []byte(`"` + strings.Repeat(secret, 1<<19/len(secret)) + `"`)
			s.mustAppend(1, e)
		}
		log.set(func(l *fakeLog) { l.away = false })
		log.wait(func(l *fakeLog) bool { return len(l.stored) == 60 })
		for range 60 { // each transaction gives back some
			s.mustAppend(1, event(schemas.NewID()))
			time.Sleep(200 * time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		for _, file := range []struct {
			name string
			max  int
		}{{cfg.Path, 18 << 20}, {cfg.Path + "-wal", 0}} {
			b, err := os.ReadFile(file.name)
			if err != nil {
				t.Fatal(err)
			}
			if len(b) > file.max {
				t.Errorf("%s: got %d bytes, want at most %d", file.name, len(b), file.max)
			}
			if bytes.Contains(b, []byte(secret)) {
				t.Errorf("%s: got what was forwarded in it, want none", file.name)
			}
		}
		s.close()
	})
}

func TestMetrics(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	cfg, log := temp(t), newLog(t)
	cfg.Metrics = registry
	s := start(t, cfg, log)
	e := event("a")
	e.Repeats = time.Hour
	s.mustAppend(1, e)
	s.mustAppend(0, e)
	if _, err := s.Append(t.Context(), event("")); err == nil {
		t.Error("Append: got nil, want an error")
	}
	log.holds("a")
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += "/" + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	for name, want := range map[string]float64{
		"switchlog_spool_accepted_total":        1,
		"switchlog_spool_repeats_total":         1,
		"switchlog_spool_refused_total/invalid": 1,
		"switchlog_spool_commit_seconds":        3,
		"switchlog_spool_batch_events":          3,
		"switchlog_forward_errors_total":        0,
	} {
		if v, there := got[name]; v != want || !there {
			t.Errorf("%s: got %v, %v, want %v", name, v, there, want)
		}
	}
	for _, name := range []string{"switchlog_spool_depth", "switchlog_spool_oldest_seconds", "switchlog_forward_total"} {
		if _, there := got[name]; !there {
			t.Errorf("%s: got none, want it", name)
		}
	}
}
