package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"switchlog/cmd/switchlog/terminal"
)

func newQuery() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "query [NAME] [key=value…]",
		Short: "Ask a named query",
		Long:  "Ask a named query, the same as over HTTP and NATS. tenant=… says whose data; it may be left out while there is only one. Without NAME: the queries there are.",
		Example: "  switchlog query fronters\n" +
			"  switchlog query fronters at=2026-01-01T12:00:00Z\n" +
			"  switchlog query member ref=abcde",
	}
	source := cmd.Flags().String("source", "pluralkit", "kind of the source")
	return withRows(cmd, formatJSON, func(ctx context.Context, c *call) error {
		if len(c.args) == 0 {
			return c.listQueries(ctx)
		}
		params := map[string]string{}
		for _, arg := range c.args[1:] {
			key, value, ok := strings.Cut(arg, "=")
			if !ok {
				return fmt.Errorf("%w: %q is not key=value", errUsage, terminal.Plain(arg))
			}
			params[key] = value
		}
		var answer json.RawMessage
		in := map[string]any{"source": *source, "name": c.args[0], "params": params}
		if err := c.call(ctx, "POST", "/api/admin/query", in, &answer); err != nil {
			return err
		}
		if c.json() {
			return printJSON(c.out, answer)
		}
		t, err := tableOf(answer)
		if err != nil {
			return err
		}
		return c.rows(answer, t)
	})
}

// tableOf makes a table of a query's answer: of its list of objects if it has
// one, else of itself, a row for each member.
func tableOf(answer []byte) (*terminal.Table, error) {
	var rows []map[string]json.RawMessage
	one := map[string]json.RawMessage{}
	if json.Unmarshal(answer, &rows) != nil {
		if err := json.Unmarshal(answer, &one); err != nil {
			return nil, fmt.Errorf("the answer is neither an object nor a list of them: %w", err)
		}
		for _, name := range sortedKeys(one) {
			if json.Unmarshal(one[name], &rows) == nil && len(rows) > 0 {
				break
			}
		}
	}
	if len(rows) == 0 && len(one) > 0 {
		rows = []map[string]json.RawMessage{one}
	}
	names := map[string]bool{}
	for _, row := range rows {
		for name := range row {
			names[name] = true
		}
	}
	columns := sortedKeys(names)
	t := terminal.NewTable(columns...)
	for _, row := range rows {
		cells := make([]any, len(columns))
		for i, name := range columns {
			cells[i] = cellText(row[name])
		}
		t.Add(cells...)
	}
	return t, nil
}

// cellText is a JSON value as a cell: text without its quotes, null as nothing.
func cellText(value json.RawMessage) string {
	var text *string
	if len(value) == 0 || json.Unmarshal(value, &text) != nil {
		return string(value)
	}
	return deref(text)
}

// queryInfo describes a query there is.
type queryInfo struct {
	Source string   `json:"source"`
	Name   string   `json:"name"`
	Doc    string   `json:"doc"`
	Params []string `json:"params"`
}

func (c *call) listQueries(ctx context.Context) error {
	list, err := c.queries(ctx)
	if err != nil {
		return err
	}
	t := terminal.NewTable("SOURCE", "QUERY", "PARAMETERS", "WHAT")
	for _, q := range list {
		t.Add(q.Source, q.Name, strings.Join(q.Params, " "), q.Doc)
	}
	// Rows are JSON by default where a query is asked; a list of them is for
	// people unless they say otherwise.
	if c.json() && !c.cmd.Flags().Changed("json") && !c.cmd.Flags().Changed("format") {
		return t.Print(c.out)
	}
	return c.rows(list, t)
}

// queries are the named queries there are.
func (c *client) queries(ctx context.Context) ([]queryInfo, error) {
	var list []queryInfo
	return list, c.call(ctx, "GET", "/api/admin/queries", nil, &list)
}

// sqlAnswer is a table.
type sqlAnswer struct {
	Columns   []string `json:"columns"`
	Rows      [][]any  `json:"rows"`
	Truncated bool     `json:"truncated"`
}

func newSQL() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "sql STATEMENT",
		Short:   "Read the database with SQL",
		Long:    "Read the database with SQL: one statement, nothing is changed. Tables and columns: projections/README.md.",
		Example: `  switchlog sql "SELECT name, since FROM current_fronters"`,
	}
	return withRows(cmd, formatTable, func(ctx context.Context, c *call) error {
		var answer sqlAnswer
		if err := c.call(ctx, "POST", "/api/admin/sql", map[string]string{"query": c.args[0]}, &answer); err != nil {
			return err
		}
		if answer.Truncated {
			c.note("only the first %d rows are shown (hint: LIMIT and OFFSET)", len(answer.Rows))
		}
		return c.rows(answer.objects(), answer.table())
	})
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

func (t sqlAnswer) table() *terminal.Table {
	out := terminal.NewTable(t.Columns...)
	for _, row := range t.Rows {
		cells := make([]any, len(row))
		for i, v := range row {
			if cells[i] = v; v == nil {
				cells[i] = ""
			}
		}
		out.Add(cells...)
	}
	return out
}

// causes are the events that made a row.
type causes struct {
	Table  string       `json:"table"`
	Key    string       `json:"key"`
	Events []recordedJS `json:"events"`

	KeyIs   string `json:"key_is"`   // the columns that make a key of this table, joined by /
	ShortID bool   `json:"short_id"` // PluralKit's short id does as well
}

// keyWords says what a key of the table looks like.
func (c causes) keyWords() string {
	words := "its key is the column " + c.KeyIs
	if strings.Contains(c.KeyIs, "/") {
		words = "its key is these columns, with / between them: " + c.KeyIs
	}
	if c.ShortID {
		words += ", or the short id"
	}
	return words
}

// recordedJS is an event with its position.
type recordedJS struct {
	Seq   uint64          `json:"seq"`
	Event json.RawMessage `json:"event"`
}

func newExplain() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain TABLE KEY",
		Short: "Which events made this row",
		Long: "Which events made this row. KEY is the columns of the table's primary key, with / between them; the first, the tenant, " +
			"may be left out. Of members, groups and systems it may also be PluralKit's short id. For a KEY there is not it says which columns are meant.",
		Example: "  switchlog explain members 0b6c2a9e-55d1-4b0c-8f3a-91c7de20a4f1\n" +
			"  switchlog explain members pe-duep\n" +
			"  switchlog explain group_members GROUP_UUID/MEMBER_UUID",
	}
	return withServer(cmd, func(ctx context.Context, c *call) error {
		var out causes
		q := url.Values{"table": {c.args[0]}, "key": {c.args[1]}}
		if err := c.call(ctx, "GET", "/api/admin/explain?"+q.Encode(), nil, &out); err != nil {
			return err
		}
		return c.answer(out, func() error {
			if len(out.Events) == 0 {
				return c.say("no event made a row %s in %s (hint: %s)", terminal.Plain(out.Key), terminal.Plain(out.Table), out.keyWords())
			}
			for _, e := range out.Events {
				if err := printEvent(c.out, e.Seq, e.Event); err != nil {
					return err
				}
			}
			return nil
		})
	})
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
	line := terminal.Plain(fmt.Sprintf("%8d  %s  %-36s  %s  %s", seq, e.Time, e.Type, orDash(e.Subject), e.Data))
	if screen := terminal.Width(w); screen > 0 {
		line = terminal.Cut(line, screen)
	}
	_, err := fmt.Fprintln(w, line)
	return err
}
