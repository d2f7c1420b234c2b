package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"switchlog/schemas"
)

func newSchema() *cobra.Command {
	cmd := &cobra.Command{Use: "schema", Short: "What events look like", Args: cobra.NoArgs,
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
	cmd := &cobra.Command{Use: "list", Short: "All event types", Args: cobra.NoArgs}
	asJSON := cmd.Flags().Bool("json", false, "answer as JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		list := []typeInfo{}
		for _, t := range schemas.Types() {
			list = append(list, typeInfo{Type: t.Name, Schema: schemas.SchemaID(t.Name), Provider: t.Provider, Summary: t.Summary})
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), list)
		}
		t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "TYPE\tSENT AS\tWHAT")
		for _, i := range list {
			fmt.Fprintf(t, "%s\t%s\t%s\n", i.Type, orDash(i.Provider), i.Summary)
		}
		return t.Flush()
	}
	return cmd
}

func newSchemaShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show TYPE",
		Short:   "The JSON Schema of an event type's data (by type or by dataschema), or of event, the envelope",
		Example: "  switchlog schema show me.pluralkit.switch.create",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, ok := schemas.Schema(args[0])
			if !ok {
				return fmt.Errorf("no event type is called %q (hint: switchlog schema list)", args[0])
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
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := schemas.Export(args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "written to %s\n", args[0])
			return err
		},
	}
}
