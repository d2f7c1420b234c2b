package main

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"switchlog/cmd/switchlog/terminal"
)

// access is what a reader needs to connect. The secrets are shown when it is added, and never again.
type access struct {
	Name            string `json:"name"`
	Tenant          string `json:"tenant"` // empty: all
	NATSURL         string `json:"nats_url"`
	NATSUser        string `json:"nats_user"`
	NATSPassword    string `json:"nats_password,omitempty"`
	NATSInboxPrefix string `json:"nats_inbox_prefix"`
	HTTPToken       string `json:"http_token,omitempty"`

	Source  string `json:"source,omitempty"` // kind of source the tenant belongs to
	Public  bool   `json:"public,omitempty"`
	Created string `json:"created,omitempty"` // RFC 3339
	Expires string `json:"expires,omitempty"` // RFC 3339; empty: never
	Expired bool   `json:"expired,omitempty"`
}

// newReaderIn is the body of the command that adds a reader.
type newReaderIn struct {
	Name    string `json:"name"`
	Source  string `json:"source,omitempty"`
	Tenant  string `json:"tenant"` // "*": all
	Public  bool   `json:"public,omitempty"`
	Expires string `json:"expires,omitempty"` // RFC 3339
}

const accessPath = "/api/admin/access"

func newAccess() *cobra.Command {
	cmd := &cobra.Command{
		Use: "access", Short: "Who may read, over NATS and HTTP",
		Long: "Who may read, over NATS and HTTP. A reader is a NATS user and an HTTP token for one tenant, or for all.",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAccessAdd(), newAccessList(), newAccessShow(), newAccessRevoke())
	return cmd
}

func newAccessAdd() *cobra.Command {
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Let somebody read one tenant, or all",
		Long: "Let somebody read one tenant, or all. The password and the token are shown once: only their hashes are kept.\n\n" +
			"A reader sees its tenant alone: live events and changes, queries and replays over NATS; /api/v1, /v2 and /ui over HTTP.\n" +
			"With --public it sees what anybody may see by the tenant's privacy settings, and no events.",
	}
	tenant := cmd.Flags().String("tenant", "", "whose data: a PluralKit system's uuid or short id, or another source's tenant; '*': everybody's")
	source := cmd.Flags().String("source", "", "kind of source the tenant belongs to, where more than one kind has a tenant of that name")
	public := cmd.Flags().Bool("public", false, "only what anybody may see")
	expires := cmd.Flags().String("expires", "", "when it ends: after so long (12h, 90d), or at a time (2027-01-31, RFC 3339)")
	return withServer(cmd, func(ctx context.Context, c *call) error {
		in := newReaderIn{Name: c.args[0], Source: *source, Tenant: *tenant, Public: *public}
		if in.Tenant == "" {
			return fmt.Errorf("%w: --tenant is needed (hint: --tenant '*' is everybody; switchlog source list names the tenants)", errUsage)
		}
		if *expires != "" {
			at, err := parseExpiry(*expires, time.Now())
			if err != nil {
				return err
			}
			in.Expires = at.UTC().Format(time.RFC3339)
		}
		var a access
		if err := c.call(ctx, "POST", accessPath, in, &a); err != nil {
			return err
		}
		return c.answer(a, func() error {
			if err := c.printAccess(a); err != nil {
				return err
			}
			return c.say("\nKeep both: they are not shown again.")
		})
	})
}

// parseExpiry reads when a reader ends.
func parseExpiry(text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.Add(d), nil
	}
	var n int
	var unit string
	if got, err := fmt.Sscanf(text, "%d%s", &n, &unit); err == nil && got == 2 && n > 0 && n <= 36500 {
		switch unit {
		case "d":
			return now.AddDate(0, 0, n), nil
		case "w":
			return now.AddDate(0, 0, 7*n), nil
		}
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil && at.After(now) {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("%w: --expires %q is no time that is to come (hint: 12h, 90d, or a date like 2027-01-31)", errUsage, terminal.Plain(text))
}

func newAccessList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "All readers"}
	return withRows(cmd, formatTable, func(ctx context.Context, c *call) error {
		list := []access{}
		if err := c.call(ctx, "GET", accessPath, nil, &list); err != nil {
			return err
		}
		if len(list) == 0 && c.format == formatTable {
			return c.say("no readers yet (hint: switchlog access add --help)")
		}
		t := terminal.NewTable("NAME", "SOURCE", "TENANT", "SEES", "EXPIRES")
		for _, a := range list {
			t.Add(a.Name, orDash(a.Source), orAll(a.Tenant), a.sees(), a.ends())
		}
		return c.rows(list, t)
	})
}

// sees is how much of its tenant a reader sees.
func (a access) sees() string {
	if a.Public {
		return "what is public"
	}
	return "everything"
}

func (a access) ends() string {
	switch {
	case a.Expires == "":
		return "never"
	case a.Expired:
		return "over since " + a.Expires
	}
	return a.Expires
}

func orAll(tenant string) string {
	if tenant == "" {
		return "all"
	}
	return tenant
}

func newAccessShow() *cobra.Command {
	return withServer(&cobra.Command{
		Use:   "show NAME",
		Short: "One reader; admin is the operator",
		Long:  "One reader, without its secrets, of which only hashes are kept. admin is the operator, with the password and the token.",
	}, func(ctx context.Context, c *call) error {
		var a access
		if err := c.call(ctx, "GET", accessPath+"/"+url.PathEscape(c.args[0]), nil, &a); err != nil {
			return err
		}
		return c.answer(a, func() error { return c.printAccess(a) })
	})
}

// printAccess shows a reader, with the secrets that are known.
func (c *call) printAccess(a access) error {
	fmt.Fprintf(c.out, "name      %s\ntenant    %s\nsees      %s\nexpires   %s\nNATS      %s\nuser      %s\n",
		terminal.Plain(a.Name), terminal.Plain(orAll(a.Tenant)), a.sees(), a.ends(), a.NATSURL, a.NATSUser)
	if a.NATSPassword != "" {
		fmt.Fprintf(c.out, "password  %s\n", a.NATSPassword)
	}
	fmt.Fprintf(c.out, "inbox     %s\n", a.NATSInboxPrefix)
	if a.HTTPToken != "" {
		return c.say("HTTP      Authorization: Bearer %s", a.HTTPToken)
	}
	return nil
}

func newAccessRevoke() *cobra.Command {
	cmd := &cobra.Command{Use: "revoke NAME", Short: "End what a reader may do, at once",
		Long: "End what a reader may do, at once: its connections are closed, its token is refused, and the webhooks it made are disabled."}
	yes := cmd.Flags().Bool("yes", false, "do not ask")
	return withServer(cmd, func(ctx context.Context, c *call) error {
		name := c.args[0]
		if ok, err := confirm(c.cmd, *yes, fmt.Sprintf("Revoke %s? Its connections are closed at once.", terminal.Plain(name))); err != nil || !ok {
			return err
		}
		if err := c.call(ctx, "DELETE", accessPath+"/"+url.PathEscape(name), nil, nil); err != nil {
			return err
		}
		return c.answer(map[string]any{"name": name, "revoked": true}, func() error { return c.say("%s is revoked", terminal.Plain(name)) })
	})
}
