package fakepk

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
)

// FuzzRequest: whatever is asked for, the API answers with JSON, with nothing, or not at all by design.
func FuzzRequest(f *testing.F) {
	for _, path := range []string{"systems/@me", "systems/kfazoe/switches?before=2025-11-28T17:01:44.271093Z&limit=3", "members/ABV-enk/guilds/1",
		"systems/@me/autoproxy?guild_id=1", "messages/1444000000000000005", "systems/%zz/groups?with_members=1", "groups//members",
		"systems/@me/switches/c4f1e2d3-1a2b-4c3d-9e4f-5a6b7c8d9e01", "systems/@me/switches?before=9999-99-99T99:99:99Z"} {
		f.Add(path, true)
		f.Add(path, false)
	}
	f.Fuzz(func(t *testing.T, path string, owner bool) {
		x := newExample(t, Config{}).switched()
		x.message(false)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://fake/v2/"+path, nil)
		if err != nil {
			return // no client can send it
		}
		req.RemoteAddr = "127.0.0.1:1"
		req.Header.Set("User-Agent", "fuzz")
		if owner {
			req.Header.Set("Authorization", x.Token())
		}
		rec := httptest.NewRecorder()
		NewAPI(t, x.w, APIConfig{}).ServeHTTP(rec, req)
		if body := rec.Body.Bytes(); len(body) > 0 && !json.Valid(body) {
			t.Errorf("got %d %s, want JSON", rec.Code, body)
		}
	})
}
