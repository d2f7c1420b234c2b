package main

import "testing"

// TestSecretAddress: an address that is a password is not taken from an
// argument.
func TestSecretAddress(t *testing.T) {
	for address, want := range map[string]bool{
		"https://example.org/hook": false, "http://127.0.0.1:40123/in": false, "https://hooks.example.org/api/v2/events": false,
		"https://api.botghost.com/webhook/115000000000000000/front": false, "https://example.org": false, "http://127.0.0.1:1/receiver1": false,
		"https://hooks.zapier.com/hooks/catch/1234567/abcdefg/": true, "https://discord.com/api/webhooks/1150000000000000001/t": true,
		"https://relay.example/webhooks/1150000000000000001/t": true, "https://ntfy.sh/my-topic": true, "https://hook.eu1.make.com/abc": true,
		"https://example.org/in?key=x": true, "https://user:pass@example.org/": true,
		"https://example.org/hooks/0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1": true, "https://hooks.slack.com/services/T/B/x": true,
	} {
		if got := secretAddress(address); got != want {
			t.Errorf("%s: got %v, want %v", address, got, want)
		}
	}
}
