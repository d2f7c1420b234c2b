package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"switchlog/cmd/switchlog/terminal"
)

// progress is a line of the answer to a long command: how far it is, and at
// the end the outcome.
type progress struct {
	Step    string   `json:"step,omitempty"` // what is being done
	Done    uint64   `json:"done"`
	Total   uint64   `json:"total"`
	Error   string   `json:"error,omitempty"`
	Outcome *outcome `json:"outcome,omitempty"`

	Reconciled *reconciled `json:"reconciled,omitempty"` // the outcome of a look at PluralKit; also beside an error
}

// over reports whether it is the last line.
func (p progress) over() bool { return p.Outcome != nil || p.Reconciled != nil }

// outcome is what a rebuild or a verification found.
type outcome struct {
	Events      uint64       `json:"events"`
	Position    uint64       `json:"position"`
	Seconds     float64      `json:"seconds"`
	Rows        int64        `json:"rows"`
	Differences int64        `json:"differences"`
	First       []difference `json:"first_differences,omitempty"`
	Skipped     int64        `json:"skipped"`
	Swapped     bool         `json:"swapped"`
}

// difference is a row that is not the same in both databases.
type difference struct {
	Table   string          `json:"table"`
	Key     string          `json:"key"`
	Live    json.RawMessage `json:"live"`    // null: not there
	Rebuilt json.RawMessage `json:"rebuilt"` // null: not there
}

func newRebuild() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rebuild",
		Short: "Build the database anew from the log, and put it in place",
		Long: "Build the database anew from the log beside the one in use, compare the two, and put the new one\n" +
			"in place in one step. Readers are not disturbed. Nothing is sent or asked outside.\n" +
			"Events that were set aside (table skipped) are applied again by it.",
	}
	cmd.Flags().Bool("json", false, "progress and outcome as JSON lines")
	return withServer(cmd, func(ctx context.Context, c *call) error {
		o, err := c.follow(ctx, "/api/admin/rebuild")
		if err != nil || c.json() {
			return err
		}
		fmt.Fprintf(c.out, "rebuilt from %d events in %.1f s (%.0f events/s), %d rows, %d set aside\n", o.Events, o.Seconds, float64(o.Events)/max(o.Seconds, 0.001), o.Rows, o.Skipped)
		if o.Differences == 0 {
			return c.say("the same rows as before; the new database is in place")
		}
		fmt.Fprintf(c.out, "%d rows differ from before; the new database is in place\n", o.Differences)
		return printDifferences(c.out, o)
	})
}

func newVerify() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Replay the log into a scratch database and compare",
		Long:  "Replay the log into a scratch database and compare it row by row with the one in use. Exit code 1, and the differences, if there are any. Nothing is changed, sent or asked outside.",
	}
	cmd.Flags().Bool("json", false, "progress and outcome as JSON lines")
	return withServer(cmd, func(ctx context.Context, c *call) error {
		o, err := c.follow(ctx, "/api/admin/verify")
		if err != nil {
			return err
		}
		if o.Differences == 0 {
			if c.json() {
				return nil
			}
			return c.say("the database equals a replay of %d events: %d rows, no difference", o.Events, o.Rows)
		}
		if !c.json() {
			if err := printDifferences(c.out, o); err != nil {
				return err
			}
			c.note("switchlog: %d rows differ from a replay (hint: switchlog rebuild puts them right; please report it)", o.Differences)
		}
		return errReported
	})
}

func printDifferences(w io.Writer, o *outcome) error {
	for _, d := range o.First {
		if _, err := fmt.Fprintf(w, "%s %s\n  in use:  %s\n  rebuilt: %s\n", d.Table, terminal.Plain(d.Key), terminal.Plain(string(d.Live)), terminal.Plain(string(d.Rebuilt))); err != nil {
			return err
		}
	}
	if more := o.Differences - int64(len(o.First)); more > 0 {
		_, err := fmt.Fprintf(w, "… and %d more\n", more)
		return err
	}
	return nil
}

// follow starts a long command and shows its progress until the outcome.
func (c *call) follow(ctx context.Context, path string) (*outcome, error) {
	last, err := followLines(ctx, c.client, path, func(line []byte, p progress) error {
		if c.json() {
			return c.say("%s", line)
		}
		showBar(c.errOut, p)
		return nil
	})
	return last.Outcome, err
}

// followLines shows a long command's lines and gives the last one, with the
// outcome; also with an error that the server tells.
func followLines(ctx context.Context, c *client, path string, show func(line []byte, p progress) error) (progress, error) {
	body, err := c.do(ctx, "POST", path, nil)
	if err != nil {
		return progress{}, err
	}
	defer body.Close()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxLineBytes)
	for lines.Scan() {
		var p progress
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			return progress{}, err
		}
		if p.Error != "" {
			return p, errors.New(p.Error)
		}
		if err := show(lines.Bytes(), p); err != nil {
			return progress{}, err
		}
		if p.over() {
			return p, nil
		}
	}
	return progress{}, errors.Join(errors.New("the server stopped in the middle (hint: it is safe to run it again)"), lines.Err())
}

// showBar draws the progress on a terminal; anywhere else it writes nothing.
func showBar(w io.Writer, p progress) {
	if _, ok := terminal.File(w); ok {
		fmt.Fprint(w, bar(p))
	}
}

// bar is the line of a terminal that says how far p is, in place of the one
// before. Of what has no step it is empty: the outcome is told otherwise.
func bar(p progress) string {
	const width, clear = 40, "\r\x1b[K"
	if p.Step == "" {
		return clear
	}
	line := fmt.Sprintf(clear+"%-10s %d", p.Step, p.Done) // nobody knows of how many
	if p.Total > 0 {
		filled := int(min(p.Done*width/p.Total, width))
		line = fmt.Sprintf(clear+"%-10s [%s%s] %d of %d", p.Step, strings.Repeat("#", filled), strings.Repeat(" ", width-filled), p.Done, p.Total)
	}
	if p.Outcome != nil {
		line += "\n"
	}
	return line
}
