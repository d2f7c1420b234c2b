package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"switchlog/ingest/pluralkit"
	"switchlog/schemas"
)

// reconciled is the answer to a look that was asked for.
type reconciled struct {
	System      string            `json:"system"`
	DryRun      bool              `json:"dry_run"` // then all counts are of what would have been
	State       pluralkit.State   `json:"state"`
	Reason      string            `json:"reason"` // what the state means; empty: PluralKit did not answer
	ToDo        string            `json:"to_do,omitempty"`
	First       bool              `json:"first"` // PluralKit was never asked before: nothing of it was missed
	Seconds     float64           `json:"seconds"`
	Requests    int               `json:"requests"` // to PluralKit
	Emitted     int               `json:"emitted"`
	Repairs     map[string]repair `json:"repairs"`
	Late        lateness          `json:"late"`
	Heard       int               `json:"heard"`    // events webhooks brought since the last look
	Coverage    float64           `json:"coverage"` // the share of what changed that they brought, 0 to 1
	Unheard     int64             `json:"unheard_messages"`
	Disputed    int               `json:"disputed"`
	Unlistable  int               `json:"unlistable"`
	Deferred    []string          `json:"deferred"`
	Differences []string          `json:"differences"` // at most 100: what, of which thing, which fields; no values
	Summary     string            `json:"summary"`
}

// repair counts what was different of one kind of thing.
type repair struct {
	Missing int `json:"missing"`
	Wrong   int `json:"wrong"`
	Extra   int `json:"extra"`
	Unsaid  int `json:"unsaid"`
}

// lateness is how old what was missing was, where PluralKit tells.
type lateness struct {
	Count         int     `json:"count"`
	OldestSeconds float64 `json:"oldest_seconds"`
	MedianSeconds float64 `json:"median_seconds"`
}

func newReconciled(r pluralkit.Report) *reconciled {
	out := &reconciled{
		System: r.System, DryRun: r.DryRun, State: r.State, First: r.First, Seconds: r.Took.Seconds(), Requests: r.Requests,
		Emitted: r.Emitted, Repairs: map[string]repair{},
		Late:  lateness{r.Late.Count, r.Late.Oldest.Seconds(), r.Late.Median.Seconds()},
		Heard: r.Heard, Coverage: r.Coverage(), Unheard: r.Unheard, Disputed: r.Disputed, Unlistable: r.Unlistable,
		Deferred: append([]string{}, r.Deferred...), Differences: append([]string{}, r.Differences...), Summary: r.String(),
	}
	for noun, n := range r.Repairs {
		out.Repairs[noun] = repair{n.Missing, n.Wrong, n.Extra, n.Unsaid}
	}
	if report, err := schemas.NewSourceReport(r.State, 0); err == nil {
		out.Reason, out.ToDo = report.Reason, report.ToDo
	}
	return out
}

// reconcile looks now, answering with lines of progress and at the end the
// outcome.
func (a admin) reconcile(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	tenant, err := q.Get("tenant"), error(nil)
	if tenant == "" {
		if tenant, err = a.n.onlyTenant(schemas.PluralKit); err != nil {
			return err
		}
	}
	found := a.n.reconcilers.find(tenant)
	if found == nil {
		return badRequest("PluralKit cannot be asked about %s: there is no API token (hint: switchlog source rotate pluralkit --api-token-file F)", tenant)
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	e := json.NewEncoder(w)
	flush := http.NewResponseController(w)
	// A caller that went away ends the request's context, and with it the look.
	say := func(p progress) error { return errors.Join(e.Encode(p), flush.Flush()) }
	report, err := found.ReconcileTelling(r.Context(), pluralkit.Full, q.Get("dry_run") == "true", func(p pluralkit.Progress) {
		if err := say(progress{Step: string(p.Step), Done: uint64(p.Done), Total: uint64(p.Total)}); err != nil {
			a.n.log.Debug("nobody reads how far the look is", "err", err)
		}
	})
	if err != nil {
		a.n.log.Error("reconcile", "err", err)
		return say(progress{Error: err.Error(), Reconciled: newReconciled(report)})
	}
	return say(progress{Reconciled: newReconciled(report)})
}

func newReconcile() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reconcile",
		Short: "Compare with what PluralKit says now, and put right what differs",
		Long: "Ask PluralKit for everything it knows of a system, compare, and add events for what differs. It needs the\n" +
			"system's API token (source add pluralkit --api-token-file). The same runs by itself at every start, every 15 minutes,\n" +
			"and when something may have been missed. Exit code 1 if PluralKit did not answer, or does not send its webhooks here.",
		Args: cobra.NoArgs,
	}
	tenant := cmd.Flags().String("tenant", "", "the system's uuid (may be left out while there is only one)")
	dryRun := cmd.Flags().Bool("dry-run", false, "say what differs and change nothing")
	asJSON := cmd.Flags().Bool("json", false, "answer as JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		q := url.Values{"tenant": {*tenant}, "dry_run": {fmt.Sprint(*dryRun)}}
		last, err := followLines(cmd.Context(), c, "/api/admin/reconcile?"+q.Encode(), func(_ []byte, p progress) error {
			showBar(cmd.ErrOrStderr(), p)
			return nil
		})
		if err != nil {
			showBar(cmd.ErrOrStderr(), progress{Reconciled: last.Reconciled})
		}
		if last.Reconciled == nil {
			return err
		}
		return last.Reconciled.print(cmd, *asJSON, err)
	}
	return cmd
}

// print shows the outcome. A look that failed may have found something before.
func (r *reconciled) print(cmd *cobra.Command, asJSON bool, failed error) error {
	if asJSON {
		return errors.Join(failed, printJSON(cmd.OutOrStdout(), r))
	}
	if failed != nil && r.Emitted == 0 {
		return failed
	}
	if _, err := fmt.Fprintln(cmd.OutOrStdout(), strings.TrimSpace(r.Summary)); err != nil {
		return err
	}
	if failed == nil && r.ToDo != "" {
		return fmt.Errorf("%s (hint: %s)", r.Reason, r.ToDo)
	}
	return failed
}
