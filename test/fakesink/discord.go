package fakesink

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf16"
)

// Discord is one channel's webhook.
type Discord struct {
	Sink
	ID, Token string

	// Limit messages are taken in Window, then 429; zero: any number.
	Limit  int
	Window time.Duration

	mu     sync.Mutex // guards what follows
	gone   bool
	opened time.Time // when the window began
	used   int
	over   int // requests after 429 and before the window's end
}

// NewDiscord makes a webhook.
func NewDiscord(t TB) *Discord {
	return &Discord{Sink: newSink(t), ID: "1150000000000000001", Token: "Fake-Token_0123456789abcdefghijklmnopqrstuvwxyz"}
}

// Path is the webhook's path.
func (d *Discord) Path() string { return "/api/webhooks/" + d.ID + "/" + d.Token }

// Delete deletes the webhook: it answers 404 from then on.
func (d *Discord) Delete() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gone = true
}

// Over is how many requests came while the limit was spent.
func (d *Discord) Over() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.over
}

func (d *Discord) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	gone := d.gone
	d.mu.Unlock()
	if gone {
		answer(w, 404, `{"message": "Unknown Webhook", "code": 10015}`)
		return
	}
	if r.URL.Path != d.Path() {
		d.misused(w, 401, `{"message": "Invalid Webhook Token", "code": 50027}`, "discord: path %s", r.URL.Path)
		return
	}
	if r.Method != http.MethodPost {
		d.misused(w, 405, `{"message": "405: Method Not Allowed", "code": 0}`, "discord: %s", r.Method)
		return
	}
	if !d.admit(w) {
		return
	}
	body, err := readAll(r)
	if err != nil {
		return // the sender hung up
	}
	if why := discordFault(r, body); why != "" {
		d.misused(w, 400, `{"message": "Invalid Form Body", "code": 50035}`, "discord: %s in %s", why, body)
		return
	}
	d.take(string(body), body)
	if r.URL.Query().Get("wait") == "true" {
		answer(w, 200, `{"id": "1160000000000000001", "type": 0, "content": ""}`)
		return
	}
	w.WriteHeader(204)
}

// admit counts a request against the limit, and says in headers what is left.
func (d *Discord) admit(w http.ResponseWriter) bool {
	if d.Limit == 0 {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if now.Sub(d.opened) >= d.Window {
		d.opened, d.used = now, 0
	}
	left := d.Window - now.Sub(d.opened)
	h := w.Header()
	h.Set("X-RateLimit-Limit", strconv.Itoa(d.Limit))
	h.Set("X-RateLimit-Reset-After", fmt.Sprintf("%.3f", left.Seconds()))
	h.Set("X-RateLimit-Bucket", "fake")
	if d.used >= d.Limit {
		d.over++
		h.Set("X-RateLimit-Remaining", "0")
		h.Set("Retry-After", strconv.Itoa(int(left.Seconds())+1))
		answer(w, 429, fmt.Sprintf(`{"message": "You are being rate limited.", "retry_after": %.3f, "global": false}`, left.Seconds()))
		return false
	}
	d.used++
	h.Set("X-RateLimit-Remaining", strconv.Itoa(d.Limit-d.used))
	return true
}

// message is what Execute Webhook takes, as far as anybody here sends it.
type message struct {
	Content  string  `json:"content"`
	Username *string `json:"username"`
	Avatar   *string `json:"avatar_url"`
	Embeds   []struct {
		Title       string
		Description string
		Color       *int
		Timestamp   string
		Thumbnail   *struct{ URL string }
		Footer      *struct{ Text string }
		Author      *struct{ Name string }
		Fields      []struct {
			Name, Value string
			Inline      bool
		}
	} `json:"embeds"`
	Mentions *struct {
		Parse *[]string `json:"parse"`
	} `json:"allowed_mentions"`
}

// discordFault is why Discord would refuse a message, or why nobody should
// send it: one that may ping people.
func discordFault(r *http.Request, body []byte) string {
	if ct := r.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/json") {
		return "content type " + ct
	}
	for name, values := range r.URL.Query() {
		switch {
		case name == "wait" && values[0] == "true":
		case name == "thread_id" && isDigits(values[0]):
		default:
			return "query " + name
		}
	}
	var m message
	if err := json.Unmarshal(body, &m); err != nil {
		return err.Error()
	}
	if m.Mentions == nil || m.Mentions.Parse == nil || len(*m.Mentions.Parse) > 0 {
		return "mentions are not disabled"
	}
	if m.Username != nil {
		if low := strings.ToLower(*m.Username); len16(*m.Username) > 80 || low == "" || strings.Contains(low, "discord") || strings.Contains(low, "clyde") {
			return "username"
		}
	}
	if strings.TrimSpace(m.Content) == "" && len(m.Embeds) == 0 {
		return "empty message"
	}
	if len16(m.Content) > 2000 || len(m.Embeds) > 10 {
		return "content or embeds too long"
	}
	total := 0
	for _, e := range m.Embeds {
		n, why := 0, ""
		check := func(what, text string, limit int, needed bool) {
			n += len16(text)
			if len16(text) > limit || needed && strings.TrimSpace(text) == "" {
				why = fmt.Sprintf("%s of %d", what, len16(text))
			}
		}
		check("title", e.Title, 256, false)
		check("description", e.Description, 4096, false)
		for _, f := range e.Fields {
			check("field name", f.Name, 256, true)
			check("field value", f.Value, 1024, true)
		}
		if e.Footer != nil {
			check("footer", e.Footer.Text, 2048, true)
		}
		if e.Author != nil {
			check("author", e.Author.Name, 256, true)
		}
		if total += n; why == "" {
			why = embedFault(e.Title+e.Description, e.Color, e.Timestamp, len(e.Fields))
		}
		if e.Thumbnail != nil && !isWeb(e.Thumbnail.URL) {
			why = "thumbnail " + e.Thumbnail.URL
		}
		if why != "" {
			return "embed: " + why
		}
	}
	if total > 6000 {
		return fmt.Sprintf("embeds of %d together", total)
	}
	return ""
}

func embedFault(text string, color *int, timestamp string, fields int) string {
	switch {
	case strings.TrimSpace(text) == "" && fields == 0:
		return "empty"
	case fields > 25:
		return fmt.Sprintf("%d fields", fields)
	case color != nil && (*color < 0 || *color > 0xffffff):
		return "color"
	}
	if timestamp != "" {
		if _, err := time.Parse(time.RFC3339, timestamp); err != nil {
			return "timestamp " + timestamp
		}
	}
	return ""
}

func len16(s string) int { return len(utf16.Encode([]rune(s))) }

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func isWeb(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
