package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"switchlog/schemas"
)

// dialAsAdmin connects to the server's NATS with the operator's credentials.
func dialAsAdmin(ctx context.Context, c *client) (*nats.Conn, error) {
	var a access
	if err := c.call(ctx, "GET", "/api/admin/access/admin", nil, &a); err != nil {
		return nil, err
	}
	nc, err := nats.Connect(a.NATSURL, nats.UserInfo(a.NATSUser, a.NATSPassword),
		nats.CustomInboxPrefix(a.NATSInboxPrefix), nats.MaxReconnects(-1), nats.Timeout(5*time.Second))
	if err != nil {
		return nil, fmt.Errorf("NATS at %s: %w", a.NATSURL, err)
	}
	return nc, nil
}

func newTail() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Live events, readable",
	}
	tenant := cmd.Flags().String("tenant", "*", "only this tenant's events")
	typ := cmd.Flags().String("type", "*", "only event types that match, * standing for anything")
	cmd.Flags().Bool("json", false, "each event as it is, one a line")
	return withServer(cmd, func(ctx context.Context, c *call) error {
		if *tenant != "*" && *tenant != "" {
			// Of a tenant there is not nothing would ever come.
			if err := c.call(ctx, "GET", "/api/admin/tenants/"+url.PathEscape(*tenant), nil, nil); err != nil {
				return err
			}
		}
		nc, err := dialAsAdmin(ctx, c.client)
		if err != nil {
			return err
		}
		defer nc.Close()
		subject := schemas.Events + ".*." + wildcardToken(*tenant) + ".>"
		messages := make(chan *nats.Msg, 1024)
		sub, err := nc.ChanSubscribe(subject, messages)
		if err != nil {
			return err
		}
		if err := nc.FlushTimeout(5 * time.Second); err != nil {
			return err
		}
		c.note("waiting for events; Ctrl-C stops")
		defer sub.Unsubscribe()
		for {
			select {
			case <-ctx.Done():
				return nil
			case m := <-messages:
				if err := c.printLive(m, *typ); err != nil {
					return err
				}
			}
		}
	})
}

func wildcardToken(s string) string {
	if s == "*" || s == "" {
		return "*"
	}
	return schemas.Token(s)
}

func (c *call) printLive(m *nats.Msg, glob string) error {
	var e struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(m.Data, &e); err != nil || !schemas.MatchType(glob, e.Type) {
		return nil // not an event, or not one that was asked for
	}
	if c.json() {
		return c.say("%s", m.Data)
	}
	seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	if err != nil {
		return fmt.Errorf("%s: no sequence: %w", m.Subject, err)
	}
	return printEvent(c.out, seq, m.Data)
}
