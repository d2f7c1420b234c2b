package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
)

// status is how the server is.
type status struct {
	Version    string            `json:"version"`
	Ready      bool              `json:"ready"`
	Problems   []string          `json:"problems"` // why it is not ready, and what else wants a look
	Roles      roles             `json:"roles"`
	Public     string            `json:"public"` // empty without the role ingest
	Private    string            `json:"private"`
	NATS       string            `json:"nats"`
	Started    string            `json:"started"`
	Away       *gap              `json:"away"` // when the server last did not run; null: never, as far as is known
	Sources    []sourceInfo      `json:"sources"`
	Log        logStatus         `json:"log"`
	Projection *projectionStatus `json:"projection,omitempty"` // nil without the role process
	Spool      spoolStatus       `json:"spool"`
	Deliveries deliveryStatus    `json:"deliveries"`
}

type logStatus struct {
	Reachable bool   `json:"reachable"`
	Events    uint64 `json:"events"`
	Bytes     uint64 `json:"bytes"`
	LastSeq   uint64 `json:"last_seq"`
	LastTime  string `json:"last_time,omitempty"`
}

type projectionStatus struct {
	Position   uint64  `json:"position"`
	LagEvents  uint64  `json:"lag_events"`
	LagSeconds float64 `json:"lag_seconds"`
	Skipped    int64   `json:"skipped"`
	Bytes      int64   `json:"bytes"`
}

type spoolStatus struct {
	Depth         uint64  `json:"depth"`
	OldestSeconds float64 `json:"oldest_seconds"`
}

func newStatus() *cobra.Command {
	cmd := &cobra.Command{Use: "status", Short: "How the server is", Args: cobra.NoArgs}
	asJSON := cmd.Flags().Bool("json", false, "answer as JSON")
	watch := cmd.Flags().Bool("watch", false, "again every two seconds")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		show := func() error {
			var s status
			if err := c.call(cmd.Context(), "GET", "/api/admin/status", nil, &s); err != nil {
				return err
			}
			if *asJSON {
				return printJSON(cmd.OutOrStdout(), s)
			}
			return s.print(cmd.OutOrStdout())
		}
		if err := show(); err != nil || !*watch {
			return err
		}
		return every(cmd.Context(), 2*time.Second, show)
	}
	return cmd
}

// every calls fn at intervals until ctx ends or fn fails.
func every(ctx context.Context, interval time.Duration, fn func() error) error {
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			if err := fn(); err != nil {
				return err
			}
		}
	}
}

func (s status) print(w io.Writer) error {
	state := "ready"
	if !s.Ready {
		state = "NOT READY"
	}
	fmt.Fprintf(w, "switchlog %s: %s, up %s\n", s.Version, state, ago(s.Started))
	for _, p := range s.Problems {
		fmt.Fprintln(w, "  !", p)
	}
	if len(s.Roles) < len(allRoles) {
		fmt.Fprintf(w, "roles    %s\n", &s.Roles)
	}
	if s.Public != "" {
		fmt.Fprintf(w, "public   %s\n", s.Public)
	}
	fmt.Fprintf(w, "private  %s\nNATS     %s\n", s.Private, s.NATS)
	fmt.Fprintf(w, "spool    %d waiting", s.Spool.Depth)
	if s.Spool.Depth > 0 {
		fmt.Fprintf(w, ", the oldest for %.0f s", s.Spool.OldestSeconds)
	}
	fmt.Fprintf(w, "\nlog      %d events, %s, last %s\n", s.Log.Events, size(s.Log.Bytes), ago(s.Log.LastTime))
	if p := s.Projection; p != nil {
		fmt.Fprintf(w, "database at event %d, %d behind (%.1f s), %s", p.Position, p.LagEvents, p.LagSeconds, size(uint64(p.Bytes)))
		if p.Skipped > 0 {
			fmt.Fprintf(w, ", %d events set aside (hint: switchlog sql \"SELECT * FROM skipped\")", p.Skipped)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
	if d := s.Deliveries; d.Webhooks > 0 || len(d.Problems) > 0 {
		fmt.Fprintf(w, "webhooks %d, with %d deliveries due and %d failed\n", d.Webhooks, d.Due, d.Failed)
		for _, p := range d.Problems {
			fmt.Fprintln(w, "  !", p)
		}
	}
	if s.Away != nil {
		fmt.Fprintf(w, "away     until %s, for %s: what was sent then is asked for, of PluralKit sources with an API token\n", ago(s.Away.To), s.Away.length())
	}
	return printSources(w, s.Sources)
}

func size(bytes uint64) string {
	switch {
	case bytes >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
	case bytes >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
	case bytes >= 1<<10:
		return fmt.Sprintf("%.1f KiB", float64(bytes)/(1<<10))
	}
	return fmt.Sprintf("%d B", bytes)
}
