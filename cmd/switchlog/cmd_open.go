package main

import (
	"context"
	"net"
	"net/url"

	"github.com/spf13/cobra"
)

func newOpen() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "open",
		Short: "A link that signs in to the dashboard, once",
		Long: "Print a link to the dashboard. It signs in the first browser that opens it, within ten minutes,\n" +
			"as the operator. Nobody else can use it afterwards.",
	}
	return withServer(cmd, func(ctx context.Context, c *call) error {
		var a openAnswer
		if err := c.call(ctx, "POST", "/api/admin/open", nil, &a); err != nil {
			return err
		}
		link := struct {
			URL     string `json:"url"`
			Expires string `json:"expires"`
		}{browserURL(c.base) + a.Path, a.Expires}
		return c.answer(link, func() error { return c.say("%s", link.URL) })
	})
}

// browserURL is the address of a listener as a browser on this machine reaches
// it: one that listens everywhere does so on loopback, too.
func browserURL(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return base
	}
	if ip := net.ParseIP(u.Hostname()); ip != nil && ip.IsUnspecified() {
		u.Host = net.JoinHostPort("127.0.0.1", u.Port())
	}
	return u.String()
}
