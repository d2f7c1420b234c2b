package projections

import (
	"bufio"
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"switchlog/projections/engine"
	"switchlog/schemas"
)

var update = flag.Bool("update", false, "write the files in testdata anew")

// TestGolden folds and asks as the files in testdata say. A file has sections,
// taken in order:
//
//	-- events --         events to fold as one batch, one JSON object a line; # starts a remark
//	-- query NAME k=v -- the rows a query answers, one a line
//	-- sql SELECT … --   the rows of any statement, one a line
//	-- changes --        the changes since the last such section, one a line
//
// A query is that of the first source that has one of the name, or of the one
// named before a slash: token/received.
//
// An event has type, subject, ext (extension attributes) and data as in the log. What it leaves out is
// source "pluralkit", tenant "sys-1", id "e{n}" and time 2025-01-01 00:00 UTC
// plus n seconds, where n counts the events of the file from 1.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d files in testdata (%v), want some", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			g := &golden{t: t, db: openTest(t, All)}
			for i := range archive.Files {
				section := &archive.Files[i]
				got := g.section(section.Name, section.Data)
				if got == string(section.Data) {
					continue
				}
				if !*update {
					t.Errorf("-- %s --\ngot:\n%swant:\n%s", section.Name, got, section.Data)
				}
				section.Data = []byte(got)
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// openTest opens a new database that is closed when the test ends.
func openTest(t testing.TB, all []engine.Projection) *DB {
	t.Helper()
	return openWith(t, engine.Config{Projections: all, Log: loud(t)})
}

func openWith(t testing.TB, cfg engine.Config) *DB {
	t.Helper()
	cfg.Path = filepath.Join(t.TempDir(), "projections.db")
	db, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

type golden struct {
	t    *testing.T
	db   *DB
	seq  uint64
	sent uint64 // sequence up to which changes were shown
}

// section does what a section says and returns what it should hold.
func (g *golden) section(name string, data []byte) string {
	word, rest, _ := strings.Cut(name, " ")
	switch word {
	case "events":
		g.fold(data)
		return string(data)
	case "query":
		return g.query(strings.Fields(rest))
	case "sql":
		return lines(rowsOf(g.t, g.db, rest))
	case "changes":
		return g.changes()
	}
	g.t.Fatalf("a section %q: want events, query, sql or changes", name)
	return ""
}

func (g *golden) fold(ndjson []byte) {
	g.t.Helper()
	var batch []schemas.Recorded
	for s := bufio.NewScanner(bytes.NewReader(ndjson)); s.Scan(); {
		if line := bytes.TrimSpace(s.Bytes()); len(line) == 0 || line[0] == '#' {
			continue
		}
		g.seq++
		batch = append(batch, parseEvent(g.t, s.Bytes(), g.seq))
	}
	if err := g.db.Apply(g.t.Context(), "epoch", batch); err != nil {
		g.t.Fatal(err)
	}
}

func parseEvent(t testing.TB, line []byte, n uint64) schemas.Recorded {
	t.Helper()
	in := struct {
		Source, Tenant, Type, Subject, ID, Time string
		Data                                    json.RawMessage
		Ext                                     map[string]any

		// Of the kinds that anybody may send to.
		Sender, DataContentType, DataSchema string
		Binary                              []byte
	}{Source: schemas.PluralKit, Tenant: "sys-1", ID: fmt.Sprintf("e%d", n)}
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	at := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Second)
	if in.Time != "" {
		var err error
		if at, err = time.Parse(time.RFC3339Nano, in.Time); err != nil {
			t.Fatal(err)
		}
	}
	if schemas.IsGeneric(in.Source) {
		return schemas.Recorded{Seq: n, Event: schemas.Event{
			ID: in.ID, Source: in.Sender, Type: in.Type, Subject: in.Subject, Time: at, Data: in.Data,
			DataContentType: in.DataContentType, DataSchema: in.DataSchema, Binary: in.Binary, Extensions: in.Ext,
			Route: schemas.GenericRoute(in.Source, in.Tenant),
		}}
	}
	part := strings.Split(in.Type, ".")
	if len(part) < 3 {
		t.Fatalf("type %q: want speaker, noun and verb", in.Type)
	}
	return schemas.Recorded{Seq: n, Event: schemas.Event{
		ID: in.ID, Source: "urn:test:" + in.Tenant, Type: in.Type, Subject: in.Subject, Time: at, Data: in.Data, Extensions: in.Ext,
		Route: schemas.Route{Source: in.Source, Tenant: in.Tenant, Noun: part[len(part)-2], Verb: part[len(part)-1]},
	}}
}

// query answers as the read API will, for the tenant sys-1 or the one given.
func (g *golden) query(words []string) string {
	g.t.Helper()
	given := map[string]string{"tenant": "sys-1"}
	for _, w := range words[1:] {
		k, v, _ := strings.Cut(w, "=")
		given[k] = v
	}
	return lines(ask(g.t, g.db, words[0], given))
}

// ask runs a query of the projections with what is given of its parameters.
func ask(t *testing.T, db *DB, name string, given map[string]string) []string {
	t.Helper()
	source, query, named := strings.Cut(name, "/")
	if !named {
		query = name
	}
	for _, p := range All {
		for _, q := range p.Queries {
			if q.Name == query && (!named || p.Source == source) {
				if q.SQL == "" {
					return []string{computed(t, db, p.Source, query, given)}
				}
				return rowsOf(t, db, q.SQL, bind(t, q, given)...)
			}
		}
	}
	t.Fatalf("no query %s", name)
	return nil
}

// computed is the answer of a computed query.
func computed(t testing.TB, db *DB, source, name string, given map[string]string) string {
	t.Helper()
	a, err := db.Ask(t.Context(), source, name, given)
	if err != nil {
		t.Fatal(err)
	}
	return string(a.Body)
}

func bind(t *testing.T, q engine.Query, given map[string]string) []any {
	t.Helper()
	args := []any{sql.Named("tenant", given["tenant"])}
	for _, p := range q.Params {
		text, there := given[p.Name]
		if !there {
			text = p.Default
		}
		var v any
		switch {
		case !there && p.Default == "":
		case p.Kind == schemas.Time:
			us, err := schemas.ParseTime(text)
			if err != nil {
				t.Fatal(err)
			}
			v = us
		case p.Kind == schemas.Int:
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			v = n
		default:
			v = text
		}
		args = append(args, sql.Named(p.Name, v))
	}
	return args
}

// rowsOf runs a statement as a reader would and gives each row as a JSON
// object, as Projection says.
func rowsOf(t testing.TB, db *DB, query string, args ...any) []string {
	t.Helper()
	var out []string
	eachRow(t, db, query, args, func(columns []string, values []any) { out = append(out, rowJSON(t, columns, values)) })
	return out
}

// eachRow asks the file as another program would, through a connection of its
// own, and hands over row by row.
func eachRow(t interface{ Fatal(...any) }, db *DB, query string, args []any, fn func(columns []string, values []any)) {
	err := func() (err error) {
		pool, err := sql.Open("sqlite3", "file:"+db.Path()+"?mode=ro")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, pool.Close()) }()
		rows, err := pool.Query(query, args...)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		values, to := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			to[i] = &values[i]
		}
		for rows.Next() {
			if err := rows.Scan(to...); err != nil {
				return err
			}
			fn(columns, values)
		}
		return rows.Err()
	}()
	if err != nil {
		t.Fatal(query, err)
	}
}

