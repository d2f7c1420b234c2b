package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"switchlog/ingest"
)

func newSourceTest() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test [KIND] NAME",
		Short: "Try a source's public address as its provider would",
		Long: "Send a correctly signed ping and a wrongly signed one to the source's public address, and say how they\n" +
			"were answered. Nothing of either is stored. Exit code 1 if the answers are not as they should be.",
		Args: cobra.RangeArgs(1, 2),
	}
	asJSON := cmd.Flags().Bool("json", false, "answer as JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		kind, name, err := kindAndName(cmd.Context(), c, args)
		if err != nil {
			return err
		}
		var t ingest.Tested
		if err := c.call(cmd.Context(), "POST", sourcePath(kind, name)+"/test", nil, &t); err != nil {
			return err
		}
		if *asJSON {
			err = printJSON(cmd.OutOrStdout(), t)
		} else {
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n  right signature: %s\n  wrong signature: %s\n%s\n", t.URL, tried(t.Right), tried(t.Wrong), t.Says)
		}
		if err == nil && !t.OK {
			return errReported
		}
		return err
	}
	return cmd
}

func tried(t *ingest.Tried) string {
	switch {
	case t == nil:
		return "not sent"
	case t.Error != "":
		return t.Error
	}
	return fmt.Sprintf("answered %d in %d ms", t.Status, t.Millis)
}

// kindAndName finds the kind of a source that only its name was given of.
func kindAndName(ctx context.Context, c *client, args []string) (kind, name string, err error) {
	if len(args) == 2 {
		return args[0], args[1], nil
	}
	var list []sourceInfo
	if err := c.call(ctx, "GET", "/api/admin/sources", nil, &list); err != nil {
		return "", "", err
	}
	for _, s := range list {
		if s.Name != args[0] {
			continue
		}
		if kind != "" {
			return "", "", fmt.Errorf("%w: there are several sources called %s (hint: switchlog source test KIND %s)", errUsage, args[0], args[0])
		}
		kind = s.Kind
	}
	if kind == "" {
		return "", "", fmt.Errorf("no source is called %q (hint: switchlog source list)", args[0])
	}
	return kind, args[0], nil
}
