package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"switchlog/cmd/switchlog/terminal"
)

// call is one run of a command that asks the running server.
type call struct {
	*client
	cmd    *cobra.Command
	args   []string
	out    io.Writer // standard output
	errOut io.Writer // standard error
	format string    // table, csv or json
}

// The forms an answer is written in.
const (
	formatTable = "table"
	formatCSV   = "csv"
	formatJSON  = "json"
)

// withServer makes run what cmd does, with a client of the running server, and
// gives cmd the flags that all such commands have. The server is looked for at
// the first request, so that mistakes in flags are found first.
func withServer(cmd *cobra.Command, run func(ctx context.Context, c *call) error) *cobra.Command {
	tokenFlag(cmd)
	return withAnswer(cmd, run)
}

// tokenFlag gives cmd the flag for the token to ask with.
func tokenFlag(cmd *cobra.Command) {
	cmd.Flags().String("admin-token-file", "", "file with the admin token for --server (default: admin.token in --data)")
}

// withRows is withServer for a command that answers rows, in the form that
// --format says; fallback is the form without it.
func withRows(cmd *cobra.Command, fallback string, run func(ctx context.Context, c *call) error) *cobra.Command {
	formatFlags(cmd, fallback)
	return withServer(cmd, run)
}

// withAnswer is withServer for a command that needs no server.
func withAnswer(cmd *cobra.Command, run func(ctx context.Context, c *call) error) *cobra.Command {
	if cmd.Flags().Lookup("json") == nil {
		cmd.Flags().Bool("json", false, "answer as JSON")
	}
	return withFormat(cmd, formatOf, run)
}

// withFormat is withAnswer for a command with forms of its own: formatOf says
// which is meant.
func withFormat(cmd *cobra.Command, formatOf func(*cobra.Command) (string, error), run func(ctx context.Context, c *call) error) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		format, err := formatOf(cmd)
		if err != nil {
			return err
		}
		return run(cmd.Context(), &call{
			client: newClient(cmd), cmd: cmd, args: args, out: cmd.OutOrStdout(), errOut: cmd.ErrOrStderr(), format: format,
		})
	}
	return cmd
}

// formatFlags declares the flags of a command that answers rows.
func formatFlags(cmd *cobra.Command, fallback string) {
	cmd.Flags().String("format", fallback, "how rows are written: table, csv or json")
	if cmd.Flags().Lookup("json") == nil {
		cmd.Flags().Bool("json", false, "the same as --format json")
	}
}

func formatOf(cmd *cobra.Command) (string, error) {
	format := formatTable
	if f := cmd.Flags().Lookup("format"); f != nil {
		format = f.Value.String()
	}
	if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
		format = formatJSON
	}
	switch format {
	case formatTable, formatCSV, formatJSON:
		return format, nil
	}
	return "", fmt.Errorf("%w: --format %q is none of table, csv, json", errUsage, format)
}

// json reports whether the answer is JSON.
func (c *call) json() bool { return c.format == formatJSON }

// answer writes v as JSON if that was asked for, and else what text writes.
func (c *call) answer(v any, text func() error) error {
	if c.json() {
		return printJSON(c.out, v)
	}
	return text()
}

// say writes a line for people.
func (c *call) say(format string, args ...any) error {
	_, err := fmt.Fprintf(c.out, format+"\n", args...)
	return err
}

// note writes a line beside the answer, to standard error.
func (c *call) note(format string, args ...any) { fmt.Fprintf(c.errOut, format+"\n", args...) }

// rows writes a table in the form that was asked for; v is it as JSON.
func (c *call) rows(v any, t *terminal.Table) error {
	switch c.format {
	case formatJSON:
		return printJSON(c.out, v)
	case formatCSV:
		return t.CSV(c.out)
	}
	return t.Print(c.out)
}
