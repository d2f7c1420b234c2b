package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"switchlog/ingest"
)

const webhooksPath = "/api/webhooks"

func newWebhook() *cobra.Command {
	cmd := &cobra.Command{
		Use: "webhook", Short: "Where events are passed on to", Args: cobra.NoArgs,
		Long: "Where events are passed on to: a Discord channel, a BotGhost bot, a phone, or a program of yours.\n\n" +
			"ID is a webhook's id, the beginning of it, or its name.",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newWebhookAdd(), newWebhookList(), newWebhookShow(), newWebhookUpdate(), newWebhookRemove(), newWebhookTest(),
		newWebhookDeliveries(), newWebhookRetry(), newWebhookReplay(), newWebhookRotate(), newWebhookEvents())
	return cmd
}

func newWebhookList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "All webhooks", Args: cobra.NoArgs}
	asJSON := cmd.Flags().Bool("json", false, "answer as JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		list := []ingest.WebhookObject{}
		if err := c.call(cmd.Context(), "GET", webhooksPath, nil, &list); err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), list)
		}
		return printWebhooks(cmd.OutOrStdout(), list)
	}
	return cmd
}

func printWebhooks(w io.Writer, list []ingest.WebhookObject) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "no webhooks yet (hint: switchlog webhook add --help)")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tNAME\tPROVIDER\tSTATE\tDELIVERIES\tEVENTS\tURL")
	for _, h := range list {
		deliveries := 0
		if h.Count != nil {
			deliveries = h.Count.Deliveries
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", h.ID, orDash(deref(h.Name)), h.Provider, stateOf(h), deliveries, strings.Join(h.Events, " "), h.URL)
	}
	return t.Flush()
}

// stateOf says in a word whether anything is sent.
func stateOf(h ingest.WebhookObject) string {
	switch {
	case h.Enabled:
		return "on"
	case deref(h.DisabledReason) != "":
		return "DISABLED"
	}
	return "off"
}

func newWebhookShow() *cobra.Command {
	cmd := &cobra.Command{Use: "show ID", Short: "One webhook and its latest deliveries", Args: cobra.ExactArgs(1)}
	return withWebhook(cmd, func(ctx context.Context, cmd *cobra.Command, c *client, path string, asJSON bool) error {
		var h ingest.WebhookObject
		if err := c.call(ctx, "GET", path, nil, &h); err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd.OutOrStdout(), h)
		}
		return printWebhook(cmd.OutOrStdout(), h)
	})
}

func printWebhook(w io.Writer, h ingest.WebhookObject) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, value)
		}
	}
	line("id", h.ID)
	line("name", deref(h.Name))
	line("provider", h.Provider)
	line("url", h.URL)
	line("events", strings.Join(h.Events, " "))
	line("state", stateOf(h))
	line("why", deref(h.DisabledReason))
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
	cmd := &cobra.Command{Use: "remove ID", Short: "Delete a webhook and what is known of its deliveries", Args: cobra.ExactArgs(1)}
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
	cmd := &cobra.Command{Use: "events", Short: "What a webhook can ask for", Args: cobra.NoArgs}
	asJSON := cmd.Flags().Bool("json", false, "answer as JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		var catalogue struct {
			Events      []string            `json:"events"`
			Categorized map[string][]string `json:"categorized"`
		}
		if err := c.call(cmd.Context(), "GET", webhooksPath+"/events", nil, &catalogue); err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), catalogue)
		}
		for _, category := range sortedKeys(catalogue.Categorized) {
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n  %s\n", category, strings.Join(catalogue.Categorized[category], "\n  "))
		}
		return nil
	}
	return cmd
}

// withWebhook makes the command one about the webhook that its first argument
// names; path is where the server answers for it.
func withWebhook(cmd *cobra.Command, run func(ctx context.Context, cmd *cobra.Command, c *client, path string, asJSON bool) error) *cobra.Command {
	asJSON := cmd.Flags().Bool("json", false, "answer as JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		id, err := c.webhookID(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return run(cmd.Context(), cmd, c, webhooksPath+"/"+url.PathEscape(id), *asJSON)
	}
	return cmd
}

// webhookID finds the webhook a person means.
func (c *client) webhookID(ctx context.Context, text string) (string, error) {
	var list []ingest.WebhookObject
	if err := c.call(ctx, "GET", webhooksPath, nil, &list); err != nil {
		return "", err
	}
	var found []string
	for _, h := range list {
		if h.ID == text || deref(h.Name) == text {
			return h.ID, nil
		}
		if text != "" && strings.HasPrefix(h.ID, text) {
			found = append(found, h.ID)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("there is no webhook %q (hint: switchlog webhook list)", text)
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
