package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func newQuery() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "query NAME [key=value…]",
		Short: "Ask a named query",
		Long:  "Ask a named query, the same as over HTTP and NATS. tenant=… says whose data; it may be left out while there is only one.\nWithout NAME: the queries there are.",
		Example: "  switchlog query fronters\n" +
			"  switchlog query fronters at=2026-01-01T12:00:00Z\n" +
			"  switchlog query member ref=abcde",
		Args: cobra.ArbitraryArgs,
	}
	source := cmd.Flags().String("source", "pluralkit", "kind of the source")
	cmd.Flags().Bool("json", true, "answer as JSON (always so)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		if len(args) == 0 {
			return listQueries(cmd, c)
		}
		params := map[string]string{}
		for _, arg := range args[1:] {
			key, value, ok := strings.Cut(arg, "=")
			if !ok {
				return fmt.Errorf("%w: %q is not key=value", errUsage, arg)
			}
			params[key] = value
		}
		var answer json.RawMessage
		in := map[string]any{"source": *source, "name": args[0], "params": params}
		if err := c.call(cmd.Context(), "POST", "/api/admin/query", in, &answer); err != nil {
			return err
		}
		return printJSON(cmd.OutOrStdout(), answer)
	}
	return cmd
}

// queryInfo describes a query there is.
type queryInfo struct {
	Source string   `json:"source"`
	Name   string   `json:"name"`
	Doc    string   `json:"doc"`
	Params []string `json:"params"`
}

func listQueries(cmd *cobra.Command, c *client) error {
	var list []queryInfo
	if err := c.call(cmd.Context(), "GET", "/api/admin/queries", nil, &list); err != nil {
		return err
	}
	t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SOURCE\tQUERY\tPARAMETERS\tWHAT")
	for _, q := range list {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", q.Source, q.Name, strings.Join(q.Params, " "), q.Doc)
	}
	return t.Flush()
}

// sqlAnswer is a table.
type sqlAnswer struct {
	Columns   []string `json:"columns"`
	Rows      [][]any  `json:"rows"`
	Truncated bool     `json:"truncated"`
}

func newSQL() *cobra.Command {
	cmd := &cobra.Command{
		Use:     `sql "SELECT …"`,
		Short:   "Read the database with SQL",
		Long:    "Read the database with SQL: one statement, nothing is changed. Tables and columns: projections/README.md.",
		Example: `  switchlog sql "SELECT name, since FROM current_fronters"`,
		Args:    cobra.ExactArgs(1),
	}
	asJSON := cmd.Flags().Bool("json", false, "answer as JSON: an array of objects")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		var table sqlAnswer
		if err := c.call(cmd.Context(), "POST", "/api/admin/sql", map[string]string{"query": args[0]}, &table); err != nil {
			return err
		}
		if table.Truncated {
			fmt.Fprintf(cmd.ErrOrStderr(), "only the first %d rows are shown (hint: LIMIT and OFFSET)\n", len(table.Rows))
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), table.objects())
		}
		return table.print(cmd.OutOrStdout())
	}
	return cmd
}

func (t sqlAnswer) objects() []map[string]any {
	out := make([]map[string]any, len(t.Rows))
	for i, row := range t.Rows {
		out[i] = map[string]any{}
		for j, column := range t.Columns {
			out[i][column] = row[j]
		}
	}
	return out
}

func (t sqlAnswer) print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, strings.Join(t.Columns, "\t"))
	for _, row := range t.Rows {
		cells := make([]string, len(row))
		for i, v := range row {
			if v != nil {
				cells[i] = strings.NewReplacer("\t", " ", "\n", " ").Replace(fmt.Sprint(v))
			}
		}
		fmt.Fprintln(tw, strings.Join(cells, "\t"))
	}
	return tw.Flush()
}

// causes are the events that made a row.
type causes struct {
	Table  string       `json:"table"`
	Key    string       `json:"key"`
	Events []recordedJS `json:"events"`
}

// recordedJS is an event with its position.
type recordedJS struct {
	Seq   uint64          `json:"seq"`
	Event json.RawMessage `json:"event"`
}

func newExplain() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "explain TABLE KEY",
		Short:   "Which events made this row",
		Example: "  switchlog explain members 0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1",
		Args:    cobra.ExactArgs(2),
	}
	asJSON := cmd.Flags().Bool("json", false, "answer as JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		var out causes
		q := url.Values{"table": {args[0]}, "key": {args[1]}}
		if err := c.call(cmd.Context(), "GET", "/api/admin/explain?"+q.Encode(), nil, &out); err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), out)
		}
		if len(out.Events) == 0 {
			fmt.Fprintf(cmd.OutOrStdout(), "no event made a row %s in %s\n", out.Key, out.Table)
			return nil
		}
		for _, e := range out.Events {
			if err := printEvent(cmd.OutOrStdout(), e.Seq, e.Event); err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

// printEvent writes an event as a line for people.
func printEvent(w io.Writer, seq uint64, body []byte) error {
	var e struct {
		Time    string          `json:"time"`
		Type    string          `json:"type"`
		Source  string          `json:"source"`
		Subject string          `json:"subject"`
		Data    json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%8d  %s  %-36s  %s  %s\n", seq, e.Time, e.Type, orDash(e.Subject), e.Data)
	return err
}
