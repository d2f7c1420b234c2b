package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// importAnswer is what became of the events of a file.
type importAnswer struct {
	Read     int      `json:"read"`     // events in the file
	New      int      `json:"new"`      // put into the log
	Known    int      `json:"known"`    // in the log already
	Registry int      `json:"registry"` // about sources of the server they came from: left out
	Refused  int      `json:"refused"`  // lines that are no event of ours
	Faults   []string `json:"faults,omitempty"`
}

func newImport() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Take events from a file into the log",
		Long: "Take events from a file of CloudEvents, one a line (NDJSON), as replay writes it; - is standard input.\n" +
			"An event that the log already has is not stored again: running it twice changes nothing.",
		Args: cobra.ExactArgs(1),
	}
	asJSON := cmd.Flags().Bool("json", false, "answer as JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		in := cmd.InOrStdin()
		if args[0] != "-" {
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			in = f
		}
		c, err := newClient(cmd)
		if err != nil {
			return err
		}
		body, err := c.do(cmd.Context(), "POST", "/api/admin/import", in)
		if err != nil {
			return err
		}
		defer body.Close()
		var a importAnswer
		if err := decode(body, &a); err != nil {
			return err
		}
		if *asJSON {
			err = printJSON(cmd.OutOrStdout(), a)
		} else {
			err = a.print(cmd)
		}
		if err == nil && a.Refused > 0 {
			return errReported
		}
		return err
	}
	return cmd
}

func (a importAnswer) print(cmd *cobra.Command) error {
	if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%d events read: %d new, %d already known\n", a.Read, a.New, a.Known); err != nil {
		return err
	}
	if a.Registry > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%d events about sources are left out: their secrets are not in the file (hint: switchlog source add)\n", a.Registry)
	}
	for _, fault := range a.Faults {
		fmt.Fprintln(cmd.ErrOrStderr(), "refused:", fault)
	}
	if more := a.Refused - len(a.Faults); more > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "refused: and %d more\n", more)
	}
	return nil
}
