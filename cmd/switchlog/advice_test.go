package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/mattn/go-sqlite3"
)

// destroys matches advice after which something of a person's is gone.
var destroys = regexp.MustCompile(`(?i)\(hint: [^)]*\b(delete|rm|wipe|erase|truncate|drop table)\b`)

// TestNoAdviceDestroys: no hint in the program tells a person to delete
// anything. What is damaged is kept, or moved aside.
func TestNoAdviceDestroys(t *testing.T) {
	root := filepath.Join("..", "..")
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(b), "\n") {
			if strings.HasPrefix(strings.TrimSpace(line), "//") {
				continue
			}
			if found := destroys.FindString(line); found != "" && !strings.Contains(found, "do not delete") {
				t.Errorf("%s:%d: %s", path, i+1, found)
			}
		}
		return nil
	})
	if err != nil || files < 100 {
		t.Fatalf("%d files, %v", files, err)
	}
}

// TestTroubleIsToldApart: the doctor calls damage what is damage, and says for
// everything else what it is; no advice of it destroys.
func TestTroubleIsToldApart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	const hint = "keep the file"
	for _, c := range []struct {
		err     error
		says    string
		damaged bool
	}{
		{sqlite3.Error{Code: sqlite3.ErrCorrupt}, "is damaged", true},
		{sqlite3.Error{Code: sqlite3.ErrNotADB}, "is damaged", true},
		{sqlite3.Error{Code: sqlite3.ErrBusy}, "in use by another program", false},
		{sqlite3.Error{Code: sqlite3.ErrFull}, "no space left", false},
		{sqlite3.Error{Code: sqlite3.ErrIoErr}, "the disk cannot read or write", false},
		{sqlite3.Error{Code: sqlite3.ErrCantOpen}, "may not be used by", false},
		{sqlite3.Error{Code: sqlite3.ErrReadonly}, "may not be used by", false},
		{syscall.EACCES, "may not be used by", false},
		{syscall.EROFS, "read-only", false},
		{syscall.ENOSPC, "no space left", false},
		{syscall.EIO, "the disk cannot read or write", false},
	} {
		for _, err := range []error{c.err, fmt.Errorf("opening: %w", c.err)} {
			f := databaseTrouble("secrets", path, hint, err)
			if !strings.Contains(f.Says, c.says) || strings.Contains(f.Says, "damaged:") != c.damaged || f.Hint == "" || destroys.MatchString("(hint: "+f.Hint) {
				t.Errorf("%v: got %+v, want %q and a hint that destroys nothing", err, f, c.says)
			}
		}
	}
}
