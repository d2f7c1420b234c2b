package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"switchlog/cmd/switchlog/terminal"
	"switchlog/processor/deliver/manage"
	"switchlog/schemas"
)

func printDeliveries(w io.Writer, list []manage.DeliverySummary) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(w, "no deliveries yet (hint: switchlog webhook test ID sends one at once)")
		return err
	}
	t := terminal.NewTable("DELIVERY", "EVENT", "WHEN", "STATUS", "ATTEMPTS", "ANSWER", "NEXT")
	for _, d := range list {
		answer := "-"
		if d.StatusCode != nil {
			answer = fmt.Sprint(*d.StatusCode)
		}
		status := d.Status
		if d.Kind != "live" {
			status += " (" + d.Kind + ")"
		}
		t.Add(d.ID, d.Event, ago(d.CreatedAt), status, d.Attempts, answer, until(deref(d.NextAttemptAt)))
	}
	return t.Print(w)
}

// until says when a delivery is tried next. One that is due waits for the
// receiver: while that fails, one delivery at a time is tried.
func until(rfc3339 string) string {
	t, err := time.Parse(time.RFC3339Nano, rfc3339)
	switch {
	case err != nil:
		return "-"
	case time.Until(t) <= 0:
		return "when the receiver answers"
	}
	return "in " + time.Until(t).Round(time.Second).String()
}

func newWebhookDeliveries() *cobra.Command {
	cmd := &cobra.Command{Use: "deliveries ID", Short: "What was sent, what waits, and what came back"}
	limit := cmd.Flags().Int("limit", 50, "at most so many, newest first, 100 at most")
	offset := cmd.Flags().Int("offset", 0, "leave out so many")
	return withWebhook(cmd, func(ctx context.Context, cmd *cobra.Command, c *client, path string, asJSON bool) error {
		var page struct {
			Deliveries []schemas.DeliveryRecord `json:"deliveries"`
			Total      int                      `json:"total"`
			Limit      int                      `json:"limit"`
			Offset     int                      `json:"offset"`
		}
		if *limit < 1 || *limit > 100 || *offset < 0 {
			return fmt.Errorf("%w: --limit is 1 to 100, --offset 0 or more", errUsage)
		}
		if err := c.call(ctx, "GET", fmt.Sprintf("%s/deliveries?limit=%d&offset=%d", path, *limit, *offset), nil, &page); err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd.OutOrStdout(), page)
		}
		var h manage.WebhookObject
		if err := c.call(ctx, "GET", path, nil, &h); err != nil {
			return err
		}
		if problem := deref(h.Problem); problem != "" {
			fmt.Fprintf(cmd.OutOrStdout(), "! this webhook %s\n", terminal.Plain(problem))
		}
		short := make([]manage.DeliverySummary, len(page.Deliveries))
		for i, d := range page.Deliveries {
			short[i] = manage.Summary(d)
		}
		if err := printDeliveries(cmd.OutOrStdout(), short); err != nil {
			return err
		}
		if rest := page.Total - page.Offset - len(page.Deliveries); rest > 0 {
			fmt.Fprintf(cmd.OutOrStdout(), "and %d more (hint: --offset %d)\n", rest, page.Offset+len(page.Deliveries))
		}
		return nil
	})
}

// attemptInfo is what came of a test or a retry.
type attemptInfo struct {
	Success    bool   `json:"success"`
	DeliveryID string `json:"deliveryId,omitempty"`
	StatusCode int    `json:"statusCode,omitempty"`
	Error      string `json:"error,omitempty"`
}

// print says it; what did not arrive is a failure.
func (a attemptInfo) print(cmd *cobra.Command, asJSON bool) error {
	var err error
	if asJSON {
		err = printJSON(cmd.OutOrStdout(), a)
	}
	switch {
	case err != nil || asJSON && a.Success:
		return err
	case asJSON:
		return errReported
	case a.Success:
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "the receiver has it (%d)\n", a.StatusCode)
		return err
	case a.StatusCode != 0:
		return fmt.Errorf("the receiver answers %d: %s", a.StatusCode, orDash(terminal.Plain(a.Error)))
	}
	return errors.New(a.Error)
}

func newWebhookTest() *cobra.Command {
	cmd := &cobra.Command{Use: "test ID", Short: "Send a test, of which nothing is kept"}
	return withWebhook(cmd, func(ctx context.Context, cmd *cobra.Command, c *client, path string, asJSON bool) error {
		var a attemptInfo
		if err := c.call(ctx, "POST", path+"/test", nil, &a); err != nil {
			return err
		}
		return a.print(cmd, asJSON)
	})
}

func newWebhookRetry() *cobra.Command {
	cmd := &cobra.Command{Use: "retry ID DELIVERY", Short: "Send a delivery once more, now"}
	return withWebhook(cmd, func(ctx context.Context, cmd *cobra.Command, c *client, path string, asJSON bool) error {
		var a attemptInfo
		if err := c.call(ctx, "POST", path+"/deliveries/"+url.PathEscape(cmd.Flags().Arg(1))+"/retry", nil, &a); err != nil {
			return err
		}
		return a.print(cmd, asJSON)
	})
}

func newWebhookReplay() *cobra.Command {
	cmd := &cobra.Command{
		Use: "replay ID", Short: "Send a part of the log again",
		Long: "Send a part of the log again, to one webhook: what it asks for, with all retries. What it has had already comes\n" +
			"with the same id, by which the receiver can tell.",
		Example: "  switchlog webhook replay 019a --from 7d",
	}
	from := cmd.Flags().String("from", "", "where it begins: a sequence number, a time, or how long ago (90m, 7d)")
	to := cmd.Flags().String("to", "", "where it ends (default: now)")
	return withWebhook(cmd, func(ctx context.Context, cmd *cobra.Command, c *client, path string, asJSON bool) error {
		if *from == "" {
			return fmt.Errorf("%w: from when? (hint: --from 7d)", errUsage)
		}
		in := map[string]string{"from": *from, "to": *to}
		var answer struct {
			Queued int `json:"queued"`
		}
		if err := c.call(ctx, "POST", path+"/replay", in, &answer); err != nil {
			return err
		}
		if asJSON {
			return printJSON(cmd.OutOrStdout(), answer)
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%d events are on their way (hint: switchlog webhook deliveries %s)\n", answer.Queued, cmd.Flags().Arg(0))
		return err
	})
}
