package linking

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
)

// Way is one way to a public address, with one command to copy.
type Way struct {
	Name      string `json:"name"`
	Needs     string `json:"needs"`             // what a person must have
	Installed bool   `json:"installed"`         // its program is on this machine
	Command   string `json:"command"`           // to copy
	PublicURL string `json:"public_url"`        // what then goes to --public-url; NAME stands for what is not known. Empty: nothing
	Note      string `json:"note,omitempty"`    // what else to do first
	Warning   string `json:"warning,omitempty"` // why it may not last
	Ready     bool   `json:"ready"`             // the address is known to be possible: nothing else to set up
}

// Machine is what Ways asks of the machine.
type Machine struct {
	// Installed reports whether a program is there.
	Installed func(program string) bool

	// Output runs a program and gives what it writes.
	Output func(ctx context.Context, program string, args ...string) ([]byte, error)
}

// Ways are the ways to a public address that leads to where switchlog listens
// (host:port), those whose program is installed first. It starts and changes
// nothing.
func Ways(ctx context.Context, m Machine, listens string) []Way {
	_, port, err := net.SplitHostPort(listens)
	if err != nil {
		port = "8080"
	}
	local := "127.0.0.1:" + port
	all := []Way{
		tailscaleWay(ctx, m, port),
		{
			Name: "Your own name, and nothing else", Needs: "a name whose A record is this machine; ports 80 and 443 open",
			Command: "switchlog serve --domain NAME --listen :443",
			Note:    "switchlog gets a certificate by itself, and needs no --public-url then",
		},
		{
			Name: "Caddy", Needs: "a name whose A record is this machine", Installed: m.Installed("caddy"),
			Command: "caddy reverse-proxy --from NAME --to " + local, PublicURL: "https://NAME",
		},
		{
			Name: "nginx", Needs: "a name and a certificate (certbot --nginx)", Installed: m.Installed("nginx"),
			Command: "location /in/ { proxy_pass http://" + local + "; }", PublicURL: "https://NAME",
			Note: "into the server block of the name; then nginx -t && nginx -s reload",
		},
		{
			Name: "Cloudflare Tunnel", Needs: "a domain at Cloudflare", Installed: m.Installed("cloudflared"),
			Command: "cloudflared tunnel run --url http://" + local + " switchlog", PublicURL: "https://NAME",
			Note: "once before: cloudflared tunnel login; cloudflared tunnel create switchlog; cloudflared tunnel route dns switchlog NAME",
		},
		{
			Name: "ngrok", Needs: "a free account", Installed: m.Installed("ngrok"),
			Command: "ngrok http " + port + " --url https://NAME.ngrok-free.app", PublicURL: "https://NAME.ngrok-free.app",
			Note: "once before: ngrok config add-authtoken TOKEN",
		},
		{
			Name: "A quick tunnel, to try", Needs: "no account", Installed: m.Installed("cloudflared"),
			Command: "cloudflared tunnel --url http://" + local, PublicURL: "https://NAME.trycloudflare.com",
			Warning: "its name changes at each start, and then PluralKit's changes are lost until you link again",
		},
	}
	var first, then []Way
	for _, w := range all {
		if w.Installed {
			first = append(first, w)
		} else {
			then = append(then, w)
		}
	}
	return append(first, then...)
}

// tailscaleState is what `tailscale status --json` says.
type tailscaleState struct {
	BackendState string
	AuthURL      string
	Self         *struct {
		DNSName string
		CapMap  map[string]json.RawMessage
	}
}

func tailscaleWay(ctx context.Context, m Machine, port string) Way {
	w := Way{
		Name: "Tailscale Funnel", Needs: "a free account, no name and no open port", Installed: m.Installed("tailscale"),
		Command: "tailscale funnel --bg " + port, PublicURL: "https://NAME.ts.net",
	}
	if !w.Installed {
		return w
	}
	text, err := m.Output(ctx, "tailscale", "status", "--json")
	var s tailscaleState
	if err != nil || json.Unmarshal(text, &s) != nil {
		w.Note = "tailscale does not say how it is: does tailscaled run?"
		return w
	}
	switch s.BackendState {
	case "Running":
	case "NeedsLogin":
		w.Note = "first: tailscale up"
		return w
	default:
		w.Note = fmt.Sprintf("tailscale is not running, but %s (tailscale up)", s.BackendState)
		return w
	}
	if s.Self == nil || s.Self.DNSName == "" {
		w.Note = "first switch MagicDNS on, in the admin console of Tailscale"
		return w
	}
	w.PublicURL = "https://" + strings.TrimSuffix(s.Self.DNSName, ".")
	_, https := s.Self.CapMap["https"]
	_, funnel := s.Self.CapMap["funnel"]
	if w.Ready = https && funnel; !w.Ready {
		w.Note = "the first time it prints a link by which Funnel is allowed"
	}
	return w
}
