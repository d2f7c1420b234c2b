package test

import (
	"archive/tar"
	"compress/gzip"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestUpgrade starts on a data directory that an older switchlog wrote, whose tables
// were other ones: the database is built anew by itself, and each query that was
// answered then has the same answer now.
//
// testdata/upgrade.tar.gz is that directory (two systems, a shop, a webhook; all of
// it made up) and beside it the answers.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	unpack(t, "testdata/upgrade.tar.gz", dir)
	data := filepath.Join(dir, "data")
	if got := tablesOf(t, data); !slices.Contains(got, "entity_events") {
		t.Fatalf("the older database: got tables %v, want entity_events among them", got)
	}
	s := start(t, data)
	s.secret(sampleToken)
	s.ready()
	s.settled()
	if got := tablesOf(t, data); slices.Contains(got, "entity_events") {
		t.Errorf("after the start: got tables %v, want those of this version", got)
	}
	answers, err := filepath.Glob(filepath.Join(dir, "answers", "*.json"))
	if err != nil || len(answers) < 10 {
		t.Fatalf("got %d answers, %v", len(answers), err)
	}
	for _, file := range answers {
		words := strings.Split(strings.TrimSuffix(filepath.Base(file), ".json"), ".")
		before, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, _, now := s.get("/api/v1/" + strings.Join(words, "/"))
		if diff := lost(decoded(t, before), decoded(t, now)); diff != "" {
			t.Errorf("%s: %s\nbefore %s\nnow    %s", filepath.Base(file), diff, before, now)
		}
	}
	Check(s) // it asks verify, too
}

// unpack writes a tar file's directories and files below dir.
func unpack(t *testing.T, name, dir string) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		head, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.Clean("/"+head.Name))
		if head.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, 0o700)
		} else {
			var body []byte
			if body, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, body, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// tablesOf is the tables of the database in a data directory.
func tablesOf(t *testing.T, data string) []string {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(data, "projections.db")+"?mode=ro&_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	return rows(t, db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
}

func decoded(t *testing.T, text []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

// lost says what of an answer is not in another, which may say more; empty: nothing.
func lost(before, now any) string {
	switch before := before.(type) {
	case map[string]any:
		object, is := now.(map[string]any)
		for key, value := range before {
			if !is {
				return "no object"
			}
			if diff := lost(value, object[key]); diff != "" {
				return key + ": " + diff
			}
		}
		return ""
	case []any:
		list, _ := now.([]any)
		if len(list) != len(before) {
			return "another length"
		}
		for i := range before {
			if diff := lost(before[i], list[i]); diff != "" {
				return diff
			}
		}
		return ""
	}
	if !reflect.DeepEqual(before, now) {
		return "another value"
	}
	return ""
}
