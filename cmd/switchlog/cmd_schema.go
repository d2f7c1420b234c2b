package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"switchlog/cmd/switchlog/terminal"
	"switchlog/schemas"
)

func newSchema() *cobra.Command {
	cmd := &cobra.Command{Use: "schema", Short: "What events look like",
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(newSchemaList(), newSchemaShow(), newSchemaExport())
	return cmd
}

// typeInfo describes an event type.
type typeInfo struct {
	Type     string `json:"type"`
	Schema   string `json:"dataschema"`
	Provider string `json:"provider_name,omitempty"`
	Summary  string `json:"summary"`
}

func newSchemaList() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "All event types"}
	formatFlags(cmd, formatTable)
	return withAnswer(cmd, func(_ context.Context, c *call) error {
		list := []typeInfo{}
		t := terminal.NewTable("TYPE", "SENT AS", "WHAT")
		for _, i := range schemas.Types() {
			list = append(list, typeInfo{Type: i.Name, Schema: schemas.SchemaID(i.Name), Provider: i.Provider, Summary: i.Summary})
			t.Add(i.Name, orDash(i.Provider), i.Summary)
		}
		return c.rows(list, t)
	})
}

func newSchemaShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show TYPE",
		Short:   "The JSON Schema of an event type's data",
		Long:    "The JSON Schema of an event type's data. TYPE is a type or a dataschema; event is the envelope.",
		Example: "  switchlog schema show me.pluralkit.switch.create",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, ok := schemas.Schema(args[0])
			if !ok {
				var names []string
				for _, t := range schemas.Types() {
					names = append(names, t.Name)
				}
				return fmt.Errorf("no event type is called %q (hint: %s)", terminal.Plain(args[0]), didYouMean(args[0], names, "switchlog schema list"))
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s\n", s)
			return err
		},
	}
}

func newSchemaExport() *cobra.Command {
	return &cobra.Command{
		Use:   "export DIR",
		Short: "All schemas and examples and the AsyncAPI document, as files",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := schemas.Export(args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "written to %s\n", terminal.Plain(args[0]))
			return err
		},
	}
}