func rowJSON(t testing.TB, names []string, values []any) string {
	t.Helper()
	var b strings.Builder
	for i, name := range names {
		v := values[i]
		if short, is := strings.CutSuffix(name, "_json"); is && v != nil {
			name, v = short, json.RawMessage(v.(string))
		} else if short, is := strings.CutSuffix(name, "_bool"); is {
			if name = short; v != nil {
				v = v.(int64) != 0
			}
		}
		b.WriteString(map[bool]string{true: "{", false: ","}[i == 0])
		var value bytes.Buffer
		enc := json.NewEncoder(&value)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		fmt.Fprintf(&b, "%q:%s", name, bytes.TrimSpace(value.Bytes()))
	}
	return b.String() + "}"
}

// changes is what was published since the last call, as "type subject: data".
func (g *golden) changes() string {
	g.t.Helper()
	var out []string
	for _, o := range dueAfter(g.t, g.db, g.sent) {
		g.sent = o.Seq
		if o.FrontersKey != "" {
			out = append(out, "FRONTERS "+o.FrontersKey+": "+string(o.Fronters))
		}
		if o.Change == nil {
			continue
		}
		e, err := schemas.ParseMessage(*o.Change)
		if err != nil {
			g.t.Fatal(err)
		}
		out = append(out, e.Type+" "+e.Subject+": "+string(e.Data))
	}
	return lines(out)
}

func dueAfter(t testing.TB, db *DB, seq uint64) []schemas.Outgoing {
	t.Helper()
	due, err := db.Due(t.Context(), 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	for len(due) > 0 && due[0].Seq <= seq {
		due = due[1:]
	}
	return due
}

func lines(rows []string) string {
	if len(rows) == 0 {
		return ""
	}
	return strings.Join(rows, "\n") + "\n"
}
