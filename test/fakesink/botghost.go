package fakesink

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"
)

// BotGhost is one bot's custom event.
type BotGhost struct {
	Sink
	Bot, Event string

	// Pace is the least time between two requests; sooner fails the test.
	Pace time.Duration

	mu     sync.Mutex // guards what follows
	last   time.Time
	key    string
	flying bool
}

// NewBotGhost makes an event.
func NewBotGhost(t TB) *BotGhost {
	return &BotGhost{Sink: newSink(t), Bot: "1150000000000000010", Event: "b1c2d3e4f5a6b7c8d9e0", key: "0b9f5d1c-fake-key"}
}

// Path is the event's path.
func (b *BotGhost) Path() string { return "/webhook/" + b.Bot + "/" + b.Event }

// Key is the API key that is good now.
func (b *BotGhost) Key() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.key
}

// Accept changes the API key; the one before stops at once.
func (b *BotGhost) Accept(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.key = key
}

func (b *BotGhost) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		b.misused(w, 405, `{"error": "method not allowed"}`, "botghost: %s", r.Method)
		return
	}
	if r.URL.Path != b.Path() || r.URL.RawQuery != "" {
		b.misused(w, 404, `{"error": "unknown event"}`, "botghost: %s", r.URL)
		return
	}
	b.mu.Lock()
	good := r.Header.Get("Authorization") == b.key
	early, last := time.Since(b.last) < b.Pace, b.last
	b.last = time.Now()
	twice := b.flying
	b.flying = true
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.flying = false
		b.mu.Unlock()
	}()
	if !good {
		answer(w, 401, `{"error": "invalid API key"}`)
		return
	}
	if early || twice {
		b.misused(w, 429, `{"error": "rate limit"}`, "botghost: a request %s after the one before, want %s; together: %v",
			time.Since(last), b.Pace, twice)
		return
	}
	body, err := readAll(r)
	if err != nil {
		return // the sender hung up
	}
	key, why := variablesFault(body)
	if why != "" {
		b.misused(w, 400, `{"error": "variables are malformed"}`, "botghost: %s in %s", why, body)
		return
	}
	b.take(key, body)
	answer(w, 200, `{"success": true}`)
}

// variablesFault is what is wrong with a body; key is the event id in it.
func variablesFault(body []byte) (key, why string) {
	var b struct {
		Variables []struct {
			Name     *string
			Variable *string
			Value    *string
		}
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return "", err.Error()
	}
	seen := map[string]bool{}
	for _, v := range b.Variables {
		switch {
		case v.Name == nil || v.Variable == nil || v.Value == nil:
			return "", "a variable is not whole"
		case !strings.HasPrefix(*v.Variable, "{") || !strings.HasSuffix(*v.Variable, "}") || len(*v.Variable) < 3:
			return "", "placeholder " + *v.Variable
		case seen[*v.Variable]:
			return "", "twice " + *v.Variable
		case len([]rune(*v.Value)) > 1024 || strings.ContainsFunc(*v.Value, func(r rune) bool { return r < ' ' }):
			return "", "value of " + *v.Variable
		}
		seen[*v.Variable] = true
		if *v.Variable == "{switchlog_message_id}" {
			key = *v.Value
		}
	}
	if !seen["{switchlog_event_id}"] || key == "" {
		return "", "no event id"
	}
	return key, ""
}
