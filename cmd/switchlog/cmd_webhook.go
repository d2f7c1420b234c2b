package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"switchlog/cmd/switchlog/terminal"
	"switchlog/processor/deliver/manage"
	"switchlog/schemas"
)

const webhooksPath = "/api/webhooks"

func newWebhook() *cobra.Command {
	cmd := &cobra.Command{
		Use: "webhook", Short: "Where events are passed on to",
		Long: "Where events are passed on to: a Discord channel, a BotGhost bot, a phone, or a program of yours.\n\n" +
			"ID is a webhook's id, the beginning of it, or its name.",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newWebhookAdd(), newWebhookList(), newWebhookShow(), newWebhookUpdate(), newWebhookRemove(), newWebhookTest(),
		newWebhookDeliveries(), newWebhookRetry(), newWebhookReplay(), newWebhookRotate(), newWebhookEvents())
	return cmd
}

func newWebhookList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "All webhooks"}
	return withRows(cmd, formatTable, func(ctx context.Context, c *call) error {
		list, err := c.webhooks(ctx)
		if err != nil {
			return err
		}
		if len(list) == 0 && c.format == formatTable {
			return c.say("no webhooks yet (hint: switchlog webhook add --help)")
		}
		return c.rows(list, webhooksTable(list))
	})
}

// webhooks are all there are.
func (c *client) webhooks(ctx context.Context) ([]manage.WebhookObject, error) {
	list := []manage.WebhookObject{}
	return list, c.call(ctx, "GET", webhooksPath, nil, &list)
}

func webhooksTable(list []manage.WebhookObject) *terminal.Table {
	t := terminal.NewTable("ID", "NAME", "PROVIDER", "STATE", "DELIVERIES", "EVENTS", "URL")
	for _, h := range list {
		deliveries := 0
		if h.Count != nil {
			deliveries = h.Count.Deliveries
		}
		t.Add(h.ID, orDash(deref(h.Name)), h.Provider, stateOf(h), deliveries, strings.Join(h.Events, " "), h.URL)
	}
	return t
}

// stateOf says in a word whether anything is sent: in capitals, if that is not
// as somebody wanted it.
func stateOf(h manage.WebhookObject) string {
	if h.State == manage.WebhookOn || h.State == manage.WebhookOff {
		return h.State
	}
	return strings.ToUpper(h.State)
}

func newWebhookShow() *cobra.Command {
	cmd := &cobra.Command{Use: "show ID", Short: "One webhook and its latest deliveries"}
	return withWebhook(cmd, func(ctx context.Context, cmd *cobra.Command, c *client, path string, asJSON bool) error {
		var h manage.WebhookObject
		if err := c.call(ctx, "GET", path, nil, &h); err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd.OutOrStdout(), h)
		}
		return printWebhook(cmd.OutOrStdout(), h)
	})
}

func printWebhook(w io.Writer, h manage.WebhookObject) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, terminal.Plain(value))
		}
	}
	line("id", h.ID)
	line("name", deref(h.Name))
	line("provider", h.Provider)
	line("url", h.URL)
	line("events", strings.Join(h.Events, " "))
	line("state", stateOf(h))
	line("why", deref(h.Problem))
	for _, w := range h.Withheld {
		line("withheld", w.Event+": "+w.Says)
	}
	line("made", h.CreatedAt+" by "+h.UserID)
	line("source", deref(h.Source))
	line("tenant", deref(h.Tenant))
	line("server", deref(h.ServerID))
	line("condition", deref(h.Condition))
	if h.Rate != nil {
		line("rate", fmt.Sprintf("%g a second at most", *h.Rate))
	}
	if h.Ordered {
		line("order", "one after another")
	}
	line("debounce", deref(h.Debounce))
	if h.OwnerOnly {
		line("private", "has what members keep private")
	}
	line("template", deref(h.Template))
	for _, pairs := range []map[string]string{h.Options, h.Variables} {
		for _, name := range sortedKeys(pairs) {
			line(name, pairs[name])
		}
	}
	line("old secret", deref(h.OldSecretUntil))
	if err := t.Flush(); err != nil {
		return err
	}
	if h.Deliveries == nil {
		return nil
	}
	fmt.Fprintln(w)
	return printDeliveries(w, *h.Deliveries)
}

