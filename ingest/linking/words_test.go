package linking

import (
	"fmt"
	"strings"
	"testing"
)

// TestSaid holds each of the bot's answers, in its own words, against what a
// person is told.
func TestSaid(t *testing.T) {
	failed := "Failed to validate the webhook url: "
	unknown := func(word string) string { return failed + "an unknown error occurred (" + word + ")" }
	for _, c := range []struct {
		said string
		word string
		want []string // parts of the sentence
	}{
		{"OK", "OK", []string{"is linked"}},
		{"✅ Successfully the new webhook URL for your system.", "OK", []string{"is linked"}},
		{"BadData", "BadData", []string{"https://", "xn--"}},
		{failed + "the webhook url is invalid", "BadData", []string{"https://", "xn--"}},
		{"NoIPs", "NoIPs", []string{"A record", "IPv6"}},
		{"InvalidIP", "InvalidIP", []string{"public address", "100.64"}},
		{failed + "could not find any valid IP addresses for the provided domain", "", []string{"no IPv4", "from the internet", "doctor"}},
		{unknown("ResolveFailed"), "ResolveFailed", []string{"name server", "3 seconds"}},
		{failed + "unable to reach server", "FetchFailed", []string{"firewall", "certificate", "10 seconds", "doctor"}},
		{failed + "server failed to validate the signing token", "TestFailed", []string{"not 401", "proxy"}},
		{unknown("InvalidResponseCode(204)"), "InvalidResponseCode(204)", []string{"wants 200"}},
		{unknown("InvalidResponseCode(301)"), "InvalidResponseCode(301)", []string{"redirects", "does not follow"}},
		{unknown("InvalidResponseCode(308)"), "InvalidResponseCode(308)", []string{"redirects", "does not follow"}},
		{unknown("InvalidResponseCode(302)"), "InvalidResponseCode(302)", []string{"login page"}},
		{unknown("InvalidResponseCode(400)"), "InvalidResponseCode(400)", []string{"body"}},
		{unknown("InvalidResponseCode(401)"), "InvalidResponseCode(401)", []string{"Continue was pressed too early"}},
		{unknown("InvalidResponseCode(403)"), "InvalidResponseCode(403)", []string{"check for bots"}},
		{unknown("InvalidResponseCode(404)"), "InvalidResponseCode(404)", []string{"/in/pluralkit"}},
		{unknown("InvalidResponseCode(405)"), "InvalidResponseCode(405)", []string{"POST"}},
		{unknown("InvalidResponseCode(413)"), "InvalidResponseCode(413)", []string{"256 KiB"}},
		{unknown("InvalidResponseCode(418)"), "InvalidResponseCode(418)", []string{"418"}},
		{unknown("InvalidResponseCode(429)"), "InvalidResponseCode(429)", []string{"limits"}},
		{unknown("InvalidResponseCode(500)"), "InvalidResponseCode(500)", []string{"proxy logs"}},
		{unknown("InvalidResponseCode(502)"), "InvalidResponseCode(502)", []string{"tunnel"}},
		{unknown("InvalidResponseCode(503)"), "InvalidResponseCode(503)", []string{"status"}},
		{unknown("InvalidResponseCode(530)"), "InvalidResponseCode(530)", []string{"tunnel"}},
		{"The URL `https://x` is invalid or I cannot access it. Are you sure this is a valid, publicly accessible URL?", "", []string{"public IPv4", "No token"}},
		{"PluralKit does not currently support setting a Discord webhook URL as your system's webhook URL.", "", []string{"Discord webhook"}},
		{"❌ This command must be run in a DM.", "", []string{"direct message"}},
	} {
		got, ok := Said(c.said)
		if !ok || got.Word != c.word || got.OK != (c.word == "OK") {
			t.Errorf("%s: got %+v, %v, want word %q", c.said, got, ok, c.word)
		}
		for _, part := range c.want {
			if !strings.Contains(got.String(), part) {
				t.Errorf("%s: got %q, want %q in it", c.said, got, part)
			}
		}
		if !got.OK && !strings.Contains(got.String(), "(hint: ") {
			t.Errorf("%s: got %q, want what to do", c.said, got)
		}
	}
	for _, text := range []string{"", "good morning", "ok then", "200", "it is all OK here"} {
		if got, ok := Said(text); ok {
			t.Errorf("%q: got %q, want nothing", text, got)
		}
	}
}

// Every word has its own sentence, and so has every kind of status.
func TestSentencesDiffer(t *testing.T) {
	seen := map[string]string{}
	words := []string{"BadData", "ResolveFailed", "NoIPs", "InvalidIP", "FetchFailed", "TestFailed"}
	for _, status := range []int{204, 301, 302, 400, 401, 403, 404, 405, 418, 429, 500, 502, 503} {
		words = append(words, fmt.Sprintf("InvalidResponseCode(%d)", status))
	}
	for _, word := range words {
		got, ok := Said(word)
		if !ok {
			t.Errorf("%s is not known", word)
		}
		if other, taken := seen[got.Says]; taken {
			t.Errorf("%s and %s have one sentence: %s", word, other, got.Says)
		}
		seen[got.Says] = word
	}
}
