package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"switchlog/cmd/switchlog/latency"
	"switchlog/cmd/switchlog/terminal"
)

// benchWithin is for how long switches are begun: with a start and a stop
// the command takes less than a minute also on a small machine.
const benchWithin = 30 * time.Second

func newBench(environ []string) *cobra.Command {
	cmd := &cobra.Command{Use: "bench", Short: "Measure this program on this machine",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(newBenchLatency(environ))
	return cmd
}

func newBenchLatency(environ []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "latency",
		Short: "How long a switch takes to everybody who waits for it",
		Long: "How long a switch takes from PluralKit's post to the answer, to NATS, and to a message in Discord. It starts a " +
			"server of its own beside --data, on the same disk, plays PluralKit and Discord itself, and removes everything afterwards: nothing " +
			"leaves the machine. It takes less than a minute.",
	}
	n := cmd.Flags().Int("switches", 30, fmt.Sprintf("how many, at most %d; no more are begun after %v", latency.MaxSwitches, benchWithin))
	return withAnswer(cmd, func(ctx context.Context, c *call) (err error) {
		if *n < 1 || *n > latency.MaxSwitches {
			return fmt.Errorf("%w: --switches %d is not 1 to %d", errUsage, *n, latency.MaxSwitches)
		}
		program, err := os.Executable()
		if err != nil {
			return err
		}
		data, err := cmd.Flags().GetString("data")
		if err != nil {
			return err
		}
		dir, err := os.MkdirTemp(filepath.Dir(filepath.Clean(data)), "switchlog-bench-")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		if dir, err = filepath.Abs(dir); err != nil {
			return err
		}
		r, err := latency.Run(ctx, latency.Config{Program: program, Env: environ, Dir: dir, Switches: *n, Within: benchWithin,
			Progress: func(done, total int) {
				showBar(c.errOut, progress{Step: "switches", Done: uint64(done), Total: uint64(total)})
			}})
		if err != nil {
			return err
		}
		showBar(c.errOut, progress{})
		return c.answer(r, func() error {
			t := terminal.NewTable("A SWITCH, FROM PLURALKIT'S POST", "HALF OF THEM WITHIN", "THE SLOWEST")
			for _, s := range r.Steps {
				t.Add(s.Name, s.Median.Round(10*time.Microsecond), s.Worst.Round(10*time.Microsecond))
			}
			if err := t.Print(c.out); err != nil {
				return err
			}
			return c.say("%d switches, one every %v; the server was ready for them after %v", r.Switches, latency.Pace, r.Start.Round(10*time.Millisecond))
		})
	})
}