func newWebhookRemove() *cobra.Command {
	cmd := &cobra.Command{Use: "remove ID", Short: "Delete a webhook and what is known of its deliveries"}
	yes := cmd.Flags().Bool("yes", false, "do not ask")
	return withWebhook(cmd, func(ctx context.Context, cmd *cobra.Command, c *client, path string, asJSON bool) error {
		if ok, err := confirm(cmd, *yes, "Delete the webhook? What still waits to be sent is not sent."); err != nil || !ok {
			return err
		}
		var answer map[string]bool
		if err := c.call(ctx, "DELETE", path, nil, &answer); err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd.OutOrStdout(), answer)
		}
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "the webhook is deleted")
		return err
	})
}

func newWebhookEvents() *cobra.Command {
	cmd := &cobra.Command{Use: "events", Short: "What a webhook can ask for"}
	return withRows(cmd, formatTable, func(ctx context.Context, c *call) error {
		var catalogue struct {
			Events      []string            `json:"events"`
			Categorized map[string][]string `json:"categorized"`
		}
		if err := c.call(ctx, "GET", webhooksPath+"/events", nil, &catalogue); err != nil {
			return err
		}
		return c.rows(catalogue, eventsTable(catalogue.Categorized))
	})
}

// eventsTable says of each event what it means: changes first, then what
// PluralKit says, and StellarStack's categories last.
func eventsTable(categorized map[string][]string) *terminal.Table {
	meaning, stellar := map[string]string{}, map[string]bool{}
	for _, t := range schemas.Types() {
		name := schemas.Route{Source: t.Source, Noun: t.Noun, Verb: t.Verb}.EventName()
		if meaning[name] == "" {
			meaning[name] = t.Summary
		}
		stellar[t.Noun] = stellar[t.Noun] || t.Source == schemas.StellarStack
	}
	rank := func(category string) int {
		switch {
		case category == "change":
			return 0
		case category == schemas.PluralKit:
			return 1
		case stellar[category]:
			return 3
		}
		return 2
	}
	categories := sortedKeys(categorized)
	slices.SortStableFunc(categories, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	t := terminal.NewTable("EVENT", "OF", "WHAT")
	for _, category := range categories {
		for _, name := range categorized[category] {
			t.Add(name, category, orDash(meaning[name]))
		}
	}
	return t
}

// withWebhook makes the command one about the webhook that its first argument
// names; path is where the server answers for it.
func withWebhook(cmd *cobra.Command, run func(ctx context.Context, cmd *cobra.Command, c *client, path string, asJSON bool) error) *cobra.Command {
	if cmd.Long == "" {
		cmd.Long = cmd.Short + "."
	}
	cmd.Long += "\n\nID is a webhook's id, the beginning of it, or its name."
	return withServer(cmd, func(ctx context.Context, c *call) error {
		id, err := c.webhookID(ctx, c.args[0])
		if err != nil {
			return err
		}
		return run(ctx, c.cmd, c.client, webhooksPath+"/"+url.PathEscape(id), c.json())
	})
}

// webhookID finds the webhook a person means.
func (c *client) webhookID(ctx context.Context, text string) (string, error) {
	list, err := c.webhooks(ctx)
	if err != nil {
		return "", err
	}
	var found, names []string
	for _, h := range list {
		if h.ID == text || deref(h.Name) == text {
			return h.ID, nil
		}
		if text != "" && strings.HasPrefix(h.ID, text) {
			found = append(found, h.ID)
		}
		names = append(names, deref(h.Name))
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("there is no webhook %q (hint: %s)", terminal.Plain(text), didYouMean(text, names, "switchlog webhook list"))
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%d webhooks begin with %q (hint: more of the id: switchlog webhook list)", len(found), text)
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
