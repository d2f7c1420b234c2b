//go:build linux

package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestPoster: what is sent is PluralKit's body, and each its own event.
func TestPoster(t *testing.T) {
	p := newPoster("127.0.0.1:1")
	for _, n := range []uint64{0, 1, 0xabcdef0123} {
		head, body, _ := strings.Cut(string(p.request(nil, n)), "\r\n\r\n")
		var in struct {
			Type     string
			Token    string `json:"signing_token"`
			SystemID string `json:"system_id"`
			ID       string
			Data     struct {
				ID        string
				Timestamp time.Time
				Members   []string
			}
		}
		if err := json.Unmarshal([]byte(body), &in); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		got, ok := switchNumber(in.ID)
		if !ok || got != n || in.Data.ID != in.ID || in.Data.Members[0] != members[n%2] || len(in.Token) != 64 ||
			!in.Data.Timestamp.Equal(epoch.Add(time.Duration(n)*time.Millisecond)) {
			t.Errorf("request %d: got\n%s\n%s", n, head, body)
		}
	}
}

// TestHistogram: a quantile is at most 1/64 off.
func TestHistogram(t *testing.T) {
	var h histogram
	for i := range 100_000 {
		h.add(time.Duration(i+1) * time.Microsecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 50 * time.Millisecond, 0.99: 99 * time.Millisecond, 1: 100 * time.Millisecond} {
		if got := h.quantile(q); got < want || got > want+want/60 {
			t.Errorf("quantile %v: got %v, want %v", q, got, want)
		}
	}
}

// TestParse: an answer is whole when it is, and not a byte before.
func TestParse(t *testing.T) {
	for _, text := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	} {
		for n := range len(text) {
			if _, whole := parse([]byte(text[:n])); whole {
				t.Errorf("%q: whole after %d bytes", text, n)
			}
		}
		if status, whole := parse([]byte(text)); !whole || status != "200" {
			t.Errorf("%q: got %q, whole %v", text, status, whole)
		}
	}
}
