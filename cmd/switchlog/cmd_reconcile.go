package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"switchlog/cmd/switchlog/terminal"
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
	Refused     int               `json:"refused"` // said before, and set aside by the fold
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
		Heard: r.Heard, Coverage: r.Coverage(), Unheard: r.Unheard, Disputed: r.Disputed, Refused: r.Refused, Unlistable: r.Unlistable,
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

// reconcilable answers with the systems that PluralKit can be asked about.
func (a admin) reconcilable(w http.ResponseWriter, r *http.Request) error {
	systems := sortedKeys(a.n.asked())
	if len(systems) == 0 {
		return fault{http.StatusNotFound, a.n.cannotAsk("")}
	}
	answerJSON(w, http.StatusOK, systems)
	return nil
}

// cannotAsk says why PluralKit cannot be asked about a system, or about any if
// it is empty.
func (n *node) cannotAsk(system string) error {
	var known []string
	for _, s := range n.registry.Sources() {
		if s.Kind == schemas.PluralKit {
			known = append(known, s.Tenant)
		}
	}
	switch {
	case len(known) == 0:
		return errors.New("there is no PluralKit source (hint: switchlog source add pluralkit --help)")
	case system == "":
		return errors.New("no PluralKit source has an API token and a known system, so PluralKit cannot be asked (hint: switchlog source rotate pluralkit --api-token-file -)")
	case !slices.Contains(known, system):
		return fmt.Errorf("no PluralKit source is of the system %q (hint: --tenant UUID; switchlog source list has them)", terminal.Plain(system))
	}
	return fmt.Errorf("PluralKit cannot be asked about %s: there is no API token (hint: switchlog source rotate pluralkit --api-token-file -)", system)
}

// reconcile looks now, answering with lines of progress and at the end the
// outcome.
func (a admin) reconcile(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	ctx, cancel := context.WithTimeout(r.Context(), adminTimeout)
	err := a.n.reconcilers.Refresh(ctx)
	cancel()
	if err != nil {
		return fault{http.StatusServiceUnavailable, err}
	}
	tenant := q.Get("tenant")
	found := a.n.reconcilers.Find(tenant)
	if found == nil {
		return fault{http.StatusNotFound, a.n.cannotAsk(tenant)}
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
		Long: "Ask PluralKit for everything it knows of a system, compare, and add events for what differs. It needs the " +
			"system's API token (source add pluralkit --api-token-file). The same runs by itself at every start, every 15 minutes, " +
			"and when something may have been missed. Exit code 1 if PluralKit did not answer, or does not send its webhooks here.",
	}
	tenant := cmd.Flags().String("tenant", "", "the system's uuid (default: all that have an API token)")
	dryRun := cmd.Flags().Bool("dry-run", false, "say what differs and change nothing")
	return withServer(cmd, func(ctx context.Context, c *call) error {
		systems := []string{*tenant}
		if *tenant == "" {
			if err := c.call(ctx, "GET", "/api/admin/reconcile", nil, &systems); err != nil {
				return err
			}
		}
		var errs []error
		for _, system := range systems {
			err := c.reconcile(ctx, system, *dryRun)
			if err != nil && len(systems) > 1 {
				err = fmt.Errorf("%s: %w", system, err)
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
}

// reconcile compares one system.
func (c *call) reconcile(ctx context.Context, system string, dryRun bool) error {
	q := url.Values{"tenant": {system}, "dry_run": {fmt.Sprint(dryRun)}}
	last, err := followLines(ctx, c.client, "/api/admin/reconcile?"+q.Encode(), func(_ []byte, p progress) error {
		showBar(c.errOut, p)
		return nil
	})
	if err != nil {
		showBar(c.errOut, progress{Reconciled: last.Reconciled})
	}
	if last.Reconciled == nil {
		return err
	}
	return last.Reconciled.print(c, err)
}

// print shows the outcome. A run that failed may have found something before.
func (r *reconciled) print(c *call, failed error) error {
	if c.json() {
		return errors.Join(failed, printJSON(c.out, r))
	}
	if failed != nil && r.Emitted == 0 {
		return failed
	}
	if err := c.say("%s", strings.TrimSpace(r.Summary)); err != nil {
		return err
	}
	if failed == nil && r.ToDo != "" {
		return fmt.Errorf("%s (hint: %s)", r.Reason, r.ToDo)
	}
	return failed
}
