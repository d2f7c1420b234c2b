package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"switchlog/cmd/switchlog/terminal"
)

// status is how the server is.
type status struct {
	Version    string            `json:"version"`
	Ready      bool              `json:"ready"`
	Problems   []string          `json:"problems"` // why it is not ready
	Notices    []string          `json:"notices"`  // what else wants a look; it is ready all the same
	Roles      roles             `json:"roles"`
	Public     string            `json:"public"` // empty without the role ingest
	Private    string            `json:"private"`
	NATS       string            `json:"nats"`
	Started    string            `json:"started"`
	Away       *gap              `json:"away"`   // when the server last did not run; null: never, as far as is known
	Fronts     []front           `json:"fronts"` // of the first 20 systems; none without the role process
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
	WALBytes   int64   `json:"wal_bytes"`           // of projections.db-wal, counted in Bytes
	WALSince   string  `json:"wal_since,omitempty"` // since when that is large, which it should not be; empty: it is not
}

type spoolStatus struct {
	Depth         uint64  `json:"depth"`
	OldestSeconds float64 `json:"oldest_seconds"`
}

func newStatus() *cobra.Command {
	cmd := &cobra.Command{Use: "status", Short: "How the server is",
		Long: "How the server is. Exit code 1 if it is not ready."}
	watch := cmd.Flags().Bool("watch", false, "again every two seconds")
	return withServer(cmd, func(ctx context.Context, c *call) error {
		if !*watch {
			return c.status(ctx, "")
		}
		// On a terminal each status is drawn over the one before.
		const clearScreen = "\x1b[H\x1b[2J"
		before := ""
		if _, ok := terminal.File(c.out); ok && !c.json() {
			before = clearScreen
		}
		show := func() error {
			if err := c.status(ctx, before); !errors.Is(err, errReported) {
				return err
			}
			return nil // a server that is not ready is watched on
		}
		if err := show(); err != nil {
			return err
		}
		return every(ctx, 2*time.Second, show)
	})
}

// status shows the status once, after what is written before. A server that is
// not ready is errReported.
func (c *call) status(ctx context.Context, before string) error {
	var s status
	if err := c.call(ctx, "GET", "/api/admin/status", nil, &s); err != nil {
		return err
	}
	fmt.Fprint(c.out, before)
	if err := c.answer(s, func() error { return s.print(c.out) }); err != nil {
		return err
	}
	if !s.Ready {
		return errReported
	}
	return nil
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
	state := terminal.Paint(w, terminal.Green, "ready")
	if !s.Ready {
		state = terminal.Paint(w, terminal.Red, "NOT READY")
	}
	fmt.Fprintf(w, "switchlog %s: %s, up %s\n", s.Version, state, strings.TrimSuffix(ago(s.Started), " ago"))
	printProblems(w, s.Problems)
	printProblems(w, s.Notices)
	for _, f := range s.Fronts {
		text := f.words(time.Now(), false)
		if len(s.Fronts) > 1 {
			text = f.name() + ": " + text
		}
		terminal.PrintWrapped(w, "front    ", text)
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
		text := fmt.Sprintf("at event %d, %d behind (%.1f s), %s with a WAL of %s", p.Position, p.LagEvents, p.LagSeconds, size(uint64(p.Bytes)), size(uint64(p.WALBytes)))
		if held := walHeld(p.WALBytes, p.WALSince); held != "" {
			text += "; " + held
		}
		if p.Skipped > 0 {
			text += fmt.Sprintf(", %d events set aside (hint: switchlog sql \"SELECT * FROM skipped\")", p.Skipped)
		}
		terminal.PrintWrapped(w, "database ", text)
	}
	if d := s.Deliveries; d.Webhooks > 0 || len(d.Problems) > 0 {
		fmt.Fprintf(w, "webhooks %d, with %d deliveries due and %d failed\n", d.Webhooks, d.Due, d.Failed)
		printProblems(w, d.Problems)
		for _, withheld := range d.Withheld {
			terminal.PrintWrapped(w, "  - ", withheld)
		}
	}
	if s.Away != nil {
		terminal.PrintWrapped(w, "away     ", fmt.Sprintf("until %s, for %s: what was sent then is asked for, of PluralKit sources with an API token", ago(s.Away.To), s.Away.length()))
	}
	fmt.Fprintln(w)
	return printSources(w, s.Sources)
}

func printProblems(w io.Writer, problems []string) {
	for _, p := range problems {
		terminal.PrintWrapped(w, "  "+terminal.Paint(w, terminal.Red, "!")+" ", p)
	}
}

// size is a number of bytes in words.
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
