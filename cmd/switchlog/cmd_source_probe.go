package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"switchlog/ingest"
)

// errTest is what a failed test of a source ends with; what went wrong has
// been said.
var errTest = fmt.Errorf("the test failed")

func newSourceTest() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test KIND [NAME]",
		Short: "Try a source's public address, as its provider would",
		Long: "Sends a ping and a wrongly signed one to the address that the provider posts to, through name server, proxy and certificate. " +
			"Nothing of either is stored. Where switchlog cannot sign as the provider does, only the wrong one is sent. " +
			"NAME may be left out while there is only one of its kind.",
		Args: cobra.RangeArgs(1, 2),
	}
	asJSON := cmd.Flags().Bool("json", false, "answer as JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		name, err := nameOrOnly(cmd.Context(), c, args)
		if err != nil {
			return err
		}
		var out ingest.Tested
		if err := c.call(cmd.Context(), "POST", sourcePath(args[0], name)+"/test", nil, &out); err != nil {
			return err
		}
		if *asJSON {
			err = printJSON(cmd.OutOrStdout(), out)
		} else {
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n%s\n", out.URL, out.Says)
		}
		if err == nil && !out.OK {
			err = errTest
		}
		return err
	}
	return cmd
}
