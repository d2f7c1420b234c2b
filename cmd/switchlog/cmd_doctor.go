package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// verdict is what a check of the doctor came to.
type verdict string

const (
	fine    verdict = "ok"
	warning verdict = "warning" // it works, and something wants a look
	problem verdict = "problem" // it does not work, or something is lost unless a person acts
)

// finding is one check of the doctor.
type finding struct {
	Check   string  `json:"check"`
	Verdict verdict `json:"verdict"`
	Says    string  `json:"says"`
	Hint    string  `json:"hint,omitempty"` // what to do next
}

// found makes a finding of an error, whose hint is at its end: "(hint: …)".
func found(check string, v verdict, says string) finding {
	f := finding{Check: check, Verdict: v, Says: says}
	if i := strings.LastIndex(says, "(hint: "); i >= 0 {
		f.Says, f.Hint = strings.TrimSpace(says[:i]), strings.TrimSuffix(strings.TrimSpace(says[i+len("(hint: "):]), ")")
	}
	return f
}

func newDoctor() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is wrong, and say what to do",
		Long: "Look at the data directory, the disk, the clock, the files, and at the server if it runs: whether the\n" +
			"log is whole (all of it is read), what waits, what is behind. It changes nothing and asks nobody outside.\n\n" +
			"Exit code 1 if there is a problem; warnings alone are 0.",
		Args: cobra.NoArgs,
	}
	asJSON := cmd.Flags().Bool("json", false, "answer as JSON")
	quick := cmd.Flags().Bool("quick", false, "do not read the whole log and all files")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		findings := examine(cmd, *quick)
		problems := 0
		for _, f := range findings {
			if f.Verdict == problem {
				problems++
			}
		}
		var err error
		if *asJSON {
			err = printJSON(cmd.OutOrStdout(), findings)
		} else {
			err = printFindings(cmd.OutOrStdout(), findings, problems)
		}
		if err == nil && problems > 0 {
			return errReported
		}
		return err
	}
	return cmd
}

// examine makes all checks: those of this machine only if the server is on it.
func examine(cmd *cobra.Command, quick bool) []finding {
	ctx, cancel := context.WithTimeout(cmd.Context(), 30*time.Minute)
	defer cancel()
	var findings []finding
	data, _ := cmd.Flags().GetString("data")
	if elsewhere, _ := cmd.Flags().GetString("server"); elsewhere == "" {
		findings = examineMachine(ctx, data, quick)
	}
	c, err := newClient(cmd)
	if err != nil {
		return append(findings, found("server", problem, err.Error()))
	}
	path := "/api/admin/doctor"
	if quick {
		path += "?" + url.Values{"quick": {"true"}}.Encode()
	}
	var there []finding
	if err := c.call(ctx, "GET", path, nil, &there); err != nil {
		return append(findings, found("server", problem, err.Error()))
	}
	return append(findings, there...)
}

func printFindings(w io.Writer, findings []finding, problems int) error {
	for _, f := range findings {
		mark := map[verdict]string{fine: " ok ", warning: "look", problem: "BAD "}[f.Verdict]
		fmt.Fprintf(w, "%s  %-12s %s\n", mark, f.Check, f.Says)
		if f.Hint != "" {
			fmt.Fprintf(w, "                    → %s\n", f.Hint)
		}
	}
	says := fmt.Sprint(problems, " problems")
	switch problems {
	case 0:
		says = "nothing is wrong"
	case 1:
		says = "1 problem"
	}
	_, err := fmt.Fprintf(w, "\n%s\n", says)
	return err
}
