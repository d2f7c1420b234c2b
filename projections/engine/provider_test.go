package engine

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// providers are names by which a provider, or a thing of one, would be known.
var providers = regexp.MustCompile(`(?i)plural|pk_|discord|botghost|stellar|ntfy|cloudevents|standardwebhooks|sharedtoken|` +
	`system_uuid|\bsystems?\b|\bmembers?\b|\bguilds?\b|autoproxy|\bswitches\b|subscription`)

// outside are the packages that are not of the standard library.
var outside = []string{
	"switchlog/schemas", "github.com/mattn/go-sqlite3", "github.com/prometheus/client_golang/prometheus", "golang.org/x/sync/errgroup",
}

// TestEngineKnowsNoProvider: in code, SQL and comments no provider is named, and of
// ours only schemas is imported.
func TestEngineKnowsNoProvider(t *testing.T) {
	files, err := filepath.Glob("*")
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || !strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, ".sql") {
			continue
		}
		read++
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			if found := providers.FindString(line); found != "" {
				t.Errorf("%s:%d names %q: %s", name, i+1, found, strings.TrimSpace(line))
			}
		}
		if strings.HasSuffix(name, ".sql") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if first, _, _ := strings.Cut(path, "/"); (strings.Contains(first, ".") || first == "switchlog") && !slices.Contains(outside, path) {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
	if read < 20 {
		t.Errorf("only %d files were read", read)
	}
}
