package linking

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// machine has programs, and what tailscale says.
func machine(tailscale string, programs ...string) Machine {
	return Machine{
		Installed: func(p string) bool { return slices.Contains(programs, p) },
		Output: func(_ context.Context, program string, args ...string) ([]byte, error) {
			if program != "tailscale" || !slices.Equal(args, []string{"status", "--json"}) {
				return nil, errors.New("not asked for")
			}
			if tailscale == "" {
				return nil, errors.New("exit status 1")
			}
			return []byte(tailscale), nil
		},
	}
}

func TestWays(t *testing.T) {
	ways := Ways(t.Context(), machine("", "nginx", "cloudflared"), "127.0.0.1:8099")
	var names []string
	for _, w := range ways {
		names = append(names, w.Name)
		if w.Needs == "" || w.Command == "" || !strings.HasPrefix(w.PublicURL, "https://") && !strings.Contains(w.Command, "--domain") {
			t.Errorf("%+v is not whole", w)
		}
		if strings.ContainsAny(w.Command, "\n") {
			t.Errorf("%s: more than one line to copy", w.Name)
		}
		if !strings.Contains(w.Command, "8099") && w.Name != "Your own name, and nothing else" {
			t.Errorf("%s: %q does not lead to the port", w.Name, w.Command)
		}
	}
	want := []string{"nginx", "Cloudflare Tunnel", "A quick tunnel, to try", "Tailscale Funnel", "Your own name, and nothing else", "Caddy", "ngrok"}
	if !slices.Equal(names, want) {
		t.Errorf("got %q, want what is installed first: %q", names, want)
	}
	if quick := ways[2]; !strings.Contains(quick.Warning, "changes at each start") {
		t.Errorf("got %q, want a warning", quick.Warning)
	}
}

func TestTailscaleWay(t *testing.T) {
	for _, c := range []struct {
		name, says string
		url, note  string
		ready      bool
	}{
		{"ready", `{"BackendState":"Running","Self":{"DNSName":"home.fox-tail.ts.net.","CapMap":{"https":null,"funnel":null}}}`, "https://home.fox-tail.ts.net", "", true},
		{"not allowed yet", `{"BackendState":"Running","Self":{"DNSName":"home.fox-tail.ts.net.","CapMap":{"https":null}}}`, "https://home.fox-tail.ts.net", "link", false},
		{"no name", `{"BackendState":"Running","Self":{"DNSName":""}}`, "https://NAME.ts.net", "MagicDNS", false},
		{"no login", `{"BackendState":"NeedsLogin","AuthURL":"https://login.example.org/a/b"}`, "https://NAME.ts.net", "tailscale up", false},
		{"stopped", `{"BackendState":"Stopped"}`, "https://NAME.ts.net", "Stopped", false},
		{"daemon away", "", "https://NAME.ts.net", "tailscaled", false},
		{"no JSON", "Logged out.", "https://NAME.ts.net", "tailscaled", false},
	} {
		got := Ways(t.Context(), machine(c.says, "tailscale"), "127.0.0.1:8080")[0]
		if got.Name != "Tailscale Funnel" || got.PublicURL != c.url || got.Ready != c.ready || !strings.Contains(got.Note, c.note) || (c.note == "") != (got.Note == "") {
			t.Errorf("%s: got %+v, want %s, ready %v, note with %q", c.name, got, c.url, c.ready, c.note)
		}
	}
}
