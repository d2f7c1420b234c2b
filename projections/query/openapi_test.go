package query

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestOpenAPI: every query is there, every parameter of a path is declared,
// everything referred to exists.
func TestOpenAPI(t *testing.T) {
	body := OpenAPI(testProjections)
	var doc map[string]any
	if err := json.Unmarshal(body, &doc); err != nil {
		t.Fatal(err)
	}
	checkRefs(t, doc, doc)
	paths := doc["paths"].(map[string]any)
	want := map[string]string{Root + "pluralkit/{tenant}/changes": "pluralkit.changes", Root + "botghost/{tenant}/changes": "botghost.changes",
		Root + "pluralkit": "pluralkit.tenants", Root + "botghost": "botghost.tenants"}
	for _, p := range testProjections {
		for _, q := range p.Queries {
			want[Root+p.Source+"/{tenant}/"+q.Path] = p.Source + "." + q.Name
		}
	}
	if len(paths) != len(want) {
		t.Errorf("%d paths, want %d", len(paths), len(want))
	}
	for path, id := range want {
		item, ok := paths[path].(map[string]any)
		if !ok {
			t.Errorf("no path %s", path)
			continue
		}
		op := item["get"].(map[string]any)
		if op["operationId"] != id {
			t.Errorf("%s: operationId %v, want %s", path, op["operationId"], id)
		}
		declared := map[string]bool{}
		for _, p := range op["parameters"].([]any) {
			p := p.(map[string]any)
			if target, ok := p["$ref"].(string); ok {
				p = resolve(doc, target).(map[string]any)
			}
			name := p["name"].(string)
			inPath := strings.Contains(path, "{"+name+"}")
			if declared[name] || (p["in"] == "path") != inPath || inPath && p["required"] != true || p["description"] == "" || p["schema"] == nil {
				t.Errorf("%s: parameter %v", path, p)
			}
			declared[name] = true
		}
		for _, name := range pathParams(path) {
			if !declared[name] {
				t.Errorf("%s: parameter %s is not declared", path, name)
			}
		}
		for _, code := range []string{"200", "401", "404"} {
			if op["responses"].(map[string]any)[code] == nil {
				t.Errorf("%s: no response %s", path, code)
			}
		}
	}
	for path, want := range map[string]any{"limit": 100.0, "all": true} {
		if got := defaultOf(paths[Root+"pluralkit/{tenant}/switches"], path); got != want {
			t.Errorf("default of %s: %v, want %v", path, got, want)
		}
	}
	if string(OpenAPI(testProjections)) != string(body) {
		t.Error("two of the same differ")
	}
}

func defaultOf(item any, name string) any {
	for _, p := range item.(map[string]any)["get"].(map[string]any)["parameters"].([]any) {
		if p := p.(map[string]any); p["name"] == name {
			return p["schema"].(map[string]any)["default"]
		}
	}
	return nil
}

func checkRefs(t *testing.T, doc map[string]any, v any) {
	switch v := v.(type) {
	case map[string]any:
		if target, ok := v["$ref"].(string); ok && resolve(doc, target) == nil {
			t.Errorf("%s is not there", target)
		}
		for _, inner := range v {
			checkRefs(t, doc, inner)
		}
	case []any:
		for _, inner := range v {
			checkRefs(t, doc, inner)
		}
	}
}

func resolve(doc map[string]any, target string) any {
	var at any = doc
	for part := range strings.SplitSeq(strings.TrimPrefix(target, "#/"), "/") {
		m, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = m[part]
	}
	return at
}
