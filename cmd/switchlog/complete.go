package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"switchlog/cmd/switchlog/terminal"
	"switchlog/processor/deliver"
	"switchlog/schemas"
)

// completeWithin bounds how long a shell waits for names that the server has.
const completeWithin = 2 * time.Second

// names gives what may stand for a word of a command's usage. A server that is
// away has none: a shell shows no errors.
type names func(ctx context.Context, c *client, args []string) []string

// namesOfWords are the words of usages that the shell completes.
var namesOfWords = map[string]names{
	"KIND":     kindNames,
	"NAME":     sourceOrQueryNames,
	"ID":       webhookNames,
	"PROVIDER": providerNames,
	"TABLE":    tableNames,
	"TYPE":     typeNames,
}

// namesOfFlags are the flags whose values the shell completes.
var namesOfFlags = map[string]names{
	"tenant": tenantNames,
	"source": kindNames,
	"type":   typeNames,
	"event":  eventNames,
	"roles":  fixed("ingest", "process", "query", "deliver"),
	"format": fixed(formatTable, formatCSV, formatJSON),
	"speed":  fixed("max", "1x", "10x"),
	"out":    nil, // a file

	"log-format": fixed("text", "json"),
}

// completeNames makes the command and all below it complete names.
func completeNames(cmd *cobra.Command) {
	_, usage, _ := strings.Cut(cmd.Use, " ")
	words := strings.Fields(strings.NewReplacer("[", "", "]", "").Replace(usage))
	if len(words) > 0 && cmd.ValidArgsFunction == nil && namesOfWords[words[0]] != nil {
		cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
			if len(args) >= len(words) || namesOfWords[words[len(args)]] == nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return complete(cmd, namesOfWords[words[len(args)]], args, begun)
		}
	}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if list := namesOfFlags[f.Name]; list != nil {
			// It fails only for a flag there is not, or one that completes already.
			_ = cmd.RegisterFlagCompletionFunc(f.Name, func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
				return complete(cmd, list, args, begun)
			})
		}
	})
	for _, sub := range cmd.Commands() {
		completeNames(sub)
	}
}

func complete(cmd *cobra.Command, list names, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(context.Background(), completeWithin)
	defer cancel()
	var found []string
	for _, name := range list(ctx, newClient(cmd), append([]string{cmd.Name()}, args...)) {
		if name = terminal.Plain(name); name != "" && strings.HasPrefix(name, begun) && !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

func fixed(list ...string) names {
	return func(context.Context, *client, []string) []string { return list }
}

func kindNames(context.Context, *client, []string) []string {
	var list []string
	for _, k := range sourceKinds() {
		list = append(list, k.Name)
	}
	return list
}

func providerNames(context.Context, *client, []string) []string {
	var list []string
	for _, p := range deliver.Providers() {
		list = append(list, p.Name)
	}
	return list
}

// sourceOrQueryNames are the queries for the command query, admin for access,
// else the sources of the kind that was given before.
func sourceOrQueryNames(ctx context.Context, c *client, args []string) (list []string) {
	switch args[0] {
	case "query":
		queries, err := c.queries(ctx)
		if err != nil {
			return nil
		}
		for _, q := range queries {
			list = append(list, q.Name)
		}
		return list
	case "show":
		if len(args) == 1 {
			return []string{adminUser}
		}
	}
	sources, err := c.sources(ctx)
	if err != nil || len(args) < 2 {
		return nil
	}
	for _, s := range sources {
		if s.Kind == args[1] {
			list = append(list, s.Name)
		}
	}
	return list
}

func tenantNames(ctx context.Context, c *client, _ []string) (list []string) {
	sources, err := c.sources(ctx)
	if err != nil {
		return nil
	}
	for _, s := range sources {
		list = append(list, s.Tenant)
	}
	return list
}

func webhookNames(ctx context.Context, c *client, args []string) (list []string) {
	webhooks, err := c.webhooks(ctx)
	if err != nil || len(args) > 1 {
		return nil
	}
	for _, h := range webhooks {
		list = append(list, deref(h.Name), h.ID)
	}
	return list
}

func tableNames(ctx context.Context, c *client, _ []string) (list []string) {
	var answer sqlAnswer
	in := map[string]string{"query": "SELECT name FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite_%' ORDER BY name"}
	if c.call(ctx, "POST", "/api/admin/sql", in, &answer) != nil {
		return nil
	}
	for _, row := range answer.Rows {
		if name, ok := row[0].(string); ok {
			list = append(list, name)
		}
	}
	return list
}

func typeNames(context.Context, *client, []string) (list []string) {
	for _, t := range schemas.Types() {
		list = append(list, t.Name)
	}
	return list
}

func eventNames(context.Context, *client, []string) (list []string) {
	for _, category := range schemas.EventCatalogue() {
		list = append(list, category.Events...)
	}
	return list
}
