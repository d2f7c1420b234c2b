package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"switchlog/schemas"
)

// access is what a reader needs to connect.
type access struct {
	Name            string `json:"name"`
	Tenant          string `json:"tenant"` // empty: all
	NATSURL         string `json:"nats_url"`
	NATSUser        string `json:"nats_user"`
	NATSPassword    string `json:"nats_password"`
	NATSInboxPrefix string `json:"nats_inbox_prefix"`
	HTTPToken       string `json:"http_token"`
}

func newAccess() *cobra.Command {
	cmd := &cobra.Command{Use: "access", Short: "Credentials for readers", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	show := &cobra.Command{
		Use:   "show NAME",
		Short: "A reader's credentials; admin is the operator",
		Args:  cobra.ExactArgs(1),
	}
	asJSON := show.Flags().Bool("json", false, "answer as JSON")
	show.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		var a access
		if err := c.call(cmd.Context(), "GET", "/api/admin/access/"+args[0], nil, &a); err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), a)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "NATS      %s\nuser      %s\npassword  %s\nHTTP      Authorization: Bearer %s\n",
			a.NATSURL, a.NATSUser, a.NATSPassword, a.HTTPToken)
		return nil
	}
	cmd.AddCommand(show)
	return cmd
}

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
		Args:  cobra.NoArgs,
	}
	tenant := cmd.Flags().String("tenant", "*", "only this tenant's events")
	typ := cmd.Flags().String("type", "*", "only event types that match, * standing for anything")
	asJSON := cmd.Flags().Bool("json", false, "each event as it is, one a line")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		nc, err := dialAsAdmin(cmd.Context(), c)
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
		fmt.Fprintln(cmd.ErrOrStderr(), "waiting for events; Ctrl-C stops")
		defer sub.Unsubscribe()
		for {
			select {
			case <-cmd.Context().Done():
				return nil
			case m := <-messages:
				if err := printLive(cmd, m, *typ, *asJSON); err != nil {
					return err
				}
			}
		}
	}
	return cmd
}

func wildcardToken(s string) string {
	if s == "*" || s == "" {
		return "*"
	}
	return schemas.Token(s)
}

func printLive(cmd *cobra.Command, m *nats.Msg, glob string, asJSON bool) error {
	var e struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(m.Data, &e); err != nil || !schemas.MatchType(glob, e.Type) {
		return nil // not an event, or not one that was asked for
	}
	if asJSON {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\n", m.Data)
		return err
	}
	seq, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
	if err != nil {
		return fmt.Errorf("%s: no sequence: %w", m.Subject, err)
	}
	return printEvent(cmd.OutOrStdout(), seq, m.Data)
}
