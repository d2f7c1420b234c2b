package test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// TestGoModIsWhatWeImport: go.mod names a module as direct when, and only when,
// one of our packages imports it. It is the part of go mod tidy that needs no
// network.
func TestGoModIsWhatWeImport(t *testing.T) {
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
		Tool []struct{ Path string }
	}
	if err := json.Unmarshal(output(t, "go", "mod", "edit", "-json"), &mod); err != nil {
		t.Fatal(err)
	}
	// providing is the required module an import path belongs to: the longest
	// that fits, since modules nest.
	providing := func(path string) string {
		best := ""
		for _, r := range mod.Require {
			if within(path, r.Path) && len(r.Path) > len(best) {
				best = r.Path
			}
		}
		return best
	}
	imported := map[string]string{} // module: one of ours that imports it
	for _, p := range packages(t) {
		for _, path := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if m := providing(path); m != "" && !strings.HasPrefix(path, module+"/") {
				imported[m] = p.short()
			}
		}
	}
	tools := map[string]bool{}
	for _, tool := range mod.Tool {
		tools[providing(tool.Path)] = true
	}
	for _, r := range mod.Require {
		by, used := imported[r.Path]
		switch {
		case tools[r.Path]:
		case used && r.Indirect:
			t.Errorf("go.mod: %s is // indirect, but %s imports it (hint: go mod tidy)", r.Path, by)
		case !used && !r.Indirect:
			t.Errorf("go.mod: %s is direct, but nothing of ours imports it (hint: go mod tidy)", r.Path)
		}
	}
}
